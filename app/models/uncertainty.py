"""Uncertainty: how far answers may be off, as the rows tell that members had not learnt from.

Conformal prediction (Vovk, Gammerman, Shafer 2005): whatever the network is, the answer to a new row is missed by less
than the right one of these rows' misses, as often as is asked for.
"""

from dataclasses import dataclass
from math import ceil, floor
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, Index, Outputs, PerRow, Scores, Targets, Vector

KNOTS = 8  # places along the answers where their usual misses are known
PRIOR = 2.0  # rows that the misses of all weigh beside those of a place
MOST_MISSES = 1000  # of each target that are kept
LEAST_LEFT = 0.25  # of a member's squared misses, in those of all members together
COOLEST, HOTTEST, TEMPERATURES = 0.25, 10.0, 200
WORTH = 2.0  # nats on all rows, for which a temperature is worth having (Akaike 1974 asks for 1)
MEASURED_AT, MOST_WIDER = 0.9, 1.05  # how intervals are compared
ROUNDING = 1e-9  # nine rows are enough for 0.9, whatever the last bit of 0.9 is

Sets: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Misses:
    """By how much rows that members had not learnt from were missed; nothing where there were none.

    `sizes`, shape (misses, answers), are sorted: for numbers, the error in units of what is usual for such an answer;
    for classes, what the true one's probability lacks to 1. `knots` and `usual`, shape (knots, targets), say what is
    usual along the answers; they are empty for classes.
    """

    sizes: Array
    knots: Array
    usual: Array

    @classmethod
    def none(cls, answers: int) -> "Misses":
        """Know of no rows."""
        return cls(*(np.empty((0, answers)) for _ in range(3)))

    @classmethod
    def of_numbers(
        cls, answers: Scores, truth: Targets, spread: Scores | None = None, finest: Vector | float = 0.0
    ) -> "Misses":
        """Measure answers to rows against the truth, both (samples, targets), in the user's units.

        No miss counts as smaller than `finest`, for each target: where all is learnt, what is left is of rounding.
        `spread`, of the same shape, is the variance over members that were not chosen by these rows: all of them
        together err by so much less than one (Krogh, Vedelsby 1995: ambiguity).
        """
        off = np.maximum(np.abs(answers - truth), finest)
        knots = np.quantile(answers, np.linspace(0.0, 1.0, KNOTS), axis=0)
        usual, sizes = np.empty_like(knots), np.empty_like(off)
        for target in range(off.shape[1]):
            usual[:, target], own = _usual(off[:, target], *_between(knots[:, target], answers[:, target]))
            sizes[:, target] = off[:, target] / own
            if spread is not None and off[:, target].any():
                saved = np.mean(spread[:, target] / own**2) / np.mean(sizes[:, target] ** 2)
                usual[:, target] *= max(LEAST_LEFT, 1.0 - float(saved)) ** 0.5
        return cls(_thinned(sizes), knots, usual)

    @classmethod
    def of_classes(cls, probabilities: Scores, truth: Scores) -> "Misses":
        """Measure probabilities against the truth, 0 or 1, both (samples, labels), or (samples, targets) of yes or no.

        The former are missed in one way, the latter each in its own.
        """
        likelihood = np.where(truth > 0, probabilities, 1.0 - probabilities)
        return cls(_thinned(1.0 - likelihood), *(np.empty((0, truth.shape[1])) for _ in range(2)))

    def bound(self, level: float) -> Vector | None:
        """Give the miss that a new row's is below with this probability, for each answer; None if nothing tells."""
        rank = max(1, ceil((len(self.sizes) + 1) * level - ROUNDING))
        return self.sizes[rank - 1] if rank <= len(self.sizes) else None

    def margins(self, answers: Scores, bound: Vector) -> Scores:
        """Give what to add and to take off to have intervals around answers, shape (samples, targets)."""
        margins = np.empty_like(answers)
        for target in range(answers.shape[1]):
            left, part = _between(self.knots[:, target], answers[:, target])
            usual = self.usual[left, target] * (1.0 - part) + self.usual[left + 1, target] * part
            margins[:, target] = bound[target] * usual
        return margins


def rows_needed(level: float) -> int:
    """Tell how many rows that members had not learnt from an interval takes at least."""
    return max(1, ceil(level / (1.0 - level) - ROUNDING))


def label_sets(probabilities: Scores, bound: Vector) -> Sets:
    """Tell which labels, shape (samples, labels), are too likely to be ruled out; the likeliest never is."""
    kept: Sets = probabilities >= 1.0 - bound
    kept[np.arange(len(kept)), probabilities.argmax(axis=1)] = True
    return kept


def _between(knots: Vector, answers: PerRow) -> tuple[Index, PerRow]:
    """Find the knot before each answer, and how far towards the next it lies: 0 to 1."""
    inside = np.clip(answers, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    width = knots[left + 1] - knots[left]
    part = np.divide(inside - knots[left], width, out=np.zeros_like(inside), where=width > 0)
    return left.astype(np.intp), part


def _usual(off: PerRow, left: Index, part: PerRow) -> tuple[Vector, PerRow]:
    """Tell by how much answers at each knot are usually off, and what is usual for each row, but for the row itself.

    It is a mean over the rows around a knot (under a hat function), drawn towards that of all. Where that makes the
    intervals of these rows wider, answers do not tell how far they are off, and all are taken alike.
    """
    rows = np.arange(len(off))
    hats = np.zeros((len(off), KNOTS))
    hats[rows, left], hats[rows, left + 1] = 1.0 - part, part
    mean = max(float(off.mean()), np.finfo(np.float64).tiny)
    sums, counts = off @ hats + PRIOR * mean, hats.sum(axis=0) + PRIOR
    own = (hats * ((sums - hats * off[:, np.newaxis]) / (counts - hats))).sum(axis=1)
    if np.quantile(off / own, MEASURED_AT) * own.mean() > MOST_WIDER * np.quantile(off, MEASURED_AT):
        return np.full(KNOTS, mean), np.full_like(off, mean)
    return sums / counts, own


def _thinned(sizes: Array) -> Array:
    """Sort each column, and keep so many that every one that is left out is below one that is kept."""
    ordered = np.sort(sizes, axis=0)
    if len(ordered) <= MOST_MISSES:
        return ordered
    kept = [floor(rank * len(ordered) / MOST_MISSES) - 1 for rank in range(1, MOST_MISSES + 1)]
    return ordered[kept]


def temperature_of(outputs: Outputs, truth: Scores) -> float:
    """Find the temperature (Guo, Pleiss, Sun, Weinberger 2017) that probabilities are likeliest with.

    `outputs` are logarithms of odds, shape (samples, labels), and need be right only up to a constant a row; `truth` is
    one-hot. 1 where another is hardly better.
    """
    temperatures = np.geomspace(COOLEST, HOTTEST, TEMPERATURES)
    losses = [_log_loss(outputs / temperature, truth) for temperature in temperatures]
    best = int(np.argmin(losses))
    return float(temperatures[best]) if losses[best] < _log_loss(outputs, truth) - WORTH else 1.0


def at_temperature(probabilities: Outputs, temperature: float, *, one_of: bool) -> Outputs:
    """Give what probabilities, shape (..., labels), become at a temperature; or of several yes, (..., targets)."""
    p = probabilities ** (1.0 / temperature)
    others = p.sum(axis=-1, keepdims=True) - p if one_of else (1.0 - probabilities) ** (1.0 / temperature)
    cooled: Outputs = p / (p + others)
    return cooled


def _log_loss(z: Outputs, truth: Scores) -> float:
    shifted = z - z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - (truth * shifted).sum(axis=1)).sum())
