"""Rows on their way out, as a program has them: dicts, lists, NumPy arrays, data frames, a file's name.

Neither NumPy nor pandas is imported for it: who has such rows has imported them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isnan
from os import PathLike
from typing import Any, NamedTuple, Protocol, TypeAlias

from app.client.errors import NotUsable
from app.client.frames import framed, name_targets
from app.client.sending import Pairs, Table, opened


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
    if rows is not None and beside.get("X") is not None:
        message = "Send rows or X, not both: each is a table."
        raise NotUsable(message)
    if isinstance(rows, str | PathLike):
        with opened(str(rows)) as table:
            yield Sent(table, address_of(beside))
        return
    given = dict(beside)
    stream = rows if isinstance(rows, Table) else framed(rows, given)
    if stream is not None:
        yield Sent(stream, address_of(given))
    else:
        name_targets(given)
        told = {} if rows is None else {"rows": [rows] if isinstance(rows, Mapping) else rows}
        yield Sent(as_json(told | given), [])


def address_of(settings: Mapping[str, Any]) -> Pairs:
    """Say settings in an address: text as it is, several of one name one by one, all else as JSON."""
    pairs: Pairs = []
    for name, value in settings.items():
        several = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        pairs += [
            (name, one if isinstance(one, str) else as_json(one).decode()) for one in (value if several else [value])
        ]
    return pairs


def as_json(value: object) -> bytes:
    """Write JSON, with null where a number is missing; raise NotUsable for what JSON has no word for."""
    try:
        return _written(value)
    except NotUsable:
        raise
    except UnicodeEncodeError as error:
        message = f"A text is none, as what was read in another encoding than it has ({error})."
    except ValueError:
        message = "A number is infinite, which no table can hold."
    except TypeError as error:
        message = f"Columns and settings have names that are texts ({error})."
    except RecursionError:
        message = "Lists are within each other without an end."
    raise NotUsable(message)


def _written(value: object) -> bytes:
    try:
        return _dumps(value)
    except (NotUsable, UnicodeEncodeError):
        raise
    except ValueError:  # NaN somewhere, which programs take for a missing number
        return _dumps(_without_nan(value))


def _dumps(value: object) -> bytes:
    return json.dumps(
        value, default=_plain, allow_nan=False, ensure_ascii=False, check_circular=False, separators=(",", ":")
    ).encode()


def _plain(value: Any) -> object:  # noqa: ANN401 - whatever stands in a table
    """Give what JSON has for a value of another kind."""
    if type(value).__name__ in MISSING:
        return None
    if isinstance(value, UNFIT) or _kind_of(value) in UNFIT_KINDS:
        raise _unfit(value)
    if hasattr(value, "tolist"):  # an array, a column, or one of its numbers
        usual = USUAL.get(_kind_of(value))
        return (value if usual is None else value.astype(usual)).tolist()
    for kind, plain in PLAIN:
        if isinstance(value, kind):
            return plain(value)
    raise _unfit(value)


def _unfit(value: object) -> NotUsable:
    message = f"{type(value).__name__} cannot be sent in a table; numbers, texts, true, false, dates and None can."
    return NotUsable(message)


def _kind_of(value: Any) -> str:  # noqa: ANN401 - whatever stands in a table
    """Tell the kind of NumPy's type that something is of; empty where it is none of NumPy's."""
    is_numbers = type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype")
    return value.dtype.kind if is_numbers else ""


def _moment(value: datetime) -> str:
    """Write a moment as a service reads it: to microseconds; in UTC where its zone is off by seconds, as of old."""
    offset = value.utcoffset()
    if offset is not None and offset % timedelta(minutes=1):
        value = value.astimezone(UTC)
    return datetime.isoformat(value)  # that of pandas writes nanoseconds


MISSING = {"NAType", "NaTType"}
"""What pandas calls its marks of what is missing."""
UNFIT = (bytes, bytearray, memoryview)
"""What is a list of numbers to Python, and means none."""
UNFIT_KINDS = {"c", "m", "S"}
"""Kinds of NumPy's types that no table holds: complex numbers, spans of time, octets."""
USUAL = {"M": "datetime64[us]", "f": "float64"}
"""What values become before they are Python's own: finer moments are bare numbers, longer floats none."""
PLAIN: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (Decimal, float),
    (datetime, _moment),
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
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return _without_nan(_plain(value))
