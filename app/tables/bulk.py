"""Bulk: tables of any length, answered some rows at a time once all of them are known to be answerable."""

import numpy as np

from app.engine.arrays import Cells
from app.errors import BadTable
from app.models.model import Model
from app.tables.answering import UNFIT, read_cells
from app.tables.bounds import Bounds
from app.tables.cells import Faults, rows_after
from app.tables.csv_faults import require_short_cells
from app.tables.sent import Sent

CELLS_AT_ONCE = 2**18
LEAST_ROWS = 100  # also of the widest table: every column costs some time of its own


class Check:
    """What is found when a table is read for the first time: how many rows it has, and all that is wrong with them."""

    def __init__(self, model: Model, bounds: Bounds) -> None:
        self.model, self.bounds = model, bounds
        self.rows = 0
        self._unfit, self._overflown, self._message = Faults(), Faults(), ""

    def add(self, sent: Sent) -> None:
        """Check the next rows.

        Raises BadTable at once where the columns are not the model's, TableTooLarge for too many cells all together.
        """
        table = sent.table
        if table is not None:
            self.bounds.require_few(self.rows + table.rows, len(table.columns))
            with rows_after(self.rows):
                require_short_cells(table.cells, table.columns, self.bounds.cell_bytes)
        self._unfit.before = self._overflown.before = self.rows
        X = read_cells(sent, self.model, self._unfit)
        if not self._unfit.total:
            self._add_overflown(X)
        self.rows += len(X)

    def _add_overflown(self, X: Cells) -> None:
        """Note rows whose answers overflow, by answering those that lie outside the trained ranges.

        Within them, arithmetic that was finite in training would have to overflow between its values.
        """
        outside = np.flatnonzero(~self.model.encoder.in_range(X))
        try:
            self.model.scores(X[outside])
        except BadTable as error:
            self._message = str(error)
            for fault in error.faults:
                self._overflown.add(fault.expected, row=int(outside[fault.row or 0]))
            self._overflown.total += error.total - len(error.faults)

    def raise_any(self) -> None:
        """Raise BadTable if some cells do not fit, or else if some answers overflow."""
        self._unfit.raise_any(UNFIT)
        self._overflown.raise_any(self._message)


def rows_at_once(model: Model) -> int:
    """Tell how many rows to read at a time, so that neither they nor their answers take much memory."""
    width = len(model.columns) + len(model.labels) + len(model.targets)
    return max(LEAST_ROWS, CELLS_AT_ONCE // width)
