"""Cells: what JSON values may stand in a table, and how the others are named when they may not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from math import isfinite, isnan

from app.engine.arrays import Index
from app.errors import BadTable, InputError, NonFiniteNumber
from app.faults import MOST_FAULTS, Fault

LARGEST_NUMBER = 1e100  # beyond it, squares overflow
LONGEST_LIST = 60
LONGEST_GUESS = 40
MOST_KNOWN = 500
NUMBER = "a number"
FINITE = "a number between -1e100 and 1e100"


class Faults:
    """Collects what is wrong: the first few in full, the rest as a count.

    `before` is the number of rows that came before those of which faults are noted now.
    """

    def __init__(self) -> None:
        self.before = 0
        self.first: list[Fault] = []
        self.total = 0
        self.non_finite = 0

    def add(
        self,
        expected: str,
        *,
        got: str = "",
        row: int | None = None,
        column: str | None = None,
        instead: str | None = None,
    ) -> None:
        """Note one fault."""
        self.total += 1
        if len(self.first) < MOST_FAULTS:
            place = None if row is None else self.before + row
            self.first.append(Fault(expected, got, place, column, instead=instead))

    def add_cell(self, value: object, expected: str, *, row: int, column: str) -> None:
        """Note a cell that is not what it should be."""
        if isinstance(value, float) and not isfinite(value) and self.total <= MOST_FAULTS:
            self.non_finite += 1
        self.add(expected, got=describe(value), row=row, column=column)

    def add_cells(
        self, cell: Callable[[int], object], rows: Index, expected: Callable[[int], str], *, column: str
    ) -> None:
        """Note the cells of some rows of a column; what they are and should be is asked only as long as it is told."""
        for row in rows[: MOST_FAULTS + 1].tolist():
            self.add_cell(cell(row), expected(row), row=row, column=column)
        self.total += max(0, len(rows) - MOST_FAULTS - 1)

    def add_those(self, others: "Faults", places: Sequence[int]) -> None:
        """Note the faults of some rows, of which each is told where it stands among all."""
        for fault in others.first:
            row = None if fault.row is None else places[fault.row]
            self.add(fault.expected, got=fault.got, row=row, column=fault.column, instead=fault.instead)
        self.total += others.total - len(others.first)
        self.non_finite += others.non_finite

    def raise_any(self, message: str) -> None:
        """Raise BadTable (NonFiniteNumber if that is all that is told) with what was collected, if anything was."""
        if self.total:
            error = NonFiniteNumber if self.non_finite >= min(self.total, MOST_FAULTS + 1) else BadTable
            raise error(message, self.first, self.total)


def rows_after(before: int) -> AbstractContextManager[None]:
    """Count the rows of faults from the first of the body, of which so many came before."""
    return rows_at(before.__add__)


@contextmanager
def rows_at(place: Callable[[int], int]) -> Iterator[None]:
    """Tell in faults where rows stand in what was sent, of which only some are read."""
    try:
        yield
    except InputError as error:
        error.faults = tuple(
            fault if fault.row is None else replace(fault, row=place(fault.row)) for fault in error.faults
        )
        raise


def describe(value: object) -> str:
    """Name a JSON value in the sender's words, shortly."""
    match value:
        case None | bool():
            name = {None: "null", True: "true", False: "false"}[value]
        case str():
            name = f'text "{value[:41]}"'
        case float() if not isfinite(value):
            name = "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case int() | float():
            name = repr(value)[:24] if abs(value) <= LARGEST_NUMBER else "a number beyond 1e100"
        case list():
            name = "a list"
        case _:
            name = "an object"
    return name


def count(number: int, thing: str) -> str:
    """Say how many: `1 row`, `2 rows`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def names(values: Iterable[str]) -> str:
    """List names for a message, as many as fit in a short line."""
    listed = ", ".join(islice(values, 10)).encode()
    return listed.decode() if len(listed) <= LONGEST_LIST else listed[:LONGEST_LIST].decode(errors="ignore") + " …"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Guess which of the known names was meant."""
    return next(iter(get_close_matches(name[:LONGEST_GUESS], list(islice(known, MOST_KNOWN)), n=1)), None)
