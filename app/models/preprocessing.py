"""Preprocessing: the user's columns on the outside, numbers of about one on the inside, and back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le

from app.engine.arrays import Cells, Features, Index, Row, Targets, Units, Vector
from app.engine.choices import STRICT, OneOf
from app.models.table import Column, Label

PAIR = 2  # levels that one input tells apart
EMBEDDING_WIDTH = 8
NEGLIGIBLE = 1e-9  # a middle half this small beside the range would blow the rest of a column up


def _maximum(columns: Cells) -> tuple[Row, Row]:
    return np.zeros(columns.shape[1]), np.abs(columns).max(axis=0)


def _standard(columns: Cells) -> tuple[Row, Row]:
    """Mean and standard deviation, the latter from errors near 1 so that no square under- or overflows."""
    center = columns.mean(axis=0)
    largest = np.abs(columns - center).max(axis=0)
    size = np.where(largest > 0, largest, 1.0)
    deviation = size * np.sqrt(np.mean(((columns - center) / size) ** 2, axis=0))
    return center, np.where(np.ptp(columns, axis=0) > 0, deviation, 0.0)  # the mean of equal values may be rounded


def _minmax(columns: Cells) -> tuple[Row, Row]:
    return columns.min(axis=0), np.ptp(columns, axis=0)


def _robust(columns: Cells) -> tuple[Row, Row]:
    """Median and interquartile range; the full range where the middle half of a column is as good as one value."""
    low, middle, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
    whole = np.ptp(columns, axis=0)
    return middle, np.where(high - low > NEGLIGIBLE * whole, high - low, whole)


SCALERS: dict[str, Callable[[Cells], tuple[Row, Row]]] = {
    # name -> (center, scale) of each column
    "maximum": _maximum,  # the tutorial's
    "standard": _standard,
    "minmax": _minmax,
    "robust": _robust,
}


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How columns are put into numbers on the way in, and answers un-scaled on the way out, as the user sets it."""

    __pydantic_config__ = STRICT

    features: Annotated[str, OneOf(SCALERS)] | None = None
    """How columns of numbers are scaled: by their largest size, to mean 0 and deviation 1, to 0…1, or by median and
    quartiles; chosen with the optimizer where it is not given."""
    clip: Annotated[float, Gt(0), Le(1e100)] | None = None
    """What scaled features x approach where they are extreme: x / √(1 + (x / clip)²). Where it is not given, 3 if the
    scaling of features was chosen too, else none."""
    bins: Annotated[int, Ge(2), Le(256)] | None = None
    """Bins of equally many rows that each column of numbers is also cut into: one input a bin, which runs from -1 to 1
    over it (Gorishniy, Rubachev, Babenko 2022). Chosen with the scaling of features; else none."""
    one_hot: Annotated[int, Ge(0), Le(1000)] = 20
    """Categories of up to so many levels are one input a level; those with more are learnt embeddings."""
    target: Annotated[str, OneOf(SCALERS)] | None = None
    """How numbers to be predicted are scaled; chosen where it is not given: standard, or minmax where the output
    activation is bounded."""
    target_maximum: Annotated[float, Gt(0), Le(1e100)] | None = None
    """The largest value the target can take (100 for a score out of 100): the target is divided by it."""


@dataclass(frozen=True)
class Scaler:
    """(x - center) / scale, column by column."""

    center: Row
    scale: Row

    @classmethod
    def fit(cls, scaler: str, columns: Cells) -> "Scaler":
        """Measure the columns, shape (rows, columns); a column that does not vary keeps its own scale."""
        center, scale = SCALERS[scaler](columns)
        return cls(center, np.where(scale > 0, scale, 1.0))

    def scale_in(self, columns: Cells) -> Cells:
        """Go from the user's units to the network's."""
        return (columns - self.center) / self.scale

    def scale_out(self, columns: Units) -> Units:
        """Go from the network's units to the user's, for all members at once."""
        return columns * self.scale + self.center


@dataclass(frozen=True)
class Encoder:
    """From columns to the network's inputs.

    In this order: each column of numbers, scaled; its bins; for each column that had missing values in training, 1 or 0
    whether one is missing here (its number is then `fill`, the median); each category of two levels as -1 or 1; one
    input for each level of a larger category; and for those above `one_hot` levels, a code. A level that was not there
    in training is no level: 0 everywhere.
    """

    columns: tuple[Column, ...]
    scaler: Scaler
    fill: Row
    missing: Row
    """1 where a column had missing values in training, else 0."""
    lowest: Row
    highest: Row
    edges: Cells
    """Where each column's bins begin and end, shape (edges, columns), some of them twice; no rows without bins."""
    clip: float | None
    one_hot: int

    @classmethod
    def fit(cls, columns: tuple[Column, ...], cells: Cells, scaling: Scaling, known: Index | None = None) -> "Encoder":
        """Measure the columns of a table, shape (samples, columns), by its known rows, or by all.

        Of the others it is taken into account only which columns have missing values, so that they can be answered.
        """
        absent: npt.NDArray[np.bool_] = np.asarray(np.isnan(cells).any(axis=0))
        X = cells if known is None else cells[known]
        missing = np.isnan(X)
        fill: Row = np.zeros(X.shape[1])
        for column in np.flatnonzero(absent & ~missing.all(axis=0)):
            fill[column] = np.nanmedian(X[:, column])
        filled = np.where(missing, fill, X)
        scaler = Scaler.fit(str(scaling.features), filled)
        lowest, highest = filled.min(axis=0), filled.max(axis=0)
        edges: Cells = filled[:0]
        if scaling.bins:
            edges = np.stack([_edges(values, scaling.bins) for values in filled.T], axis=1)
        return cls(
            columns, scaler, fill, absent.astype(np.float64), lowest, highest, edges, scaling.clip, scaling.one_hot
        )

    @cached_property
    def numbers(self) -> list[int]:
        """Positions of the columns of numbers."""
        return [index for index, column in enumerate(self.columns) if not column.levels]

    @cached_property
    def bins(self) -> tuple[list[int], Vector, Vector]:
        """Column, beginning and width of each bin; columns with one bin at most, and bins of no width, have none."""
        widths = np.diff(self.edges, axis=0)
        several = [column for column in self.numbers if (widths[:, column] > 0).sum() > 1]
        found = [(column, bin_) for column in several for bin_ in np.flatnonzero(widths[:, column] > 0)]
        columns, positions = [column for column, _ in found], [bin_ for _, bin_ in found]
        return columns, self.edges[positions, columns], widths[positions, columns]

    @cached_property
    def categories(self) -> list[tuple[int, int]]:
        """Positions and numbers of levels of the categories that become inputs of their own."""
        sizes = [(index, len(column.levels)) for index, column in enumerate(self.columns) if column.levels]
        return sorted((size for size in sizes if size[1] <= max(self.one_hot, PAIR)), key=lambda size: size[1] > PAIR)

    @cached_property
    def coded(self) -> list[tuple[int, int]]:
        """Positions and numbers of codes of the categories that are embedded; code 0 is no level."""
        many = max(self.one_hot, PAIR)
        return [
            (index, len(column.levels) + 1) for index, column in enumerate(self.columns) if len(column.levels) > many
        ]

    @property
    def embeddings(self) -> tuple[tuple[int, int], ...]:
        """(codes, width) of each embedding."""
        return tuple((codes, EMBEDDING_WIDTH) for _, codes in self.coded)

    @cached_property
    def may_miss(self) -> bool:
        """Whether a value was missing anywhere in training."""
        return bool(self.missing.any())

    @cached_property
    def only_numbers(self) -> bool:
        """Whether `scaled` is all there is to encode."""
        return len(self.numbers) == len(self.columns) and not self.may_miss

    @cached_property
    def dense(self) -> int:
        """How many inputs are no codes."""
        inputs = sum(1 if levels == PAIR else levels for _, levels in self.categories)
        return len(self.numbers) + len(self.bins[0]) + int(self.missing.sum()) + inputs

    def encode(self, X: Cells) -> Features:
        """Turn rows, shape (samples, columns), into features, shape (samples, dense + codes)."""
        absent = np.isnan(X)
        filled = np.where(absent, self.fill, X) if absent.any() else X
        parts = [self.scaled(filled)]
        if self.may_miss:
            parts.append(absent[:, self.missing > 0])
        for index, levels in self.categories:
            code = X[:, [index]]
            parts.append((code == 1) * 1.0 - (code == 0) if levels == PAIR else code == np.arange(levels))
        parts += [np.where(absent[:, [index]], 0.0, X[:, [index]] + 1.0) for index, _ in self.coded]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1, dtype=np.float64)

    def scaled(self, filled: Cells) -> Features:
        """Scale the numbers of rows that miss none, and cut them into their bins where there are some."""
        numbers, (columns, beginnings, widths) = self.numbers, self.bins
        scaled = self.scaler.scale_in(filled)
        if len(numbers) < len(self.columns):
            scaled = scaled[:, numbers]
        if self.clip is None and not columns:
            return scaled
        with np.errstate(over="ignore"):  # of a bin or a clip that is hardly more than 0
            if self.clip is not None:
                scaled /= np.hypot(1.0, scaled / self.clip)
            if not columns:
                return scaled
            bins = 2.0 * np.clip((filled[:, columns] - beginnings) / widths, 0.0, 1.0) - 1.0
        return np.concatenate((scaled, bins), axis=1)

    def in_range(self, X: Cells) -> npt.NDArray[np.bool_]:
        """Tell for each row whether every column lies within what was trained on."""
        known = (self.lowest <= X) & (self.highest >= X)
        if self.may_miss:
            known |= np.isnan(X) & (self.missing > 0)
        return np.asarray(known.all(axis=1))


def _edges(values: Vector, bins: int) -> Vector:
    """Cut a column into bins of equally many rows; where some would have no width, also by its distinct values."""
    shares = np.linspace(0.0, 1.0, bins + 1)
    edges = np.quantile(values, shares)
    distinct = edges if np.diff(edges).all() else np.quantile(np.unique(values), shares)
    return np.sort(np.concatenate((edges, distinct)))


def places(answers: Sequence[Label], labels: Sequence[Label]) -> Index:
    """Tell where among the labels each answer stands."""
    position = {label: index for index, label in enumerate(labels)}
    return np.fromiter((position[answer] for answer in answers), dtype=np.intp, count=len(answers))


def encode_labels(answers: Sequence[Label], labels: Sequence[Label], *, one_column: bool) -> Targets:
    """Turn class labels into numbers: 0 and 1 in one column, or one column a label with a 1 in its own."""
    if one_column:
        return places(answers, labels)[:, np.newaxis].astype(np.float64)
    return np.eye(len(labels))[places(answers, labels)]
