"""Plain rows: JSON that is just as a model has its columns, read in a fraction of the time that any other takes."""

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np

from app.engine.arrays import Cells
from app.models.model import Model
from app.tables.arrow import pa
from app.tables.cells import LARGEST_NUMBER
from app.tables.columns import NUMBERS, sources_of
from app.tables.texts import Arrow

PLAIN = {*NUMBERS, "category", "boolean"}  # kinds of which each cell is one value
PlainRow: TypeAlias = Sequence[float]
"""What the engine takes of a row, column by column."""
Types: TypeAlias = set[type]
NUMERIC: Types = {int, float}
LIST: Types = {list}
RECORD: Types = {dict}


class PlainRows:
    """Reads rows for one model where nothing is missing, unknown or out of place; for all others it gives None."""

    def __init__(self, model: Model) -> None:
        sources = sources_of(model)
        names = [source.name for source in sources]
        self.width = len(names)
        self.is_plain = all(source.kind in PLAIN for source in sources)
        self.all_numbers = all(source.kind in NUMBERS for source in sources)
        self.known = [  # a category of which training had not one level knows none
            None if source.kind in NUMBERS else column.positions
            for source, column in zip(sources, model.columns, strict=False)
        ]
        values = itemgetter(*names)
        self.values = values if self.width > 1 else lambda record: (values(record),)

    def takes(self, X: Cells) -> bool:
        """Tell whether these are the cells that the model takes, all being numbers."""
        return self.all_numbers and X.shape[1] == self.width

    def columns(self, columns: Sequence[Any]) -> Cells | None:
        """Read columns of pyarrow in the model's order, shape (rows, columns)."""
        if not self.all_numbers or any(isinstance(column, list) or not _is_whole(column) for column in columns):
            return None
        cells: Cells = np.stack([column.to_numpy() for column in columns], axis=1, dtype=np.float64)
        return cells if cells.size and max(cells.max(), -cells.min()) <= LARGEST_NUMBER else None

    def alone(self, rows: Sequence[Any]) -> Sequence[Any] | dict[str, Any] | None:
        """Give the row that is all there is: the only one, or a bare list of its values."""
        if isinstance(rows[0], list | dict):
            return rows[0] if len(rows) == 1 else None
        return rows if self.width > 1 else None

    def row(self, row: Sequence[Any] | dict[str, Any]) -> PlainRow | None:
        """Read one row, a list in the model's order or an object, as what the engine takes."""
        if len(row) != self.width or not self.is_plain:
            return None
        try:
            cells: Sequence[Any] = self.values(row) if isinstance(row, dict) else row
            if not self.all_numbers:
                cells = [
                    cell if known is None else known[cell] if type(cell) in {str, bool} else None
                    for cell, known in zip(cells, self.known, strict=True)
                ]
        except KeyError:
            return None
        return cells if set(map(type, cells)) <= NUMERIC and max(map(abs, cells)) <= LARGEST_NUMBER else None

    def rows(self, rows: Sequence[Any]) -> Cells | None:
        """Read rows of numbers, all of them lists or all of them objects, shape (rows, columns)."""
        types = set(map(type, rows))
        if not self.all_numbers or types not in (LIST, RECORD) or set(map(len, rows)) != {self.width}:
            return None
        try:
            values = [*chain.from_iterable(rows if types == LIST else map(self.values, rows))]
            if not set(map(type, values)) <= NUMERIC:
                return None
            cells = np.array(values, dtype=np.float64).reshape(len(rows), self.width)
        except (KeyError, OverflowError):
            return None
        return cells if max(cells.max(), -cells.min()) <= LARGEST_NUMBER else None


def _is_whole(column: Arrow) -> bool:
    """Tell whether a column of pyarrow is of numbers, and misses none."""
    return not column.null_count and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type))
