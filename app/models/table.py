"""A table as the engine takes it: columns of numbers or of categories, in one matrix."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from app.engine.arrays import Cells, Index, Randomness, SampleWeights, Targets

Label: TypeAlias = str | bool | int
"""A class, or a category, as the user names it."""

UNSEEN = -1
"""What stands in a matrix for a category that a column did not have in training."""


@dataclass(frozen=True)
class Column:
    """One column: of categories, whose levels are listed, or of numbers."""

    name: str
    levels: tuple[Label, ...] = ()

    @cached_property
    def positions(self) -> dict[Label, float]:
        """Where each level stands among them."""
        return {level: float(position) for position, level in enumerate(self.levels)}


@dataclass(frozen=True)
class Source:
    """A column as people send it, and what it held in training; a date becomes several columns, a number each.

    `kind` is number, integer (numbers that were all whole), boolean, category or date.
    """

    name: str
    kind: str
    missing: float
    """Share of the rows that had no value."""
    example: Label | float | None = None
    """A value of a row that had most columns; None where all are missing."""
    lowest: float | str | None = None
    highest: float | str | None = None
    """Of numbers and dates."""
    levels: int = 0
    """How many different values a category or a boolean has,"""
    frequent: tuple[tuple[Label, int], ...] = ()
    """and the most frequent of them, each with its number of rows."""
    parts: tuple[str, ...] = ()
    """What a date is taken apart into."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it becomes."""
        return tuple(f"{self.name}.{part}" for part in self.parts) or (self.name,)


@dataclass(frozen=True)
class TrainingRows:
    """A table to learn from.

    `X` has numbers, in a column with levels the position of each row's level (or UNSEEN), and NaN where a value is
    missing. `y` has numbers (samples, targets), or one label a row; several yes-or-no targets are 0 and 1, with
    `multilabel`. `weights` says how much each row counts; all count alike where it is not given.
    """

    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    X: Cells
    y: Targets | tuple[Label, ...]
    weights: SampleWeights | None = None
    multilabel: bool = False
    sources: tuple[Source, ...] = ()
    """The columns as they were sent, where they were sent by somebody."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that is learnt: names and levels of the columns, targets, answers, cells and weights."""
        labels = self.y if isinstance(self.y, tuple) else None
        columns = [(column.name, column.levels) for column in self.columns]
        words = json.dumps([columns, self.targets, self.multilabel, labels, self.X.shape], separators=(",", ":"))
        digest = hashlib.sha256(words.encode())
        for numbers in (self.X, None if isinstance(self.y, tuple) else self.y, self.weights):
            if numbers is not None:
                whole = np.ascontiguousarray(numbers, dtype="<f8") + 0.0  # which makes -0 what it is equal to
                whole[np.isnan(whole)] = np.nan  # of which there are many
                digest.update(whole.data)
        return digest.hexdigest()

    @cached_property
    def copies(self) -> Index:
        """Give for each row the first that is a copy of it: who has learnt one knows what is true of another.

        They have the same cells and numbers for answers, and most rows with these cells have this answer: where they
        differ, a copy tells no more than they all do. Rows of classes, and of yes and no, are all different: the same
        few levels with the same answer are what new rows will be, too.
        """
        each = np.arange(len(self.X))
        if isinstance(self.y, tuple) or self.multilabel:
            return each
        whole = _numbered(np.hstack([self.X, self.y]))
        times = np.bincount(whole)[whole]
        if times.max() == 1:
            return each
        cells = _numbered(self.X)
        return np.where(2 * times > np.bincount(cells)[cells], whole, each)

    def part(self, rows: Index) -> "TrainingRows":
        """Take some of the rows."""
        y = tuple(self.y[row] for row in rows.tolist()) if isinstance(self.y, tuple) else self.y[rows]
        return replace(self, X=self.X[rows], y=y, weights=None if self.weights is None else self.weights[rows])


@runtime_checkable
class MoreRows(Protocol):
    """The rows of a table that is too long for memory, beside some that are at hand as TrainingRows."""

    @property
    def count(self) -> int:
        """How many rows there are, without those at hand."""

    def blocks(self, rng: Randomness) -> Iterator[TrainingRows]:
        """Give each of them once, many at a time, in an order that `rng` decides; columns as those at hand have."""


def _numbered(rows: Cells) -> Index:
    """Give for each row the first with the same cells."""
    cells = np.ascontiguousarray(rows + 0.0)  # so that -0 is 0
    cells[np.isnan(cells)] = np.nan  # whatever NaN it was
    whole = cells.view(f"V{cells.itemsize * cells.shape[1]}")[:, 0]
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return first[which]
