"""Rows on their way out, as a program has them: dicts, lists, NumPy arrays, data frames, a file's name.

Neither NumPy nor pandas is imported for it: who has such rows has imported them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from io import BytesIO
from math import isnan
from os import PathLike
from typing import Any, NamedTuple, Protocol, TypeAlias

from app.client.errors import NotUsable
from app.client.sending import Pairs, Table, opened

MANY_CELLS = 100_000
"""From so many on, arrays of numbers are sent as Arrow, which is shorter than JSON."""
MATRIX = 2
NUMBERS = "fiub"
"""Kinds of NumPy's types: floats, integers and truths."""


class Frame(Protocol):
    """Columns of any library that knows Arrow: pandas, polars, pyarrow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class Array(Protocol):
    """Numbers as NumPy has them, or what is like it."""

    def __len__(self) -> int: ...
    def tolist(self) -> list[Any]:
        """Give the numbers as Python's own."""


Rows: TypeAlias = (
    Sequence[Mapping[str, Any]]
    | Sequence[Sequence[Any]]
    | Mapping[str, Any]
    | Array
    | Frame
    | Table
    | str
    | PathLike[str]
)


class Sent(NamedTuple):
    """What is sent: a body, and what the address says beside it."""

    body: bytes | Table
    params: Pairs


@contextmanager
def laid_out(rows: Rows | None, beside: Mapping[str, Any]) -> Iterator[Sent]:
    """Lay a table out to be sent, with what is said beside it: in the body if that is JSON, else in the address.

    `beside` may hold `X`, `y` and `weights`, as the service takes them. Raises NotUsable for what is no table.
    """
    if isinstance(rows, str | PathLike):
        with opened(str(rows)) as table:
            yield Sent(table, address_of(beside))
        return
    given = dict(beside)
    framed = rows if isinstance(rows, Table) else _framed(rows, given)
    if framed is not None:
        yield Sent(framed, address_of(given))
    else:
        told = {} if rows is None else {"rows": [rows] if isinstance(rows, Mapping) else rows}
        yield Sent(as_json(told | given), [])


def _framed(rows: Any, given: dict[str, Any]) -> Table | None:  # noqa: ANN401 - of any library
    """Make an Arrow stream of a data frame, or of long arrays of numbers; None for what JSON says as well.

    What is in the stream is taken out of what is given beside it, and named instead.
    """
    features: Any = given.get("X") if rows is None else rows
    is_frame = hasattr(features, "__arrow_c_stream__")
    if not is_frame and (rows is not None or not _is_long(features)):
        return None
    import pyarrow as pa  # noqa: PLC0415 - only who has frames, or long arrays, waits for it

    columns = pa.table(features) if is_frame else pa.table([*features.T], names=_names(given, features.shape[1]))
    given.pop("X", None)
    if (y := given.pop("y", None)) is not None:
        columns = columns.append_column(given.setdefault("target", getattr(y, "name", None) or "y"), pa.array(y))
    if (weights := given.pop("weights", None)) is not None:
        columns = columns.append_column(given.setdefault("weight", "weights"), pa.array(weights))
    file = BytesIO()
    with pa.ipc.new_stream(file, columns.schema) as stream:
        stream.write_table(columns)
    return Table(file, "application/vnd.apache.arrow.stream", file.tell())


def _is_long(X: Any) -> bool:  # noqa: ANN401 - whatever was given
    """Tell whether these are many numbers in an array of NumPy's."""
    return getattr(X, "size", 0) > MANY_CELLS and getattr(X, "ndim", 0) == MATRIX and X.dtype.kind in NUMBERS


def _names(given: dict[str, Any], count: int) -> list[str]:
    """Name columns as the service does."""
    named: list[str] | None = given.pop("columns", None)
    return [f"x{place}" for place in range(1, count + 1)] if named is None else named


def address_of(settings: Mapping[str, Any]) -> Pairs:
    """Say settings in an address: text as it is, several of one name one by one, all else as JSON."""
    pairs: Pairs = []
    for name, value in settings.items():
        several = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        pairs += [(name, one if isinstance(one, str) else json.dumps(one)) for one in (value if several else [value])]
    return pairs


def as_json(value: object) -> bytes:
    """Write JSON, with null where a number is missing; raise NotUsable for what JSON has no word for."""
    try:
        return _dumps(value)
    except ValueError:  # NaN somewhere, which programs take for a missing number
        pass
    try:
        return _dumps(_without_nan(value))
    except ValueError:
        message = "A number is infinite, which no table can hold."
        raise NotUsable(message) from None


def _dumps(value: object) -> bytes:
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> object:  # noqa: ANN401 - whatever stands in a table
    """Give what JSON has for a value of another kind."""
    if type(value).__name__ in MISSING:
        return None
    if hasattr(value, "tolist"):  # an array, a column, or one of its numbers
        return value.tolist()
    for kind, plain in PLAIN:
        if isinstance(value, kind):
            return plain(value)
    message = f"{type(value).__name__} cannot be sent in a table; numbers, texts, true, false, dates and None can."
    raise NotUsable(message)


MISSING = {"NAType", "NaTType"}
"""What pandas calls its marks of what is missing."""
PLAIN: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (Decimal, float),
    (date, date.isoformat),
    (Mapping, dict),
    (Sequence, list),
)


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return None if isnan(value) else value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [_without_nan(each) for each in value]
    return _without_nan(_plain(value))
