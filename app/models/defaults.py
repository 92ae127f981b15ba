"""Defaults: what is chosen for a table where the user leaves it open, and why."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from math import floor, sqrt
from typing import Any, NamedTuple, TypeVar

from app.engine.activations import ACTIVATIONS
from app.engine.config import WHOLE_TABLE, TrainingConfig
from app.engine.losses import LOSSES
from app.engine.network import Architecture
from app.engine.optimizers import OPTIMIZERS
from app.errors import UnsuitableTarget
from app.models.preprocessing import EMBEDDING_WIDTH, PAIR, Scaling
from app.models.recipe import Recipe
from app.models.table import Label, TrainingRows
from app.solvers.levenberg_marquardt import FEW_ROWS

C = TypeVar("C", Architecture, TrainingConfig, Scaling)

ROUNDING = 1e-9  # a third of 60 rows are 20, whatever the last bit of a third is
PROBABILITIES = ("sigmoid", "softmax")
SQUARES = ("mse", "quadratic")
LARGE = 10_000  # rows, from where wider and fewer members pay
MANY = 500  # rows, up to where twice as many members pay
SMALL = 2000  # numbers to learn, up to which second derivatives are affordable
NARROW, MOST_WEIGHTS = 50, 1000  # inputs and weights, up to which they are
MOST_BINS = 512  # of all columns together
MEMBERS = 8
MANY_STEPS = 300  # in an epoch, from where fewer epochs do: their number falls as its root
JUDGED_FROM = 100  # rows: with fewer, holding some out costs a single network more than it tells
FULL_BATCH = 256  # up to so many rows one step of a single network sees all of them
MOST_KNOWN = 256  # problems with their recipes: most trainings of a service are like others before
EXACT_UP_TO = 1000  # rows that are learnt in float64


class Problem(NamedTuple):
    """What is to be learnt: so many rows, inputs and targets, and for labels how many of them there are."""

    rows: int
    inputs: int
    """Of the network, before bins: one for each number, each category of two levels, each level of a larger one."""
    targets: int
    labels: int = 0
    multilabel: bool = False
    numbers: int = 0
    """Columns of numbers, which can be cut into bins."""
    embedded: bool = False
    """Whether a category has so many levels that it is embedded."""
    judging: int = 0
    """Rows by which members are judged beside those that they learn, where these are too many for memory."""

    @property
    def task(self) -> str:
        """Name it, as recipe.TASKS does."""
        return "multilabel" if self.multilabel else "classification" if self.labels else "regression"


def labels_of(rows: TrainingRows) -> tuple[Label, ...]:
    """List the classes of a target, in order; none for numbers."""
    return tuple(sorted(set(rows.y))) if isinstance(rows.y, tuple) else ()


def problem_of(rows: TrainingRows, labels: Collection[Label], one_hot: int, more: int | None = None) -> Problem:
    """Tell what is to be learnt from a table, categories of more than `one_hot` levels being embedded.

    Where so many `more` rows are learnt from, those at hand are to judge by.
    """
    levels = [len(column.levels) for column in rows.columns]
    inputs = sum(1 if many <= PAIR else many if many <= one_hot else EMBEDDING_WIDTH for many in levels)
    embedded = max(levels) > max(PAIR, one_hot)
    many, judging = (len(rows.X), 0) if more is None else (more, len(rows.X))
    targets, numbers = len(rows.targets), levels.count(0)
    return Problem(many, inputs, targets, len(labels), rows.multilabel, numbers, embedded, judging)


@dataclass(frozen=True)
class Candidate:
    """A recipe with nothing left open, and why it is one, to end a sentence with."""

    recipe: Recipe
    reason: str

    @property
    def sentence(self) -> str:
        """Say what was chosen, and why."""
        training, hidden = self.recipe.training, " and ".join(map(str, self.recipe.network.hidden or ()))
        networks = "1 network" if training.members == 1 else f"{training.members} networks"
        layers = f"{hidden} hidden units" if hidden else "no hidden units"
        return f"{networks} with {layers}, trained by {training.optimizer}: {self.reason}."


@lru_cache(MOST_KNOWN)
def candidates(recipe: Recipe, problem: Problem) -> tuple[Candidate, ...]:
    """Fill in all that the user left open; give two recipes where only trying tells which is better.

    Raises UnsuitableTarget where settings and target contradict.
    """
    output = recipe.network.output_activation or _usual_output(recipe.training, problem)
    network = replace(recipe.network, output_activation=output)
    training = replace(recipe.training, loss=recipe.training.loss or _usual_loss(output, problem))
    given = replace(recipe, task=problem.task, network=network, training=training)
    for message in _contradictions(given, problem):
        raise UnsuitableTarget(message)
    return tuple(_completed(given, optimizer, reason, problem) for optimizer, reason in _choices(given, problem))


def _completed(recipe: Recipe, optimizer: str, reason: str, problem: Problem) -> Candidate:
    kind = optimizer if optimizer in USUAL else "single" if recipe.training.optimizer else "ensemble"
    network, learning, usual = USUAL[kind](replace(recipe.training, optimizer=optimizer), problem)
    members = 1 if recipe.training.optimizer else learning["members"]
    training = _filled(recipe.training, {"optimizer": optimizer, "members": members})
    training = _filled(training, {"validation": _usual_share(training, problem)})
    rows = problem.rows - rows_held_out(problem.rows, training.validation or 0.0)
    training = _filled(_filled(training, learning), _usual_steps(training, rows))
    training = replace(training, batch_size=min(rows, training.batch_size or rows))
    architecture, scaling = _filled(recipe.network, network), _scaled(recipe, usual, problem)
    return Candidate(replace(recipe, network=architecture, training=training, scaling=scaling), reason)


def rows_held_out(rows: int, share: float) -> int:
    """Count the rows that each member holds out; at least one is left to learn from."""
    return min(floor(rows * share + ROUNDING), rows - 1)


def _filled(config: C, usual: dict[str, Any]) -> C:
    """Set what is None."""
    return replace(config, **{name: value for name, value in usual.items() if getattr(config, name) is None})


def _choices(recipe: Recipe, problem: Problem) -> list[tuple[str, str]]:
    """Name the optimizers to try for a table, and say why."""
    training, few = recipe.training, problem.rows < FEW_ROWS and not problem.judging
    rows = "1 row" if problem.rows == 1 else f"{problem.rows} rows"
    judged = (
        f"judged by {problem.judging} others" if problem.judging else "each judged by members that have not seen it"
    )
    ensemble = ("adam", f"{rows}, {judged}")
    if training.optimizer:
        return [(training.optimizer, "as set")]
    if training.learning_rate or training.batch_size or training.clip_norm or training.dropout:
        return [("adam", "its settings were given")]
    squares = training.loss in SQUARES and not training.l2 and not problem.judging
    if few and squares and not problem.embedded:
        return [("levenberg_marquardt", f"{rows} of numbers can be learnt exactly")]
    if few:
        return [("lbfgs", f"none of {rows} can be spared to judge by")]
    if squares and _is_small(recipe.network.hidden or (), problem):
        return [("levenberg_marquardt", "answers rows it has not seen better than adam does"), ensemble]
    return [ensemble]


def _is_small(hidden: tuple[int, ...], problem: Problem) -> bool:
    """Tell whether a table, and the network if it is given, are small enough for second derivatives."""
    sizes = (problem.inputs, *hidden, problem.targets)
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))
    return (
        problem.rows * problem.targets <= SMALL
        and problem.inputs <= NARROW
        and weights <= MOST_WEIGHTS
        and not problem.embedded
    )


Usual = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
"""What an optimizer is used with: settings of the network, the training and the scaling."""


def _usual_single(training: TrainingConfig, _problem: Problem) -> Usual:
    """One network as the textbook has it, for those who choose their optimizer themselves."""
    rate = OPTIMIZERS[str(training.optimizer)].learning_rate
    network = {"hidden": (16,), "activation": "silu", "initializer": "glorot"}
    return network, {"learning_rate": rate}, {"features": "standard"}


def _usual_ensemble(_training: TrainingConfig, problem: Problem) -> Usual:
    """Members after Holzmüller et al. 2024, with steps and bins that grow with the table (benchmarks/accuracy.py)."""
    rows, large = problem.rows, problem.rows >= LARGE
    width = 128 if large else 64
    network = {"hidden": (width, width), "activation": "silu", "initializer": "data"}
    members = min(rows, 4 if large else MEMBERS if rows >= MANY else 2 * MEMBERS)
    learning = {
        "members": members,
        "learning_rate": 0.03 if large else 0.06,
        "parametrization": "ntk",
        "input_scale": True,
        "dropout": 0.15,
        "beta2": 0.95,
        "precision": "float32",
    }
    learnt = rows - rows_held_out(rows, 1.0 / members)
    batches = max(1, round(learnt / (512 if large else 256)))
    epochs = min(256, max(4, min(20, round(20 * sqrt(MANY_STEPS / batches))), -(-1500 // batches)))
    learning |= {"batch_size": -(-learnt // batches), "epochs": epochs, "patience": max(5, epochs // 10)}
    bins = min(64, max(8, round(sqrt(rows) / 4)), MOST_BINS // max(1, problem.numbers))
    return network, learning, {"features": "robust", "clip": 3.0} | ({"bins": bins} if bins > 1 else {})


def _usual_levenberg_marquardt(_training: TrainingConfig, problem: Problem) -> Usual:
    """Networks that are small beside the table, since all their parameters are weighed against each other."""
    few = problem.rows < FEW_ROWS
    hidden = (3,) if few else _small_layers(problem.rows * (MEMBERS - 1) // MEMBERS, problem)
    learning = {"members": 1 if few else MEMBERS, "precision": "float64", "epochs": 80, "keep_best": False}
    return (
        {"hidden": hidden, "activation": "tanh", "initializer": "lecun"},
        learning,
        {"features": "standard", "clip": 3.0},
    )


def _small_layers(rows: int, problem: Problem) -> tuple[int, ...]:
    """Choose two layers with at most two parameters for three numbers to learn; one where only tiny ones would fit."""
    inputs, outputs = problem.inputs, problem.targets
    for units in range(10, 3, -1):
        if units * (inputs + 1) + units * (units + 1) + outputs * (units + 1) <= rows * outputs * 2 / 3:
            return units, units
    return (min(10, max(2, (rows - 1) * outputs // (inputs + 1 + outputs))),)


def _usual_lbfgs(_training: TrainingConfig, problem: Problem) -> Usual:
    few = problem.rows < FEW_ROWS
    network = {"hidden": (8,), "activation": "tanh", "initializer": "lecun"}
    learning = {"members": 1 if few else MEMBERS, "precision": "float64", "epochs": 200, "l2": 0.01}
    return network, learning, {"features": "standard"}


USUAL = {
    "single": _usual_single,
    "ensemble": _usual_ensemble,
    "levenberg_marquardt": _usual_levenberg_marquardt,
    "lbfgs": _usual_lbfgs,
}


def _usual_share(training: TrainingConfig, problem: Problem) -> float:
    if training.members != 1:
        return 1.0 / (training.members or 1)
    return 0.1 if problem.rows >= JUDGED_FROM else 0.0


def _usual_steps(training: TrainingConfig, rows: int) -> dict[str, Any]:
    """Choose what is left, for so many rows to learn from, as a textbook would."""
    batch_size = min(rows, training.batch_size or (rows if rows <= FULL_BATCH else 64))
    return {
        "batch_size": batch_size,
        "epochs": min(2000, max(20, 20_000 // -(-rows // batch_size))),
        "precision": "float64" if rows <= EXACT_UP_TO else "float32",
        "learning_rate": 1.0,
        "parametrization": "standard",
        "beta2": 0.999,
        "dropout": 0.0,
        "input_scale": False,
        "l2": 0.0,
        "keep_best": True,
    }


def _usual_output(training: TrainingConfig, problem: Problem) -> str:
    if problem.labels:
        return "sigmoid" if problem.labels <= PAIR else "softmax"
    paired_with = LOSSES[training.loss].paired_with if training.loss else None
    return paired_with or ("sigmoid" if problem.multilabel else "identity")


def _usual_loss(output: str, problem: Problem) -> str:
    if problem.task == "regression":
        return "mse"
    return "categorical_cross_entropy" if output == "softmax" else "binary_cross_entropy"


def _scaled(recipe: Recipe, usual: dict[str, Any], problem: Problem) -> Scaling:
    """Fill in the scaling; the target's, where it is of numbers, is one that the output activation can reach."""
    scaling, output, loss = recipe.scaling, str(recipe.network.output_activation), str(recipe.training.loss)
    if scaling.features is not None:
        usual = {}
    if problem.task == "regression":
        fixed = scaling.target_maximum is not None or LOSSES[loss].counts
        usual |= {"target": "maximum" if fixed else "minmax" if ACTIVATIONS[output].bounded else "standard"}
    return _filled(scaling, usual)


def _contradictions(recipe: Recipe, problem: Problem) -> Iterator[str]:
    """Say what of output activation, loss, optimizer, scaling and target cannot go together."""
    output, loss, scaling = recipe.network.output_activation, str(recipe.training.loss), recipe.scaling
    paired_with = LOSSES[loss].paired_with
    if problem.labels == 1:
        yield "The target has one class only; a classifier needs rows of at least two."
    if problem.labels and output not in PROBABILITIES:
        yield f"Classes need output_activation sigmoid or softmax, not {output}. Leave it out."
    if problem.multilabel and output != "sigmoid":
        yield f"Several yes-or-no targets need output_activation sigmoid, not {output}. Leave it out."
    if problem.labels > PAIR and output == "sigmoid":
        yield f"output_activation sigmoid tells two classes apart; the target has {problem.labels}. Use softmax."
    if paired_with and output != paired_with:
        yield f"Loss {loss} needs output_activation {paired_with}, not {output}. Leave one of the two out."
    yield from _unused(recipe.training, problem)
    if problem.task == "regression" and scaling.target_maximum is not None and scaling.target not in {None, "maximum"}:
        yield f"scaling.target_maximum goes with scaling.target maximum, not {scaling.target}. Leave one out."


def _unused(training: TrainingConfig, problem: Problem) -> Iterator[str]:
    """Say which settings nothing would use, for what is set is to mean something; and what nothing can learn."""
    ignored = {"class_weight": problem.task != "classification"}
    if training.optimizer in WHOLE_TABLE:
        ignored |= dict.fromkeys(("dropout", "input_scale", "clip_norm"), True)
        ignored |= {"l2": training.optimizer == "levenberg_marquardt"}
    for name in (name for name, unused in ignored.items() if unused and getattr(training, name)):
        what = "a target without classes" if name == "class_weight" else training.optimizer
        yield f"training.{name} means nothing to {what}. Leave it out."
    if training.optimizer == "levenberg_marquardt" and training.loss not in SQUARES:
        other = ", or loss mse" if problem.task == "regression" else ""
        yield f"levenberg_marquardt makes squares small, not {training.loss}. Use lbfgs or adam{other}."
    if training.optimizer == "levenberg_marquardt" and problem.embedded:
        yield "levenberg_marquardt learns no embeddings. Raise scaling.one_hot, or use lbfgs or adam."
