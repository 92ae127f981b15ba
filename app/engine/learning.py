"""Learning: from rows and a recipe to a model."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Features, Randomness, Scores, Targets
from app.engine.losses import LOSSES
from app.engine.metrics import Metrics, classification_metrics, regression_metrics
from app.engine.model import Model, Report, TrainingRows, in_user_units
from app.engine.network import BLOCK_NUMBERS, Network
from app.engine.preprocessing import Label, Scaler, encode_labels
from app.engine.recipe import Problem, Recipe, complete, held_out
from app.engine.training import GENERATORS, Examples, Progress, fit
from app.errors import UnsuitableTarget

STEP_OPERATIONS = 10_000  # what a step costs for each layer beside its products, in operations

Indices = npt.NDArray[np.intp]


class Prepared(NamedTuple):
    """Rows in the network's units, and the way back."""

    X: Features
    y: Targets
    features: Scaler
    target: Scaler | None


def learn(
    rows: TrainingRows, recipe: Recipe, *, on_epoch: Callable[[Progress], None] = lambda _progress: None
) -> Model:
    """Train a network on rows; raise UnsuitableTarget or Diverged where that cannot be done."""
    labels: tuple[Label, ...] = tuple(sorted(set(rows.y))) if isinstance(rows.y, tuple) else ()
    recipe = complete(recipe, Problem(len(rows.X), len(labels)))
    rng = GENERATORS[recipe.training.generator](recipe.training.seed)
    network = network_for(recipe, len(rows.columns), outputs_for(recipe, rows, labels))
    parameters = network.initialize(recipe.network.initializer, rng)
    learnt, judged = _split(len(rows.X), recipe.training.validation or 0.0, rng)
    X, y, features, target = _prepare(rows, recipe, labels, learnt)
    trained = fit(
        network,
        LOSSES[str(recipe.training.loss)],
        Examples(X[learnt], y[learnt], X[judged], y[judged]),
        recipe.training,
        parameters=parameters,
        rng=rng,
        on_epoch=on_epoch,
    )
    _, a = network.outputs(trained.parameters, X)
    truth = encode_labels(rows.y, labels, one_column=False) if isinstance(rows.y, tuple) else rows.y
    return Model(
        columns=rows.columns,
        targets=rows.targets,
        labels=labels,
        recipe=recipe,
        network=network,
        parameters=trained.parameters,
        features=features,
        target=target,
        lowest=rows.X[learnt].min(axis=0),
        highest=rows.X[learnt].max(axis=0),
        history=trained.history,
        report=Report(
            rows=len(rows.X),
            rows_held_out=len(judged),
            parameters=network.size,
            epochs=len(trained.history.loss),
            kept_epoch=trained.kept_epoch,
            stopped=trained.stopped,
            loss=trained.loss,
            metrics=_metrics(in_user_units(a, target), truth, {"training": learnt, "validation": judged}, labels),
            warnings=tuple(_warnings(rows)),
        ),
    )


def outputs_for(recipe: Recipe, rows: TrainingRows, labels: Collection[Label]) -> int:
    """Count the outputs of a complete recipe's network: one sigmoid for two labels, else one for each."""
    if not labels:
        return len(rows.targets)
    return 1 if recipe.network.output_activation == "sigmoid" else len(labels)


def network_for(recipe: Recipe, inputs: int, outputs: int) -> Network:
    """Lay out the network of a complete recipe."""
    architecture = recipe.network
    sizes = (inputs, *architecture.hidden, outputs)
    return Network(sizes, architecture.activation, str(architecture.output_activation), architecture.bias)


def _prepare(rows: TrainingRows, recipe: Recipe, labels: tuple[Label, ...], learnt: Indices) -> Prepared:
    """Scale all rows by what the learnt ones are like: held-out rows must not be known beforehand."""
    features = Scaler.fit(recipe.scaling.features, rows.X[learnt])
    X = features.scale_in(rows.X)
    if isinstance(rows.y, tuple):
        one_column = recipe.network.output_activation == "sigmoid"
        return Prepared(X, encode_labels(rows.y, labels, one_column=one_column), features, None)
    target = Scaler.fit(str(recipe.scaling.target), rows.y[learnt])
    if recipe.scaling.target_maximum is not None:
        target = Scaler(np.zeros_like(target.center), np.full_like(target.scale, recipe.scaling.target_maximum))
    y = target.scale_in(rows.y)
    _require_reachable(y[learnt], str(recipe.network.output_activation))
    return Prepared(X, y, features, target)


def _require_reachable(y: Targets, output: str) -> None:
    low, high = ACTIVATIONS[output].range
    if y.min() < low or y.max() > high:
        message = (
            f"Scaled, the target runs from {y.min():.4g} to {y.max():.4g}, but {output} answers lie between {low:.4g} "
            f"and {high:.4g}. Leave scaling.target out (or raise target_maximum), or use output_activation identity."
        )
        raise UnsuitableTarget(message)


def _split(rows: int, share: float, rng: Randomness) -> tuple[Indices, Indices]:
    """Choose rows to learn from and rows to judge by, each in their old order."""
    count = held_out(rows, share)
    if not count:
        return np.arange(rows), np.arange(0)
    order = rng.permutation(rows)
    return np.sort(order[count:]), np.sort(order[:count])


def _metrics(scores: Scores, truth: Scores, parts: dict[str, Indices], labels: Collection[Label]) -> dict[str, Metrics]:
    measure: Callable[[Scores, Scores], Metrics] = classification_metrics if labels else regression_metrics
    return {part: measure(scores[chosen], truth[chosen]) for part, chosen in parts.items() if len(chosen)}


def _warnings(rows: TrainingRows) -> list[str]:
    constant = [name for name, spread in zip(rows.columns, np.ptp(rows.X, axis=0), strict=True) if spread == 0]
    warnings = [f"Column {name} has one value only: nothing can be learnt from it." for name in constant]
    if not isinstance(rows.y, tuple):
        still = [name for name, spread in zip(rows.targets, np.ptp(rows.y, axis=0), strict=True) if spread == 0]
        warnings += [f"Target {name} has one value only: the answer will be that value." for name in still]
    return warnings


class Cost(NamedTuple):
    """What a training will take: parameters, numbers held at once, and arithmetic operations."""

    parameters: int
    numbers: int
    operations: float


def estimate(rows: TrainingRows, recipe: Recipe) -> Cost:
    """Estimate a training's cost from its shapes alone; raise UnsuitableTarget where settings contradict the target.

    An epoch multiplies each row with each weight three times (forward, W's gradient, the error passed down), each a
    multiplication and an addition; a step costs something however little it multiplies. Held are the rows as sent,
    scaled, split and padded; targets, true and encoded, z, a and answers; the layers of a batch, thrice; the parameters
    with gradient, best and memory.
    """
    labels = set(rows.y) if isinstance(rows.y, tuple) else set()
    recipe = complete(recipe, Problem(len(rows.X), len(labels)))
    network = network_for(recipe, len(rows.columns), outputs_for(recipe, rows, labels))
    epochs, batch_size, _ = recipe.training.chosen_for(len(rows.X))
    answers = len(rows.X) * max(len(labels), network.sizes[-1])
    block = max(
        batch_size * sum(network.sizes), BLOCK_NUMBERS if len(rows.X) * max(network.sizes) > BLOCK_NUMBERS else 0
    )
    numbers = 5 * rows.X.size + 6 * answers + 3 * block + 6 * network.size
    steps = -(-len(rows.X) // batch_size) * (len(network.sizes) - 1) * STEP_OPERATIONS
    return Cost(network.size, numbers, float(epochs) * (6.0 * network.size * len(rows.X) + steps))
