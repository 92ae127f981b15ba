"""Scaling: the user's units on the outside, numbers of about one on the inside, and back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from annotated_types import Gt, Le

from app.engine.arrays import Matrix, Row, Targets
from app.engine.choices import STRICT, OneOf

Label: TypeAlias = str | bool | int
"""A class as the user names it."""


NEGLIGIBLE = 1e-9  # a middle half this small beside the range would blow the rest of a column up


def _maximum(columns: Matrix) -> tuple[Row, Row]:
    return np.zeros(columns.shape[1]), np.abs(columns).max(axis=0)


def _standard(columns: Matrix) -> tuple[Row, Row]:
    """Mean and standard deviation, the latter from errors near 1 so that no square under- or overflows."""
    center = columns.mean(axis=0)
    largest = np.abs(columns - center).max(axis=0)
    size = np.where(largest > 0, largest, 1.0)
    deviation = size * np.sqrt(np.mean(((columns - center) / size) ** 2, axis=0))
    return center, np.where(np.ptp(columns, axis=0) > 0, deviation, 0.0)  # the mean of equal values may be rounded


def _minmax(columns: Matrix) -> tuple[Row, Row]:
    return columns.min(axis=0), np.ptp(columns, axis=0)


def _robust(columns: Matrix) -> tuple[Row, Row]:
    """Median and interquartile range; the full range where the middle half of a column is as good as one value."""
    low, middle, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
    whole = np.ptp(columns, axis=0)
    return middle, np.where(high - low > NEGLIGIBLE * whole, high - low, whole)


SCALERS: dict[str, Callable[[Matrix], tuple[Row, Row]]] = {
    # name -> (center, scale) of each column
    "maximum": _maximum,  # the tutorial's
    "standard": _standard,
    "minmax": _minmax,
    "robust": _robust,
}


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How numbers are scaled on the way in and un-scaled on the way out, as the user sets it."""

    __pydantic_config__ = STRICT

    features: Annotated[str, OneOf(SCALERS)] = "standard"
    """How the columns are scaled: by their largest size, to mean 0 and deviation 1, to 0…1, or by median and
    quartiles."""
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
    def fit(cls, scaler: str, columns: Matrix) -> "Scaler":
        """Measure the columns, shape (rows, columns); a column that does not vary keeps its own scale."""
        center, scale = SCALERS[scaler](columns)
        return cls(center, np.where(scale > 0, scale, 1.0))

    def scale_in(self, columns: Matrix) -> Matrix:
        """Go from the user's units to the network's."""
        return (columns - self.center) / self.scale

    def scale_out(self, columns: Matrix) -> Matrix:
        """Go from the network's units to the user's."""
        return columns * self.scale + self.center


def encode_labels(answers: Sequence[Label], labels: Sequence[Label], *, one_column: bool) -> Targets:
    """Turn class labels into numbers: 0 and 1 in one column, or one column a label with a 1 in its own."""
    position = {label: index for index, label in enumerate(labels)}
    indices = np.fromiter((position[answer] for answer in answers), dtype=np.intp, count=len(answers))
    if one_column:
        return indices[:, np.newaxis].astype(np.float64)
    return np.eye(len(labels))[indices]
