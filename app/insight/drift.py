"""Drift: how far recent rows are, in the mean, from those that were learnt from."""

from typing import NamedTuple

import numpy as np

from app.engine.arrays import Cells, Row
from app.models.model import Model

RECENT = 1000  # rows; of more than these, older ones count less
FEWEST = 100  # rows whose mean says something


class Moved(NamedTuple):
    """How far some rows are from the center of those that were learnt from, added up column by column."""

    rows: int
    total: Row


class Drift:
    """The mean of each column of numbers, beside that of a sample of the rows that a model learnt from."""

    def __init__(self, model: Model) -> None:
        learnt = model.neighbours.rows
        self.columns, self.numbers = model.columns, model.encoder.numbers
        self.center: Row = learnt.mean(axis=0)
        self.deviation: Row = learnt.std(axis=0)
        self.rows = 0.0
        self.total: Row = np.zeros_like(self.center)

    def measure(self, X: Cells) -> Moved:
        """Measure rows, shape (samples, columns); a value that is missing is taken for the mean."""
        moved = X - self.center
        moved[np.isnan(moved)] = 0.0
        return Moved(len(X), moved.sum(axis=0))

    def merge(self, moved: Moved) -> None:
        """Add rows; of more than are recent, the older ones count half."""
        self.total += moved.total
        self.rows += moved.rows
        if self.rows > RECENT:
            self.total *= RECENT / 2 / self.rows
            self.rows = RECENT / 2

    def farthest(self, most: int) -> list[tuple[str, float]]:
        """Name the columns whose mean is farthest off, and how far, in deviations of the rows that were learnt from.

        None of them is where there are too few rows to say so, or where these do not vary.
        """
        if self.rows < FEWEST:
            return []
        drifts = [
            (self.columns[place].name, float(self.total[place] / self.rows / self.deviation[place]))
            for place in self.numbers
            if self.deviation[place] > 0
        ]
        return sorted(drifts, key=lambda drift: -abs(drift[1]))[:most]
