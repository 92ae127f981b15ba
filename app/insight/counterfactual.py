"""Counterfactuals: the nearest row, within what was trained on, that is answered otherwise (Wachter et al. 2017)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Cells, PerRow, Row, SomeCells
from app.engine.control import GoOn, go_on_for_ever
from app.models.model import Model

GRID = 33  # places along a column
MOST_OTHERS = 32  # levels of categories that are tried
CELLS_AT_ONCE = 2**20
STEPS, HALVINGS = 40, 60
SLOPE = 1e-4  # of a column's range: the length of a finite difference
CLOSE = 1e-6  # of the target's scale: how near to the number that is wanted is there

Free: TypeAlias = npt.NDArray[np.bool_]


class Wish(NamedTuple):
    """What is wanted of an answer: that a number is reached, or that a label is the likeliest."""

    place: int
    """Of the target or the label among the scores."""
    value: float | None
    """None for a label."""


class Found(NamedTuple):
    """A row that is answered as is wanted, and how far it is from the one that was asked about."""

    row: Row
    distance: float


def nearest(
    model: Model, row: Row, wish: Wish, fixed: Iterable[int] = (), go_on: GoOn = go_on_for_ever
) -> Found | None:
    """Find the nearest row that is answered as is wanted, with some columns as they are; None where none is found.

    Distances are as `Neighbours` has them. From the row itself, and from it with another level of one category, numbers
    are changed: one at a time, straight towards rows that were learnt from, and to the nearest point of the surface on
    which answers are as wanted, as far as slopes lead to it.
    """
    encoder = model.encoder
    stays = np.isnan(row) | np.isin(np.arange(len(row)), list(fixed))
    start: Row = np.where(stays, row, np.clip(row, encoder.lowest, encoder.highest))
    found = [
        _Search(model, row, begin, wish, stays, go_on).found() for begin in _with_other_levels(model, start, stays)
    ]
    rows = np.concatenate(found)
    if not len(rows):
        return None
    distances = _distances(model, row, rows)
    best = int(distances.argmin())
    return Found(rows[best], float(distances[best]))


def work(model: Model) -> float:
    """Tell how many multiplications a search may take."""
    columns, levels = len(model.columns), sum(len(column.levels) for column in model.columns)
    answers = (columns + HALVINGS) * (GRID + STEPS)
    return float(answers) * (1 + min(levels, MOST_OTHERS)) * (model.parameters.size + columns)


def _with_other_levels(model: Model, start: Row, stays: Free) -> Iterator[Row]:
    """Give a row, and it with each other level of one of its categories, but not of too many."""
    yield start
    others = [
        (index, level)
        for index, column in enumerate(model.columns)
        for level in range(len(column.levels))
        if not stays[index] and level != start[index]
    ]
    for index, level in others[:MOST_OTHERS]:
        changed = start.copy()
        changed[index] = level
        yield changed


def _distances(model: Model, row: Row, rows: Cells) -> PerRow:
    """Measure how far rows are from one."""
    are_levels = np.array([bool(column.levels) for column in model.columns])
    off = np.nan_to_num((rows - row) / model.neighbours.scale)
    off[:, are_levels] = (rows != row)[:, are_levels]
    distances: PerRow = np.sqrt((off**2).sum(axis=1)) / model.neighbours.near
    return distances


@dataclass(frozen=True)
class _Search:
    """One search: what was asked about, where it begins, and what may not change."""

    model: Model
    asked: Row
    start: Row
    wish: Wish
    stays: Free
    go_on: GoOn

    @cached_property
    def numbers(self) -> Free:
        """Which columns may change on the way."""
        numbers: Free = ~self.stays & np.array([not column.levels for column in self.model.columns])
        return numbers

    @property
    def ends(self) -> tuple[Row, Row]:
        """Where the trained ranges begin and end."""
        return self.model.encoder.lowest, self.model.encoder.highest

    def found(self) -> Cells:
        """Give rows that are answered as is wanted."""
        start = self.start[np.newaxis]
        if self.is_there(self.gap(start))[0]:
            return start
        neighbours: Cells = np.where(self.numbers, self.model.neighbours.rows, self.start)
        blocks = chain((neighbours, self.down_the_slope()), self.along_columns())
        ends = [self.beyond(block) for block in blocks]
        return self.crossings(self.beyond(np.concatenate(ends)))

    def gap(self, rows: Cells) -> PerRow:
        """Tell what answers lack to what is wanted: 0 or more where they have it, or have passed it."""
        scores = self.model.scores(rows, self.go_on)
        if self.wish.value is not None:
            return scores[:, self.wish.place] - self.wish.value
        others = np.delete(scores, self.wish.place, axis=1)
        gaps: PerRow = scores[:, self.wish.place] - np.nextafter(others.max(axis=1), np.inf)
        return gaps

    def is_there(self, gaps: PerRow) -> Free:
        """Tell which gaps are none."""
        if self.wish.value is None:
            return gaps >= 0
        scale = 1.0 if self.model.target is None else float(self.model.target.scale[self.wish.place])
        return np.abs(gaps) <= CLOSE * scale

    def along_columns(self) -> Iterator[Cells]:
        """Change one number at a time, to places between its ends; some columns after others."""
        (lowest, highest), columns = self.ends, np.flatnonzero(self.numbers)
        at_once = max(1, CELLS_AT_ONCE // (GRID * len(self.start)))
        for first in range(0, len(columns), at_once):
            some = columns[first : first + at_once]
            changed = np.tile(self.start, (GRID * len(some), 1))
            places = np.linspace(lowest[some], highest[some], GRID)
            changed[np.arange(len(changed)), np.tile(some, GRID)] = places.reshape(-1)
            yield changed

    def down_the_slope(self) -> Cells:
        """Go to the nearest point of the plane that touches the answers, again and again (Hasofer, Lind 1974)."""
        visited = [self.start]
        unit = np.where(self.numbers, self.model.neighbours.scale, 0.0)
        for _ in range(STEPS):
            here = visited[-1]
            self.go_on()
            slope = self._slope(here) * unit
            size = float(slope @ slope)
            if not 0.0 < size < np.inf:
                break
            gap = float(self.gap(here[np.newaxis])[0])
            moved = np.divide(here - self.start, unit, out=np.zeros_like(here), where=unit > 0)
            there = self.start + unit * slope * ((float(slope @ np.nan_to_num(moved)) - gap) / size)
            there = np.where(self.numbers, np.clip(there, *self.ends), self.start)
            if np.array_equal(there, here, equal_nan=True):
                break
            visited.append(there)
        return np.array(visited)

    def _slope(self, here: Row) -> Row:
        """Compute finite differences by each column of numbers, to the inside where it is at an end."""
        slope: Row = np.zeros_like(here)
        lowest, highest = self.ends
        step = SLOPE * (highest - lowest)
        step = np.where(here + step > highest, -step, step)
        numbers, at_once = np.flatnonzero(self.numbers), max(1, CELLS_AT_ONCE // len(here))
        for columns in (numbers[first : first + at_once] for first in range(0, len(numbers), at_once)):
            moved = np.tile(here, (len(columns), 1))
            moved[np.arange(len(columns)), columns] += step[columns]
            rise = self.gap(moved) - self.gap(here[np.newaxis])
            slope[columns] = np.divide(rise, step[columns], out=np.zeros(len(columns)), where=step[columns] != 0)
        return slope

    def beyond(self, ends: Cells) -> SomeCells:
        """Keep the nearest of the rows that have what is wanted, or lie on the other side of it than the start."""
        if not len(ends):
            return ends
        gaps, first = self.gap(ends), float(self.gap(self.start[np.newaxis])[0])
        there = self.is_there(gaps)
        reached = there | (gaps >= 0) if first < 0 else there | (gaps <= 0)
        if self.wish.value is None:
            reached = there
        ends = ends[reached]
        return ends[np.argsort(_distances(self.model, self.asked, ends), kind="stable")[:GRID]]

    def crossings(self, ends: Cells) -> SomeCells:
        """Halve the ways from the start to rows until these are as wanted and no farther than they must be."""
        begins = np.tile(self.start, (len(ends), 1))
        sides = np.where(self.gap(ends) >= 0, 1.0, -1.0)
        below, above = np.zeros(len(ends)), np.ones(len(ends))
        for _ in range(HALVINGS):
            middles = (below + above) / 2
            is_beyond = sides * self.gap(_between(begins, ends, middles)) >= 0
            above, below = np.where(is_beyond, middles, above), np.where(is_beyond, below, middles)
        rows = _between(begins, ends, above)
        there: Cells = rows[self.is_there(self.gap(rows))]
        return there


def _between(begins: Cells, ends: Cells, shares: PerRow) -> Cells:
    moved = begins + shares[:, np.newaxis] * (ends - begins)
    return np.where(begins == ends, begins, moved)  # an end to the last bit; what is missing stays so
