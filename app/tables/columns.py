"""Columns: whether cells are numbers or categories, and what the engine makes of each."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from app.engine.arrays import Row
from app.engine.table import UNSEEN, Column
from app.errors import BadTable, Fault
from app.tables.cells import FINITE, NUMBER, Faults, as_number, number_column

LONGEST_LEVEL = 128
MOST_LEVELS = 10_000
LONGEST_LEVELS = 8 * 2**20  # characters of all levels of all columns: they are kept in the model
KINDS: dict[type, str] = {int: NUMBER, float: NUMBER, str: "text", bool: "true or false"}
PRESENT = "a value: none was missing in this column when the model was trained"


def learnt_column(cells: Sequence[object], name: str, faults: Faults) -> tuple[Column, Row]:
    """Tell what a column to learn from is by its first cell that is not null, and read it; null is missing."""
    kinds = set(map(type, cells)) - {type(None)}
    if kinds <= {int, float}:
        return Column(name), _numbers(cells, name, faults)
    first = next(cell for cell in cells if cell is not None)
    if isinstance(first, bool):
        column = Column(name, (False, True))
    elif isinstance(first, str):
        column = Column(name, tuple(sorted({cell for cell in cells if isinstance(cell, str)})))
        _require_few(column)
    else:
        column = Column(name)
    return column, answered_column(cells, column, faults, missing=True)


def answered_column(cells: Sequence[object], column: Column, faults: Faults, *, missing: bool) -> Row:
    """Read a column as the model knows it, shape (rows,): numbers, or positions of levels; null only where it may be.

    What does not fit goes to `faults`, except for a text that is no level: that is UNSEEN.
    """
    if not column.levels:
        return _numbers(cells, column.name, faults, missing=missing)
    kind = type(column.levels[0])
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if type(cell) is kind and isinstance(cell, str | bool):
            values[row] = column.positions.get(cell, UNSEEN)
            if isinstance(cell, str) and len(cell) > LONGEST_LEVEL:
                faults.add_cell(cell, f"text of at most {LONGEST_LEVEL} characters", row=row, column=column.name)
        elif cell is not None or not missing:
            faults.add_cell(cell, PRESENT if cell is None else KINDS[kind], row=row, column=column.name)
    return values


def require_short(columns: Sequence[Column]) -> None:
    """Raise BadTable if the categories' texts are longer, all together, than a model should be."""
    lengths = {column.name: sum(map(len, map(str, column.levels))) for column in columns}
    if sum(lengths.values()) > LONGEST_LEVELS:
        longest = max(lengths, key=lambda name: lengths[name])
        message = f"The texts of all categories have more than {LONGEST_LEVELS} characters. Leave column {longest} out."
        raise BadTable(message, [Fault("shorter or fewer texts", column=longest)])


def _numbers(cells: Sequence[object], name: str, faults: Faults, *, missing: bool = True) -> Row:
    if None not in cells:
        return number_column(cells, name, faults)
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        number = as_number(cell)
        if number is not None:
            values[row] = number
        elif cell is not None:
            faults.add_cell(cell, FINITE if type(cell) in {int, float} else NUMBER, row=row, column=name)
        elif not missing:
            faults.add_cell(cell, PRESENT, row=row, column=name)
    return values


def _require_few(column: Column) -> None:
    if len(column.levels) > MOST_LEVELS:
        message = (
            f"Column {column.name} has {len(column.levels)} different texts; a category has at most {MOST_LEVELS}. "
            "Leave the column out, or send what its texts have in common."
        )
        examples = ", ".join(str(level) for level in islice(column.levels, 2))
        raise BadTable(message, [Fault("fewer categories", got=examples, column=column.name)])
