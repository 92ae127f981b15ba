"""A table as it was sent: named columns of cells, from records or from arrays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import BadTable
from app.faults import MOST_FAULTS, Fault
from app.tables.cells import Faults, closest, count, describe, names
from app.tables.raw import RawColumn

LONGEST_NAME = 128
MOST_COLUMNS = 10_000
LONGEST_CELL = 2**16
MOST_GUESSES = 5  # faults that are told what was probably meant


@dataclass(frozen=True)
class Table:
    """Cells by column: `cells[i]` belongs to `columns[i]`; all columns are equally long lists, or arrays of pyarrow.

    Where it is `typed`, JSON values are taken at their type, and text is never read as a number.
    """

    columns: tuple[str, ...]
    cells: Sequence[Any]
    typed: bool = False

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.cells[0])

    def column(self, name: str) -> RawColumn:
        """Give one column, to be read."""
        return RawColumn(name, self.cells[self.columns.index(name)], self.typed)

    def select(self, names: Sequence[str]) -> "Table":
        """Give some of the columns, in this order."""
        position = {name: index for index, name in enumerate(self.columns)}
        return replace(self, columns=tuple(names), cells=[self.cells[position[name]] for name in names])

    def without(self, dropped: Sequence[str]) -> "Table":
        """Give the table less some of its columns."""
        gone = set(dropped)
        return self.select([name for name in self.columns if name not in gone])


def from_records(
    rows: Sequence[Any],
    columns: tuple[str, ...] | None = None,
    *,
    ignore_extra: bool = False,
    given: str = "the model was trained on",
) -> Table:
    """Read rows that are objects; the first one's keys are the columns where none are `given`.

    Raises BadTable for a row that is no object, lacks a column or has another one that is not to be ignored.
    """
    require_rows(rows)
    faults = Faults()
    message = "Some rows do not have the columns that the first has."
    if columns is not None:
        message = f"Some rows do not have the columns that {given}: {names(columns)}."
    elif isinstance(rows[0], dict):
        columns = tuple(rows[0])
        require_names(columns)
    else:
        message = 'Rows are objects, or lists with "columns", their names in order, beside them.'
        columns = ()
    known = set(columns)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            faults.add("an object with one value a column", got=describe(row), row=index)
        elif row.keys() != known:
            _compare_keys(index, row, columns, known if not ignore_extra else known | row.keys(), faults)
    faults.raise_any(message)
    return Table(columns, [[row[name] for row in rows] for name in columns])


def _compare_keys(
    index: int, row: dict[str, object], columns: tuple[str, ...], known: set[str], faults: Faults
) -> None:
    for name in columns:
        if name not in row:
            faults.add("a value for this column", got="nothing", row=index, column=name)
    for name in row:
        if name not in known:
            instead = closest(name, _absent(columns, row)) if faults.total < MOST_GUESSES else None
            faults.add("no such column", row=index, column=name, instead=instead)


def _absent(columns: tuple[str, ...], row: dict[str, object]) -> list[str]:
    """Name the columns of which one may have been meant."""
    return [name for name in columns if name not in row]


def from_arrays(rows: Sequence[Any], columns: tuple[str, ...] | None = None, *, typed: bool = False) -> Table:
    """Read rows that are lists in the order of the columns, which are called x1, x2, … where no names are given.

    One bare list of values is one row; for a single column, it is one row each. Raises BadTable for a row of another
    length.
    """
    require_rows(rows)
    if not isinstance(rows[0], list | dict):
        rows = [[value] for value in rows] if columns is not None and len(columns) == 1 else [rows]
    faults = Faults()
    width = len(columns) if columns is not None else (len(rows[0]) if isinstance(rows[0], list) else 0)
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            faults.add(f"a list of {count(width, 'value')}", got=describe(row), row=index)
        elif len(row) != width:
            faults.add(count(width, "value"), got=count(len(row), "value"), row=index)
    faults.raise_any(f"Some rows do not have {count(width, 'value')}, one for each column.")
    return Table(
        columns or tuple(f"x{index + 1}" for index in range(width)), list(map(list, zip(*rows, strict=True))), typed
    )


def require_rows(rows: Sequence[object]) -> None:
    """Raise BadTable if there is no row at all."""
    if not rows:
        message = "There are no rows. Send at least one."
        raise BadTable(message)


def require_names(columns: Sequence[str]) -> None:
    """Raise BadTable unless the columns have names that can be told apart and printed."""
    if not columns or len(columns) > MOST_COLUMNS:
        message = f"A table has 1 to {MOST_COLUMNS} columns beside the target; this one has {len(columns)}."
        raise BadTable(message)
    unfit = [name for name in columns if not name or len(name) > LONGEST_NAME or not name.isprintable()]
    if unfit:
        message = f"Column names have 1 to {LONGEST_NAME} printable characters."
        if "" in unfit:
            message += " Is it the index that pandas writes? It leaves it out with to_csv(index=False)."
        raise BadTable(message, [Fault("a printable name", column=name) for name in unfit[:MOST_FAULTS]], len(unfit))
    require_distinct(columns)


def require_distinct(columns: Sequence[str]) -> None:
    """Raise BadTable where two columns have one name, for nobody knows which is meant."""
    twice = [name for name, times in Counter(columns).items() if times > 1]
    if twice:
        message = "Some columns have the same name."
        raise BadTable(message, [Fault("a name of its own", column=name) for name in twice[:MOST_FAULTS]], len(twice))
