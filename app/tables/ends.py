"""Ends: the lowest and the highest value of each column and target, and a warning where they say that there is one."""

from collections.abc import Iterator

import numpy as np

from app.engine.arrays import Vector
from app.models.table import UNSEEN, TrainingRows


class Ends:
    """The ends of all rows that were shown, some at a time."""

    def __init__(self, rows: TrainingRows) -> None:
        kinds = {name: source.kind for source in rows.sources for name in source.columns}
        self.categories = [kinds.get(column.name) == "category" for column in rows.columns]
        self.columns, self.targets = [column.name for column in rows.columns], rows.targets
        self.lowest, self.highest = _each(np.fmin, rows), _each(np.fmax, rows)

    def add(self, rows: TrainingRows) -> None:
        """Show more rows."""
        self.lowest = np.fmin(self.lowest, _each(np.fmin, rows))
        self.highest = np.fmax(self.highest, _each(np.fmax, rows))

    def warnings(self) -> Iterator[str]:
        """Name the columns and targets that have one value only, or none."""
        width = len(self.columns)
        is_one = self.lowest == self.highest
        is_one[:width] &= ~(np.array(self.categories) & (self.lowest[:width] == UNSEEN))  # which may be several
        for name, lowest, one in zip(self.columns, self.lowest[:width], is_one[:width], strict=True):
            if np.isnan(lowest):
                yield f"Column {name} is missing in all rows: nothing can be learnt from it."
            elif one:
                yield f"Column {name} has one value only: nothing can be learnt from it."
        for name in (name for name, one in zip(self.targets, is_one[width:], strict=True) if one):
            yield f"Target {name} has one value only: the answer will be about that value."


def _each(end: np.ufunc, rows: TrainingRows) -> Vector:
    """Reduce columns and targets to one end each, shape (columns + targets,); NaN where no row has a number."""
    y = np.empty((0, len(rows.targets))) if isinstance(rows.y, tuple) else rows.y
    ends: Vector = np.concatenate([end.reduce(values, initial=np.nan) for values in (rows.X, y)])
    return ends
