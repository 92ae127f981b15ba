"""Raw columns: cells as they came, from JSON or a file, as numbers, truths, texts, moments or nothing at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from math import isfinite, isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import BadTable
from app.faults import Fault
from app.tables.arrow import pa, pc
from app.tables.cells import LARGEST_NUMBER
from app.tables.texts import FIRST, LAST, MOMENT, Arrow, Mask, clean, mask, plain

MICROSECONDS = {"day": 86_400 * 10**6, "s": 10**6, "ms": 10**3, "us": 1, "ns": 1}
MOST_DIGITS = 10**100
TEXTS = ("is_string", "is_large_string", "is_string_view", "is_time")  # what of pyarrow's types knows them


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
    def numbers(self) -> npt.NDArray[np.float64] | None:
        """Cells of JSON that are just numbers, in a tenth of the time that others take; None where some are not."""
        if not isinstance(self.original, list) or not set(map(type, self.original)) <= {int, float}:
            return None
        numbers = _numbers(self.original)
        return numbers if (np.abs(numbers) <= LARGEST_NUMBER).all() else None

    @cached_property
    def absent(self) -> Mask:
        """Which rows have no value."""
        if self.numbers is not None:
            return np.zeros(len(self.numbers), dtype=np.bool_)
        if isinstance(self.original, list) and pa.types.is_string(self.array.type):
            no_cells = np.array([is_no_cell(cell) for cell in self.original], dtype=np.bool_)
            return mask(pc.is_null(self.array)) & ~no_cells
        if pa.types.is_timestamp(self.array.type):
            return mask(pc.is_null(self.original))
        return mask(pc.is_null(self.array))

    @cached_property
    def texts(self) -> Arrow:
        """The cells as the texts that they are as categories; whole numbers digit by digit, however large they are."""
        if isinstance(self.original, list):
            return clean(pa.array([_text(cell) for cell in self.original], pa.string()))
        if pa.types.is_integer(self.original.type):
            return _whole(self.original).cast(pa.string())
        return as_texts(self.array)

    def cell(self, row: int) -> object:
        """Give a cell as it came; of a file, what has no value is null, and what Python does not know is a text."""
        value = self.original[row]
        if not isinstance(value, pa.Scalar):
            return value
        try:
            value = value.as_py()
        except (ValueError, OverflowError, LookupError, pa.ArrowException):  # a year 300,000, or a zone that is none
            return f"{value.type} out of range"
        if isinstance(value, float) and not isfinite(value):
            return None if isnan(value) else str(value)
        return value


def json_type(types: Iterable[type]) -> Arrow:
    """Tell what JSON values become; where they are of several types, numbers and truths are texts, as in a file."""
    kinds = set(types) - {type(None)}
    if not kinds:
        return pa.null()
    if kinds <= {int, float}:
        return pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def from_json(cells: Sequence[object], kind: Arrow) -> Arrow:
    """Take JSON values as what `json_type` says of all of their column."""
    if pa.types.is_null(kind):
        return pa.nulls(len(cells))
    if pa.types.is_floating(kind):
        absent = np.array([cell is None for cell in cells]) if None in cells else None
        return pa.array(_numbers(cells), mask=absent)
    if pa.types.is_boolean(kind):
        return pa.array(cells, kind)
    return clean(pa.array([_text(cell) for cell in cells], kind))


def as_texts(cells: Arrow) -> Arrow:
    """Write cells of any type as texts; whole numbers without a point, days without a time."""
    if pa.types.is_floating(cells.type):
        return pa.array([None if number is None else plain(number) for number in cells.to_pylist()], pa.string())
    if pa.types.is_timestamp(cells.type):
        return pa.array([None if moment is None else _iso(moment) for moment in cells.to_pylist()], pa.string())
    return cells.cast(pa.string())


def is_no_cell(value: object) -> bool:
    """Tell whether a value of JSON can stand in no cell: a list, an object, or a number that is not finite."""
    return isinstance(value, list | dict) or (isinstance(value, float) and not isfinite(value))


def _iso(moment: datetime) -> str:
    return moment.isoformat(sep=" ") if moment.time() != time.min else moment.date().isoformat()


def _whole(cells: Arrow) -> Arrow:
    """Put the chunks of a column together."""
    if isinstance(cells, pa.ChunkedArray):
        return pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.nulls(0)
    return cells


def _from_arrow(cells: Arrow, name: str) -> Arrow:
    """Take a column of a file; raise BadTable for one of lists, of bytes or of anything else that is no cell."""
    cells = _whole(cells)
    kind = cells.type
    if pa.types.is_dictionary(kind):
        _from_arrow(pa.array([], kind.value_type), name)  # before each row gets one, of whatever it may be
        return _from_arrow(cells.dictionary_decode(), name)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = cells.cast(pa.float64(), safe=False)
        none = pa.scalar(None, numbers.type)  # of a None alone, pyarrow asks pandas each time, which takes long
        return pc.if_else(pc.is_nan(numbers), none, numbers)
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return cells
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _moments(cells)
    if any(getattr(pa.types, is_text)(kind) for is_text in TEXTS):
        return clean(cells.cast(pa.string()))
    message = f"Column {name} holds {kind}, of which nothing can be learnt. Leave it out, or send what it means."
    raise BadTable(message[:200], [Fault("numbers, texts, true and false, or dates", got=str(kind)[:40], column=name)])


def _numbers(cells: Sequence[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.array(cells, dtype=np.float64)
    except OverflowError:  # a whole number beyond float64
        return np.array([np.nan if cell is None else _nearest(cell) for cell in cells])


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
        case int():
            return str(cell) if abs(cell) < MOST_DIGITS else plain(_nearest(cell))
        case float():
            return plain(cell) if isfinite(cell) else None
        case str():
            return cell
        case _:
            return None


def _moments(cells: Arrow) -> Arrow:
    """Bring dates and moments to microseconds, in UTC where they have a zone; null where no calendar has them."""
    ticks = MICROSECONDS["day" if pa.types.is_date32(cells.type) else getattr(cells.type, "unit", "ms")]
    count = cells.cast(pa.int32() if pa.types.is_date32(cells.type) else pa.int64()).cast(pa.int64())
    if pa.types.is_timestamp(cells.type) and cells.type.unit == "ns":
        return cells.cast(pa.timestamp("us"), safe=False)  # as wide as they are, these are years that there are
    known = pc.and_(pc.less_equal(count, LAST // ticks), pc.greater_equal(count, FIRST // ticks))
    return pc.multiply(pc.if_else(known, count, pa.scalar(None, count.type)), ticks).cast(MOMENT)
