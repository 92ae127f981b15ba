"""Sweeps: the same training again and again, with one setting otherwise, from the same first weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from app.engine.choices import FINITE
from app.engine.training import History
from app.models.defaults import Problem, candidates
from app.models.recipe import Recipe

SETTINGS = (
    "learning_rate",
    "l2",
    "dropout",
    "momentum",
    "beta1",
    "beta2",
    "rho",
    "weight_decay",
    "batch_size",
    "clip_norm",
    "epochs",
    "patience",
    "schedule",
)
"""What may be swept: all that leaves network, first weights, held-out rows and the meaning of a loss as they are."""
MOST_RUNS = 12
MOST_POINTS = 200  # of each curve

Value: TypeAlias = str | float | int | bool


@dataclass(frozen=True)
class Sweep:
    """One setting of the training, and the values that are tried."""

    setting: str
    values: tuple[Value, ...]

    def epochs(self, of_one: int) -> int:
        """Count the epochs of all runs, of which one has so many."""
        return sum(map(int, self.values)) if self.setting == "epochs" else of_one * len(self.values)

    def largest(self, recipe: Recipe) -> Recipe:
        """Give the recipe with the largest value, the first where these are words: none takes more of anything."""
        numbers = [value if isinstance(value, float | int) else 0 for value in self.values]
        return self.recipes(recipe)[int(np.argmax(numbers))]

    def completed(self, recipe: Recipe, problem: Problem) -> Recipe:
        """Leave nothing open that the value of the setting would have a say in, so that it alone differs."""
        return candidates(self.largest(recipe), problem)[-1].recipe

    def recipes(self, recipe: Recipe) -> list[Recipe]:
        """Give a recipe for each value."""
        settings: list[dict[str, Any]] = [{self.setting: value} for value in self.values]
        return [replace(recipe, training=replace(recipe.training, **setting)) for setting in settings]


@dataclass(frozen=True)
class SweptRun:
    """How one of them went: some of its epochs, and the losses in scaled units after them."""

    __pydantic_config__ = FINITE

    value: Value
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    validation_loss: tuple[float, ...] | None
    kept: bool
    """Whether it is the model."""
    fault: str | None = None
    """Why it came to nothing, if it did."""


@dataclass(frozen=True)
class Swept:
    """What a sweep came to, run by run."""

    setting: str
    runs: tuple[SweptRun, ...]


def run_of(value: Value, history: History, *, is_kept: bool) -> SweptRun:
    """Tell the curves of a training, thinned; the first and the last epoch are always among its points."""
    count = len(history.loss)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.intp))
    judged = history.validation_loss
    return SweptRun(
        value,
        tuple((chosen + 1).tolist()),
        tuple(history.loss[chosen].tolist()),
        tuple(judged[chosen].tolist()) if len(judged) else None,
        kept=is_kept,
    )


def best(histories: Sequence[History], losses: Sequence[float]) -> int:
    """Find the run whose least loss on held-out rows is the least; without such rows, the one that learnt its own best.

    `losses` are those of the kept weights on the rows that were learnt.
    """
    judged = [float(history.validation_loss.min()) if len(history.validation_loss) else None for history in histories]
    worth = [loss if least is None else least for least, loss in zip(judged, losses, strict=True)]
    return int(np.argmin(worth))
