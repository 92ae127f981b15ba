"""Applicability: how far a row is from those that were learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, Cells, Index, PerRow, Row
from app.engine.control import GoOn, go_on_for_ever
from app.models.preprocessing import Encoder, Scaler

MOST_NEIGHBOURS, MOST_NUMBERS = 256, 2**16  # rows, and numbers in them, that are kept
MOST_MEASURED, MOST_DIFFERENCES = 1024, 2**22  # rows, and numbers in them, that tell what is usual
SQUARES_AT_ONCE = 2**16
USUALLY, RARELY = 0.95, 0.99  # of the rows are as near to another as that
FARTHEST = 1e9

Classes: TypeAlias = Index
Told: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbours:
    """A sample of the rows that were learnt from, and how near to one of them others usually are.

    Distances are Euclidean between numbers in units of `scale`, with 1 for each category that differs.
    """

    rows: Cells
    """Shape (neighbours, columns), in the user's units, nothing missing."""
    scale: Row
    """The deviation of each column of numbers; of one that has two values (a pixel, say), what lies between them."""
    near: float
    """Below what distance 95 of 100 rows have a neighbour; 1 where all rows are the same."""
    reach: float
    """How many times as far a row may be and still be like those that were learnt from.

    Where these are of classes, 99 in 100 are nearer to another of their own. And where two classes differ in so many
    places, a row that differs from one of them in fewer than half is of that one (Hamming 1950); so it is in terms of
    squares, where places are numbers. Where they are of no classes, none is farther from all others.
    """

    @classmethod
    def fit(cls, encoder: Encoder, X: Cells, classes: Classes | None = None) -> "Neighbours":
        """Measure rows, shape (samples, columns), and what class each is of, where they are of classes."""
        filled = _filled(encoder, X)
        scale = _scale(filled)
        kept = min(MOST_NEIGHBOURS, max(2, MOST_NUMBERS // X.shape[1]))
        order = np.arange(len(X)) if len(X) <= kept else np.random.default_rng(0).permutation(len(X))
        chosen = np.sort(order[:kept])
        others = order[kept:] if len(X) > kept else chosen
        measured = others[: min(MOST_MEASURED, max(2, MOST_DIFFERENCES // (len(chosen) * X.shape[1])))]
        squares = np.concatenate(list(_squares(encoder, scale, filled[measured], filled[chosen])))
        squares[measured[:, np.newaxis] == chosen] = np.inf  # a row is no neighbour of itself
        nearest = np.sqrt(squares.min(axis=1))
        near = _first_above_nothing(np.quantile(nearest, USUALLY), nearest.max()) if len(X) > 1 else 1.0
        farthest = _first_above_nothing(nearest.max(), near)
        reach = farthest if classes is None else _reach(squares, classes[measured][:, np.newaxis] == classes[chosen])
        return cls(filled[chosen], scale, near, reach / near)

    def distances(self, encoder: Encoder, X: Cells, go_on: GoOn = go_on_for_ever) -> PerRow:
        """Measure how far each row, shape (samples, columns), is from its nearest neighbour; up to 1 is usual.

        `go_on` is called between some rows and others.
        """
        nearest = []
        for squares in _squares(encoder, self.scale, _filled(encoder, X), self.rows):
            go_on()
            nearest.append(squares.min(axis=1))
        distances: PerRow = np.sqrt(np.concatenate([np.empty(0), *nearest])) / self.near
        return np.minimum(distances, FARTHEST, out=distances)


def _filled(encoder: Encoder, X: Cells) -> Cells:
    return np.where(np.isnan(X), encoder.fill, X)


def _scale(filled: Cells) -> Row:
    """Measure the columns, all as if they were of numbers."""
    low, high = filled.min(axis=0), filled.max(axis=0)
    has_two = ((filled == low) | (filled == high)).all(axis=0) & (low < high)
    scale: Row = np.where(has_two, high - low, Scaler.fit("standard", filled).scale)
    return scale


def _squares(encoder: Encoder, scale: Row, X: Cells, rows: Array) -> Iterator[Array]:
    """Give the squared distances of some rows after others, shape (samples, neighbours)."""
    at_once = max(1, SQUARES_AT_ONCE // len(rows))
    for start in range(0, len(X), at_once):
        some = X[start : start + at_once]
        total = np.zeros((len(some), len(rows)))
        with np.errstate(over="ignore"):  # far is far
            for index, column in enumerate(encoder.columns):
                mine, theirs = some[:, [index]], rows[:, index]
                total += mine != theirs if column.levels else ((mine - theirs) / scale[index]) ** 2
        yield total


def _first_above_nothing(*sizes: float) -> float:
    return next((float(size) for size in sizes if 0 < size < np.inf), 1.0)


def _reach(squares: Array, same: Told) -> float:
    within = np.where(same, squares, np.inf).min(axis=1)
    within = within[np.isfinite(within)]
    usual = float(np.quantile(within, RARELY)) if within.size else 0.0
    between = float(np.where(same, np.inf, squares).min())
    return float(max(usual, between / 2 if np.isfinite(between) else 0.0) ** 0.5)
