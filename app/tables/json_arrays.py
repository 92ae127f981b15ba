"""JSON that is rows of numbers and little else, read straight into one array: no object is made for a number."""

from collections.abc import Mapping
from threading import local
from typing import Any, NamedTuple

import numpy as np

from app.engine.arrays import Cells
from app.later import Later
from app.tables.cells import LARGEST_NUMBER
from app.tables.json_limits import has_long_number

simdjson: Any = Later("simdjson")

MOST_KEYS = 20  # of an object: simdjson looks through all of them for each
KEPT = 2**18  # bytes of a body that a parser is kept for
ROWS = ("X", "rows")
Scalar = str | int | float | bool | None


class _Kept(local):
    """A parser for each thread, whose memory is as long as the longest body it had."""

    parser: Any = None


_kept = _Kept()


class Arrays(NamedTuple):
    """Rows, shape (rows, columns), and what is said beside them."""

    name: str
    """By which the rows are sent."""
    X: Cells
    """Of numbers that columns can hold."""
    beside: Mapping[str, Scalar]


def arrays_of(body: bytes) -> Arrays | None:
    """Read an object whose `X` or `rows` are lists of numbers, all as long, and all else in it single values.

    None for everything else, be it right or wrong: it is for others to tell.
    """
    if body[:1] != b"{" or b"\\" in body:  # simdjson reads behind a byte-order mark, and keys up to a \\u0000
        return None
    if has_long_number(body):
        return None
    try:
        sent: Any = _parser_for(body).parse(body)
        if len(sent) > MOST_KEYS:
            return None
        name = next((name for name in ROWS if name in sent), "")
        X = _array_of(sent[name], body)
        keys = [key for key in sent.keys() if key != name]  # noqa: SIM118 - no dict: it has no iterator
        beside = {key: value for key in keys if isinstance(value := sent[key], Scalar)}
    except (ValueError, TypeError, KeyError, RuntimeError):  # RuntimeError: of a number beyond 64 bits
        return None
    is_all = len(beside) + 1 == len(sent)  # which counts a key twice that is there twice
    return Arrays(name, X, beside) if is_all and max(X.max(), -X.min()) <= LARGEST_NUMBER else None


def _parser_for(body: bytes) -> Any:  # noqa: ANN401 - simdjson has no types
    if len(body) >= KEPT:
        return simdjson.Parser()
    if _kept.parser is None:
        _kept.parser = simdjson.Parser()
    return _kept.parser


def _count(body: bytes, byte: bytes) -> int:
    """Do what bytes.count does, in a third of its time."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(byte)))


def _array_of(rows: object, body: bytes) -> Cells:
    """Give rows that are lists of numbers, all as long; raise ValueError or TypeError for others."""
    if not isinstance(rows, simdjson.Array):
        raise TypeError
    lengths = [len(row) for row in rows if isinstance(row, simdjson.Array)]
    if _count(body, b"[") != 1 + len(rows) or len(lengths) != len(rows) or len(set(lengths)) != 1 or not lengths[0]:
        raise ValueError
    X: Cells = np.frombuffer(rows.as_buffer(of_type="d")).reshape(len(rows), lengths[0])
    return X
