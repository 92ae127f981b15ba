"""Bounds: how much a table may hold, and how deep JSON may go, whatever the format and the route."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.errors import BadTable, InvalidRequest, TableTooLarge
from app.faults import Fault
from app.tables.cells import Faults, describe
from app.tables.table import LONGEST_CELL, MOST_COLUMNS

TABLES = ("rows", "X", "y", "weights")
DEEPEST = 100


@dataclass(frozen=True)
class Bounds:
    """The most that is read of one body."""

    cells: int = 2**31
    """Rows times columns."""
    rows: int = 10**9
    columns: int = 2 * MOST_COLUMNS
    """The target and the like among them."""
    cell_bytes: int = LONGEST_CELL
    """Of one text."""
    depth: int = DEEPEST
    """Of lists and objects of JSON within each other."""
    inflated: int = 2**28
    """Bytes of what is read at once in Parquet or Arrow, once it is not compressed any more."""

    def require_few(self, rows: int, columns: int) -> None:
        """Raise TableTooLarge for too many rows or cells, BadTable for too many columns."""
        if columns > self.columns:
            message = f"The table has {columns} columns, more than the {self.columns} that this service reads."
            raise BadTable(message, [Fault(f"at most {self.columns} columns", got=str(columns))])
        for many, most, of in ((rows, self.rows, "rows"), (rows * columns, self.cells, "cells")):
            if many > most:
                raise TableTooLarge(rows, columns, most, of=of)

    def require_json(self, sent: object, body: bytes) -> None:
        """Raise as `require_few` for a table in JSON, BadTable for too long a text, InvalidRequest for deep nesting."""
        tables = [sent] if isinstance(sent, list) else []
        tables += [sent[name] for name in TABLES if isinstance(sent.get(name), list)] if isinstance(sent, dict) else []
        brackets = sum(isinstance(row, dict | list) for rows in tables for row in rows)
        self._require_shallow(sent, body, brackets)
        for rows in tables:
            self.require_few(len(rows), max((len(row) for row in rows if isinstance(row, dict | list)), default=1))
            if rows and _may_have_text_of(self.cell_bytes, body):
                self._require_short(rows)

    def _require_shallow(self, sent: object, body: bytes, rows: int) -> None:
        """Look at each value only if there are more brackets than those of so many rows."""
        if body.count(b"{") + body.count(b"[") - rows >= self.depth and _depth([sent], self.depth) > self.depth:
            message = f"The body has more than {self.depth} lists or objects within each other."
            raise InvalidRequest(message, [Fault(f"at most {self.depth} levels", field="body")])

    def _require_short(self, rows: Sequence[Any]) -> None:
        lists = (row for row in rows if isinstance(row, list))
        if isinstance(rows[0], list) and str not in set(map(type, chain.from_iterable(lists))):
            return
        faults = Faults()
        for index, row in enumerate(rows):
            for name, cell in _cells_of(row):
                if isinstance(cell, str) and len(cell) * 4 > self.cell_bytes < len(cell.encode()):
                    faults.add("a shorter text", got=describe(cell), row=index, column=name)
        faults.raise_any(f"A text has more than {self.cell_bytes} bytes, the most that a cell may have.")


def _may_have_text_of(length: int, body: bytes) -> bool:
    """Tell whether so many bytes may stand between two quotes: a whole half of them would be without one."""
    half = max(1, length // 2)
    return any(body.find(b'"', start, start + half) < 0 for start in range(0, len(body) - half, half))


def _cells_of(row: object) -> Iterable[tuple[str | None, object]]:
    if isinstance(row, dict):
        return row.items()
    return ((None, cell) for cell in (row if isinstance(row, list) else (row,)))


def _depth(values: Sequence[Any], most: int) -> int:
    """Count levels of lists and objects, until there are more than so many."""
    depth = 0
    while depth <= most:
        inner = [value for value in values if isinstance(value, list | dict)]
        if not inner:
            break
        depth += 1
        values = [part for value in inner for part in (value.values() if isinstance(value, dict) else value)]
    return depth
