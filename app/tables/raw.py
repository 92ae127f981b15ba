"""Raw columns: cells as they came, from JSON or a file, as numbers, truths, texts, moments or nothing at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.errors import BadTable, Fault
from app.tables.texts import Arrow, Mask, clean, mask, plain

MOMENT = pa.timestamp("us")


@dataclass(frozen=True)
class RawColumn:
    """One column: a list of JSON values, or an array of pyarrow.

    Where it is `typed`, a cell is taken at its JSON type: text is no number, whatever it says.
    """

    name: str
    original: Any
    typed: bool = False

    @cached_property
    def array(self) -> Arrow:
        """The cells as float64, bool, text, moments or nothing; raise BadTable for what can be none of them."""
        if isinstance(self.original, pa.Array | pa.ChunkedArray):
            return _from_arrow(self.original, self.name)
        return from_json(self.original, json_type(map(type, self.original)))

    @cached_property
    def absent(self) -> Mask:
        """Which rows have no value."""
        if isinstance(self.original, list) and pa.types.is_string(self.array.type):
            nested = np.array([isinstance(cell, list | dict) for cell in self.original], dtype=np.bool_)
            return mask(pc.is_null(self.array)) & ~nested
        return mask(pc.is_null(self.array))

    def cell(self, row: int) -> object:
        """Give a cell as it came."""
        value = self.original[row]
        return value.as_py() if isinstance(value, pa.Scalar) else value


def json_type(types: Iterable[type]) -> pa.DataType:
    """Tell what JSON values become; where they are of several types, numbers and truths are texts, as in a file."""
    kinds = set(types) - {type(None)}
    if not kinds:
        return pa.null()
    if kinds <= {int, float}:
        return pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def from_json(cells: Sequence[object], kind: pa.DataType) -> Arrow:
    """Take JSON values as what `json_type` says of all of their column."""
    if pa.types.is_null(kind):
        return pa.nulls(len(cells))
    if pa.types.is_floating(kind):
        return _numbers(cells)
    if pa.types.is_boolean(kind):
        return pa.array(cells, kind)
    return clean(pa.array([_text(cell) for cell in cells], kind))


def _from_arrow(cells: Arrow, name: str) -> Arrow:
    """Take a column of a file; raise BadTable for one of lists, of bytes or of anything else that is no cell."""
    if isinstance(cells, pa.ChunkedArray):
        cells = pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.nulls(0)
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return _from_arrow(cells.dictionary_decode(), name)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = cells.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(numbers), None, numbers)
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return cells
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _moments(cells)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_time(kind):
        return clean(cells.cast(pa.string()))
    message = f"Column {name} holds {kind}, of which nothing can be learnt. Leave it out, or send what it means."
    raise BadTable(message[:200], [Fault("numbers, texts, true and false, or dates", got=str(kind)[:40], column=name)])


def _numbers(cells: Sequence[Any]) -> Arrow:
    try:
        numbers = np.array(cells, dtype=np.float64)
    except OverflowError:  # a whole number beyond float64
        numbers = np.array([np.nan if cell is None else _nearest(cell) for cell in cells])
    absent = np.array([cell is None for cell in cells]) if None in cells else None
    return pa.array(numbers, mask=absent)


def _nearest(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf


def _text(cell: object) -> str | None:
    """Write a JSON value as a file would have it; what is no value of a cell is null."""
    match cell:
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return plain(_nearest(cell))
        case str():
            return cell
        case _:
            return None


def _moments(cells: Arrow) -> Arrow:
    """Bring dates and moments to microseconds, in UTC where they have a zone."""
    finest = cells.cast(pa.timestamp("us", getattr(cells.type, "tz", None)), safe=False)
    return finest.cast(MOMENT)
