"""Kinds of columns: number, boolean, category and date; how each is recognised, and how its cells are read."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from app.models.table import UNSEEN, Column
from app.tables.arrow import pa, pc
from app.tables.cells import FINITE, LARGEST_NUMBER, NUMBER
from app.tables.raw import RawColumn
from app.tables.texts import Arrow, Read, as_numpy, booleans, dates, mask, numbers

LONGEST_LEVEL = 128
ENOUGH = 0.5  # share of a column's texts that are numbers, or dates, for the others to be slips
WITH_ZERO = re.compile(r"-?(0|[1-9][0-9]*)\.0")
SHORT = f"text of at most {LONGEST_LEVEL} characters"


@dataclass(frozen=True)
class Kind:
    """One kind of column: what its cells are called, what they are in JSON, and how to read them."""

    expected: str
    types: tuple[type, ...]
    read: Callable[[Arrow, Column], Read]


def _numbers(cells: Arrow, _column: Column) -> Read:
    found = numbers(cells) if pa.types.is_string(cells.type) else _of_type(cells, pa.types.is_floating)
    return Read(found.values, found.readable & (np.abs(found.values) <= LARGEST_NUMBER))


def _booleans(cells: Arrow, _column: Column) -> Read:
    return booleans(cells) if pa.types.is_string(cells.type) else _of_type(cells, pa.types.is_boolean)


def _dates(cells: Arrow, _column: Column) -> Read:
    if pa.types.is_timestamp(cells.type):
        return Read(cells, mask(pc.is_valid(cells)))
    return dates(cells if pa.types.is_string(cells.type) else pa.nulls(len(cells), pa.string()))


def _levels(cells: Arrow, column: Column) -> Read:
    """Read categories as positions of their levels; a text that is none of them is UNSEEN."""
    coded = cells.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    places = np.array([*(_place(text, column) for text in texts), np.nan])
    short = np.array([*(len(text) <= LONGEST_LEVEL for text in texts), False])
    codes = as_numpy(pc.fill_null(coded.indices, len(texts))).astype(np.intp)
    return Read(places[codes], short[codes])


def _place(text: str, column: Column) -> float:
    """Find a text among the levels, as it is written or, if it is a number, as numbers are: 1.0 is 1."""
    if text in column.positions or not WITH_ZERO.fullmatch(text):
        return column.positions.get(text, UNSEEN)
    return column.positions.get(text[:-2], UNSEEN)


def _of_type(cells: Arrow, right: Callable[[Arrow], bool]) -> Read:
    if right(cells.type):
        return Read(as_numpy(cells), mask(pc.is_valid(cells)))
    return Read(np.full(len(cells), np.nan), np.zeros(len(cells), dtype=np.bool_))


KINDS: dict[str, Kind] = {
    "number": Kind(NUMBER, (int, float), _numbers),
    "integer": Kind(NUMBER, (int, float), _numbers),
    "boolean": Kind("true or false", (bool,), _booleans),
    "category": Kind("text", (str,), _levels),
    "date": Kind("a date such as 2024-12-31", (str,), _dates),
}


SPELLED = ("number", "date", "boolean")  # what texts can say
TYPED = ("number", "boolean", "category")  # what a JSON type alone can tell


def kind_of(raw: RawColumn) -> str:
    """Tell what a column is: as its type says, or its texts.

    Texts are numbers, or dates, if half of them at least can be read as such, for the others are slips then; they are
    true and false only if all are. In a typed column texts are texts, and the most frequent type is the column's.
    """
    if raw.numbers is not None:
        return "number"
    if raw.typed:
        return _most_frequent_type(raw)
    cells = raw.array
    for right, kind in ((pa.types.is_boolean, "boolean"), (pa.types.is_timestamp, "date")):
        if right(cells.type):
            return kind
    if not pa.types.is_string(cells.type):
        return "number"
    nameless = Column(raw.name)
    readable = {kind: int(KINDS[kind].read(cells, nameless).readable.sum()) for kind in SPELLED}
    return kind_of_texts(readable, len(cells) - cells.null_count)


def kind_of_texts(readable: Mapping[str, int], there: int) -> str:
    """Tell what so many texts are, of which so many can be read as each of SPELLED."""
    if readable["boolean"] == there > 0:
        return "boolean"
    return next((kind for kind in ("number", "date") if readable[kind] >= ENOUGH * there), "category")


def _most_frequent_type(raw: RawColumn) -> str:
    """Of several that are equally frequent, the first."""
    kinds = {kind_type: name for name, kind in KINDS.items() for kind_type in kind.types if name in TYPED}
    counts = Counter(kinds[type(cell)] for cell in raw.original if type(cell) in kinds)
    return counts.most_common(1)[0][0] if counts else "number"


def expected_of(kind: Kind, cell: object) -> str:
    """Say what belongs where a cell is not of its column's kind."""
    if kind.read is _numbers and type(cell) in {int, float}:
        return FINITE
    return SHORT if kind.read is _levels and isinstance(cell, str) else kind.expected
