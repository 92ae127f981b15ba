"""A search: settings that are tried one after the other, each judged by rows held out, and what is told of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, TypeAlias

from app.engine.config import WHOLE_TABLE
from app.models.defaults import SQUARES, Problem, candidates, rows_held_out
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.trials import Trial, Value

LOSS = "loss"
REGRESSION, CLASSES = ("rmse", "mse", "mae", "r2"), ("log_loss", "accuracy", "balanced_accuracy", "auc")
TASKS = {"regression": REGRESSION, "classification": CLASSES, "multilabel": (*CLASSES, "exact_match")}
"""The metrics of each task that a search can be for; the first is the usual one."""
LARGER_IS_BETTER = frozenset({"r2", "accuracy", "balanced_accuracy", "auc", "exact_match"})
METRICS = dict.fromkeys((LOSS, *REGRESSION, *TASKS["multilabel"]))
SETTINGS = dict.fromkeys(("hidden", "activation", "bias", "initializer"), "network") | dict.fromkeys(
    (
        *("optimizer", "members", "learning_rate", "schedule", "decay", "decay_epochs", "epochs", "batch_size"),
        *("parametrization", "momentum", "beta1", "beta2", "rho", "weight_decay", "l2", "dropout", "input_scale"),
        *("clip_norm", "patience", "keep_best"),
    ),
    "training",
)
"""What may be searched, and what it is a setting of: all that leaves the rows, and what the loss means, as they are."""
LEAST_ROWS = 20
MOST_TRIALS = 200
JUDGING = 0.2
"""Share of a trial's rows that judge it where its settings hold none out."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A setting, and the values that are tried: all between two ends, or some that are listed, as JSON."""

    setting: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    """Whether a factor is as far everywhere, rather than a difference."""
    choices: tuple[str, ...] = ()

    @property
    def dearest(self) -> Sequence[Value]:
        """List the values with which a training may take most: the largest; of batches, small ones take most time."""
        values: list[Value] = [end for end in (self.low, self.high) if end is not None]
        values += map(value_of, self.choices)
        if self.setting == "optimizer":
            return values
        return [max(values, key=_size), min(values, key=_size)][: 2 if self.setting == "batch_size" else 1]


Way: TypeAlias = tuple[Dimension, ...]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched, by which metric, for how long: so many trials, or seconds."""

    metric: str
    ways: tuple[Way, ...]
    """Each is a space of its own; a trial is in one of them."""
    trials: int | None = None
    seconds: float | None = None

    def dearest(self, recipe: Recipe) -> list[Recipe]:
        """Give the trainings among which are those that take most memory and most time."""
        return [
            with_settings(recipe, {each.setting: value for each, value in zip(way, values, strict=True)})
            for way in self.ways
            for values in product(*(each.dearest for each in way))
        ]


def value_of(choice: str) -> Value:
    """Read a choice."""
    value: Any = json.loads(choice)
    return tuple(value) if isinstance(value, list) else value


def _size(value: Value) -> float:
    """Compare values by what a training with them takes; words are all alike."""
    if isinstance(value, tuple):
        return float(sum(value) + sum(fan_in * fan_out for fan_in, fan_out in pairwise(value)))
    return 0.0 if isinstance(value, str) else float(value)


def with_settings(recipe: Recipe, settings: Mapping[str, Value]) -> Recipe:
    """Set what a trial sets, beside what is set already."""
    parts: dict[str, dict[str, Any]] = {"network": {}, "training": {}}
    for name, value in settings.items():
        parts[SETTINGS[name]][name] = value
    return replace(
        recipe,
        network=replace(recipe.network, **parts["network"]),
        training=replace(recipe.training, **parts["training"]),
    )


def usual_metric(recipe: Recipe, problem: Problem) -> str:
    """Choose what to search by: the loss itself where a metric would ask for something else than is learnt."""
    loss = candidates(recipe, problem)[0].recipe.training.loss
    return LOSS if problem.task == "regression" and loss not in SQUARES else TASKS[problem.task][0]


def usual_ways(recipe: Recipe, problem: Problem) -> tuple[Way, ...]:
    """Choose what to search where nobody says: what matters for these networks, around what is chosen without a search.

    Settings that are given stay. There are two ways where only trying tells whether second derivatives are better.
    """
    options = [candidate.recipe for candidate in candidates(recipe, problem)]
    is_open = {
        name for part in (recipe.network, recipe.training) for name, value in vars(part).items() if value is None
    }
    ways = [_ensembles(options[-1])] if recipe.training.optimizer is None else [_single(options[-1])]
    if len(options) > 1:
        ways.append(_second_order(options[0]))
    left = (tuple(dimension for dimension in way if dimension.setting in is_open) for way in ways)
    return tuple(filter(None, left))


def _choices(setting: str, *values: object) -> Dimension:
    return Dimension(setting=setting, choices=tuple(map(json.dumps, values)))


LAYERS: tuple[list[int], ...] = (
    [],
    [16],
    [32],
    [64],
    [128],
    [256],
    [32, 32],
    [64, 64],
    [128, 128],
    [256, 256],
    [64, 64, 64],
)
FEW_UNITS: tuple[list[int], ...] = ([], [2], [4], [6], [10], [16], [4, 4], [6, 6], [10, 10], [14, 14])


def _single(usual: Recipe) -> Way:
    """Search one network, or as many as are set, with the optimizer that is set."""
    training = usual.training
    way = [_choices("hidden", *LAYERS), _choices("activation", "silu", "relu", "tanh", "elu")]
    if training.optimizer != "levenberg_marquardt":
        way.append(Dimension(setting="l2", low=1e-7, high=1e-2, log=True))
    if training.optimizer not in WHOLE_TABLE:
        rate = float(training.learning_rate or 1.0)
        way += [
            Dimension(setting="learning_rate", low=rate / 8, high=min(rate * 4, 1e6), log=True),
            Dimension(setting="dropout", low=0.0, high=0.4),
            _choices("batch_size", 64, 128, 256, 512),
        ]
    return tuple(way)


def _ensembles(usual: Recipe) -> Way:
    """Search networks that learn together."""
    members = usual.training.members or 1
    return (*_single(usual), _choices("members", *sorted({max(2, members // 2), members})))


def _second_order(usual: Recipe) -> Way:
    """Search networks that are small beside the table, whose parameters are weighed against each other."""
    members = usual.training.members or 1
    return (
        _choices("optimizer", "levenberg_marquardt"),
        _choices("hidden", *FEW_UNITS),
        _choices("activation", "tanh", "sigmoid", "silu"),
        Dimension(setting="epochs", low=20, high=160, log=True),
        _choices("keep_best", False, True),  # noqa: FBT003 - they are the choices
        _choices("members", members, 2 * members),
    )


def judging(recipe: Recipe, problem: Problem) -> Recipe:
    """Hold rows out of a trial where its settings would not; raise UnsuitableTarget where these contradict."""
    shares = [candidate.recipe.training.validation or 0.0 for candidate in candidates(recipe, problem)]
    if all(rows_held_out(problem.rows, share) for share in shares):
        return recipe
    return replace(recipe, training=replace(recipe.training, validation=JUDGING))


def measured(model: Model, metric: str) -> float | None:
    """Give what a search is for, of a model that was judged by rows held out; None where they do not tell it."""
    if metric == LOSS:
        return float(model.history.validation_loss.min())
    return model.report.metrics["validation"].get(metric)


def better(metric: str, value: float) -> float:
    """Give a number that is the less, the better a value is."""
    return -value if metric in LARGER_IS_BETTER else value


def best_of(trials: Sequence[Trial], metric: str) -> Trial | None:
    """Find the best that is complete, the first of several; None where none is."""
    known = [(better(metric, trial.value), trial.number) for trial in trials if trial.value is not None]
    return trials[min(known)[1]] if known else None
