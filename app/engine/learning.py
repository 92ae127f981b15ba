"""Learning: from rows and a recipe to a model."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array, Cells, Index, Targets, Vector
from app.engine.config import GENERATORS, PRECISIONS
from app.engine.defaults import Candidate, Problem, candidates, rows_held_out
from app.engine.device import DEVICES, Device, one_blas_thread
from app.engine.ensemble import Folds, deal, unseen
from app.engine.losses import LOSSES
from app.engine.metrics import classification_metrics, confusion_matrix, multilabel_metrics, regression_metrics
from app.engine.model import Model, Report
from app.engine.network import Network
from app.engine.preprocessing import EMBEDDING_WIDTH, PAIR, Encoder, Scaler, encode_labels
from app.engine.recipe import Recipe
from app.engine.solvers import SOLVERS, GaveUp, solve
from app.engine.table import Label, TrainingRows
from app.engine.training import Course, Examples, Progress, Trained, descend
from app.errors import Diverged, UnsuitableTarget

OPTIMISM = 1.5  # measured: errors of the ensemble on rows not seen at all, to those on rows that it stopped by
PROMISING = 0.2  # share of a target's variance that a small table's first members may leave unexplained


def learn(
    rows: TrainingRows,
    recipe: Recipe,
    *,
    on_epoch: Callable[[Progress], None] = lambda _progress: None,
    device: str = "cpu",
    threads: Executor | None = None,
) -> Model:
    """Train networks on rows; raise UnsuitableTarget or Diverged where that cannot be done.

    The same rows, recipe and seed give the same bytes for any number of threads.
    """
    options = candidates(recipe, problem_of(rows, labels_of(rows), recipe.scaling.one_hot))
    models: list[Model] = []
    for option in options:
        last = option is options[-1]
        means = Means(DEVICES[device](), threads, on_epoch if last else _tell_nobody, np.inf if last else PROMISING)
        # Overflow is what Diverged reports.
        with suppress(*() if last else (GaveUp, Diverged)), np.errstate(all="ignore"), one_blas_thread():
            models.append(_trained(rows, option, means))
    return min(models, key=_expected_error)


class Means(NamedTuple):
    """What a training works with beside rows and recipe."""

    device: Device
    threads: Executor | None
    on_epoch: Callable[[Progress], None]
    good_enough: float


def _expected_error(model: Model) -> float:
    """Compare candidates by the variance of rows not seen that they leave unexplained.

    Members that stopped where these rows were answered best look better on them than they are.
    """
    unexplained = 1.0 - (model.report.metrics.get("validation", {}).get("r2") or 0.0)
    return unexplained * (OPTIMISM if model.recipe.training.keep_best else 1.0)


def _tell_nobody(_progress: Progress) -> None:
    """Leave the curve of a candidate to itself: those who follow a training see the one that always runs to its end."""


def _trained(rows: TrainingRows, candidate: Candidate, means: Means) -> Model:
    recipe, training, labels = candidate.recipe, candidate.recipe.training, labels_of(rows)
    rng = GENERATORS[training.generator](training.seed)
    members = training.members or 1
    folds = deal(_strata(rows), members, rows_held_out(len(rows.X), training.validation or 0.0), rng)
    known = np.arange(len(rows.X)) if members > 1 else folds.learnt[0]  # what no member learns from stays unknown
    encoder = Encoder.fit(rows.columns, rows.X, recipe.scaling, known)
    y, target = _scaled_target(rows, recipe, labels, known)
    network = network_for(recipe, encoder, outputs_for(recipe, len(rows.targets), len(labels)))
    X = encoder.encode(rows.X)
    weights = _weights(rows, balanced=training.class_weight == "balanced")

    def sent(array: Cells) -> Array:
        return means.device.send(np.ascontiguousarray(array, dtype=PRECISIONS[str(training.precision)]))

    course = Course(
        network=network,
        loss=replace(LOSSES[str(training.loss)], level=training.quantile),
        config=training,
        parameters=sent(network.initialize(str(recipe.network.initializer), members, rng, X[known])),
        rng=rng,
        **means._asdict(),
    )
    examples = Examples(sent(X), sent(y), None if weights is None else sent(weights), folds.learnt, folds.judged)
    solver = SOLVERS.get(str(training.optimizer))
    trained = descend(course, examples) if solver is None else solve(solver, course, examples)
    model = Model(
        columns=rows.columns,
        targets=rows.targets,
        labels=labels,
        recipe=recipe,
        network=network,
        parameters=means.device.fetch(trained.parameters),
        encoder=encoder,
        target=target,
        history=trained.history,
        sources=rows.sources,
    )
    return replace(model, report=_report(model, rows, folds, trained, candidate.sentence))


def labels_of(rows: TrainingRows) -> tuple[Label, ...]:
    """List the classes of a target, in order; none for numbers."""
    return tuple(sorted(set(rows.y))) if isinstance(rows.y, tuple) else ()


def problem_of(rows: TrainingRows, labels: Collection[Label], one_hot: int) -> Problem:
    """Tell what is to be learnt from a table, categories of more than `one_hot` levels being embedded."""
    levels = [len(column.levels) for column in rows.columns]
    inputs = sum(1 if many <= PAIR else many if many <= one_hot else EMBEDDING_WIDTH for many in levels)
    embedded = max(levels) > max(PAIR, one_hot)
    return Problem(len(rows.X), inputs, len(rows.targets), len(labels), rows.multilabel, levels.count(0), embedded)


def network_for(recipe: Recipe, encoder: Encoder, outputs: int) -> Network:
    """Lay out the network of a complete recipe."""
    architecture, embeddings = recipe.network, encoder.embeddings
    inputs = encoder.dense + sum(width for _, width in embeddings)
    sizes = (inputs, *(architecture.hidden or ()), outputs)
    activations = str(architecture.activation), str(architecture.output_activation)
    return Network(sizes, *activations, bias=architecture.bias, embeddings=embeddings)


def outputs_for(recipe: Recipe, targets: int, labels: int) -> int:
    """Count the outputs of a complete recipe's network: one sigmoid for two labels, else one for each."""
    if labels:
        return 1 if recipe.network.output_activation == "sigmoid" else labels
    return targets * LOSSES[str(recipe.training.loss)].outputs


def _strata(rows: TrainingRows) -> Vector:
    """Number what members should hold out alike: the classes, or the size of the first target."""
    if isinstance(rows.y, tuple):
        return np.unique(np.array(rows.y), return_inverse=True)[1].astype(np.float64)
    return rows.y[:, 0]


def _scaled_target(
    rows: TrainingRows, recipe: Recipe, labels: tuple[Label, ...], known: Index
) -> tuple[Targets, Scaler | None]:
    """Give the target in the network's units, scaled by what the known rows are like, and the way back."""
    output = str(recipe.network.output_activation)
    if isinstance(rows.y, tuple):
        return encode_labels(rows.y, labels, one_column=output == "sigmoid"), None
    if rows.multilabel:
        return rows.y, None
    target = Scaler.fit(str(recipe.scaling.target), rows.y[known])
    if recipe.scaling.target_maximum is not None:
        target = Scaler(np.zeros_like(target.center), np.full_like(target.scale, recipe.scaling.target_maximum))
    y = target.scale_in(rows.y)
    _require_reachable(y[known], recipe)
    return y, target


def _require_reachable(y: Array, recipe: Recipe) -> None:
    """Raise UnsuitableTarget for a scaled target that the network cannot answer, or whose squares overflow."""
    output, precision = str(recipe.network.output_activation), str(recipe.training.precision)
    low, high = ACTIVATIONS[output].range
    lowest, highest = y.min(), y.max()
    between = f"Scaled, the target runs from {lowest:.4g} to {highest:.4g}"
    if LOSSES[str(recipe.training.loss)].counts and lowest < 0:
        message = (
            f"Loss {recipe.training.loss} learns counts, which are never negative, as this target is. Leave it out."
        )
        raise UnsuitableTarget(message)
    if lowest < low or highest > high:
        message = (
            f"{between}, but {output} answers lie between {low:.4g} and {high:.4g}. Leave scaling.target out (or raise "
            "target_maximum), or use output_activation identity."
        )
        raise UnsuitableTarget(message)
    if max(-lowest, highest) ** 2 > np.finfo(PRECISIONS[precision]).max:
        message = f"{between}, whose squares are beyond {precision}. Leave scaling.target out, or raise target_maximum."
        raise UnsuitableTarget(message)


def _weights(rows: TrainingRows, *, balanced: bool) -> Cells | None:
    """Give each row's weight, shape (samples, 1), 1 on average; None where all count alike."""
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights / rows.weights.max()  # no sum underflows
    if balanced and isinstance(rows.y, tuple):
        _, place = np.unique(np.array(rows.y), return_inverse=True)
        totals = np.bincount(place, weights=weights)[place]
        weights = np.divide(weights, totals, out=np.zeros(len(weights)), where=totals > 0)  # a class may count nothing
    elif rows.weights is None:
        return None
    scaled: Cells = (weights / weights.mean())[:, np.newaxis]
    return scaled


def _report(model: Model, rows: TrainingRows, folds: Folds, trained: Trained, choice: str) -> Report:
    """Measure a model on all rows, and on those that members have not seen."""
    truth = encode_labels(rows.y, model.labels, one_column=False) if isinstance(rows.y, tuple) else rows.y
    measure = classification_metrics if model.labels else multilabel_metrics if rows.multilabel else regression_metrics
    scores = model.member_scores(rows.X)
    answers, judged = scores.mean(axis=0), truth
    metrics = {"training": measure(answers, truth)}
    if folds.judged.size:
        answers, held_out = unseen(scores, folds.judged)
        judged = truth[held_out]
        metrics["validation"] = measure(answers, judged)
    return Report(
        choice=choice,
        rows=len(rows.X),
        rows_held_out=len(judged) if folds.judged.size else 0,
        parameters=model.parameters.size,
        parameters_per_row=model.network.size / len(rows.X),
        epochs=len(trained.history.loss),
        kept_epochs=trained.kept_epochs,
        stopped=trained.stopped,
        loss=trained.loss,
        metrics=metrics,
        confusion_matrix=confusion_matrix(answers, judged) if model.labels else None,
        warnings=tuple(_warnings(rows)),
    )


def _warnings(rows: TrainingRows) -> Iterator[str]:
    for column, values in zip(rows.columns, rows.X.T, strict=True):
        there = values[~np.isnan(values)]
        if not len(there):
            yield f"Column {column.name} is missing in all rows: nothing can be learnt from it."
        elif np.ptp(there) == 0:
            yield f"Column {column.name} has one value only: nothing can be learnt from it."
    if not isinstance(rows.y, tuple):
        for name in (name for name, spread in zip(rows.targets, np.ptp(rows.y, axis=0), strict=True) if spread == 0):
            yield f"Target {name} has one value only: the answer will be about that value."
