"""JSON that is rows of numbers and little else, read straight into one array: no object is made for a number."""

from collections.abc import Mapping
from threading import local
from typing import NamedTuple

import numpy as np
import simdjson

from app.engine.arrays import Cells
from app.tables.cells import LARGEST_NUMBER

KEPT = 2**18  # bytes of a body that a parser is kept for
ROWS = ("X", "rows")
Scalar = str | int | float | bool | None


class _Kept(local):
    """A parser for each thread, whose memory is as long as the longest body it had."""

    def __init__(self) -> None:
        self.parser = simdjson.Parser()


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
    try:
        sent = (_kept.parser if len(body) < KEPT else simdjson.Parser()).parse(body)
        keys = body.count(b":")
        if not isinstance(sent, simdjson.Object) or keys != len(sent):  # more may be one that is there twice
            return None
        name = next((name for name in ROWS if name in sent), "")
        rows = sent[name]
        if not isinstance(rows, simdjson.Array) or body.count(b"[") != 1 + len(rows):
            return None
        widths = {len(row) for row in rows if isinstance(row, simdjson.Array)}
        if len(widths) != 1:
            return None
        X: Cells = np.frombuffer(rows.as_buffer(of_type="d")).reshape(len(rows), *widths)
        found = ((key, sent[key]) for key in sent.keys() if key != name)  # noqa: SIM118 - no dict: it has no iterator
        beside = {key: value for key, value in found if isinstance(value, Scalar)}
    except (ValueError, TypeError, KeyError, RuntimeError):  # RuntimeError: of a number beyond 64 bits
        return None
    if len(beside) + 1 != keys or not X.size:
        return None
    return Arrays(name, X, beside) if max(X.max(), -X.min()) <= LARGEST_NUMBER else None
