"""JSON: read whole and strictly, with no key twice in an object, from one text or from a line a row."""

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from typing import Any

from pydantic_core import from_json

from app.errors import DuplicateKey, MalformedBody
from app.faults import Fault
from app.tables.json_limits import require_short_numbers

SHOWN = 40
FORM = re.compile(rb"--[^\r\n]{1,70}\r?\ncontent-disposition: *form-data", re.IGNORECASE)
"""How a form begins that holds files."""


class _Repeated(Exception):
    """An object of a JSON text has a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def parse(body: bytes, place: str = "body") -> object:
    """Give what a JSON text holds; raise MalformedBody if it is none, DuplicateKey for a key that is there twice.

    `place` is where it stands.
    """
    require_short_numbers(body, place)
    if not body.strip():
        message = f"The {place} is not JSON: it is empty."
        raise MalformedBody(message)
    try:
        value = from_json(body)
    except ValueError as error:
        message = f"The {place} is not JSON: {error}.{_hint(body)}"
        raise MalformedBody(message) from None
    if body.count(b":") != _keys(value):  # also where a text has one: the exact way takes five times as long
        _require_single_keys(body, place)
    return value


def parse_lines(body: bytes, *, first: int = 1) -> list[Any]:
    """Give what NDJSON holds, a row a line, empty ones apart; raise as `parse` does, naming the line.

    `first` is the number of the body's first line.
    """
    require_short_numbers(body, "body")
    lines = [line for line in body.splitlines() if line.strip()]
    try:
        rows = from_json(b"[" + b",".join(lines) + b"]")
        if len(rows) == len(lines):
            if body.count(b":") != _keys(rows):
                _require_single_keys(b"[" + b",".join(lines) + b"]", "body")
            return list(rows)
    except ValueError:
        pass  # told below, with its line
    for number, line in enumerate(body.splitlines(), start=first):
        try:
            _ = from_json(line) if line.strip() else None
        except ValueError as error:
            message = f"Line {number} of the body is not JSON: {error}.{_hint(line)}"
            raise MalformedBody(message) from None
    message = "The body is not one JSON value a line."
    raise MalformedBody(message)


def _keys(value: object) -> int:
    """Count the keys of a value, of its parts and of their rows: as many colons as its text has, or fewer."""
    parts = [value, *(value.values() if isinstance(value, dict) else ())]
    rows = [row for part in parts if isinstance(part, list) for row in part if isinstance(row, dict)]
    return sum(map(len, rows)) + sum(len(part) for part in parts if isinstance(part, dict))


def _require_single_keys(body: bytes, place: str) -> None:
    """Read a text again, slowly, to find a key that an object has twice; raise DuplicateKey if there is one."""
    try:
        json.loads(body, object_pairs_hook=_pairs)
    except _Repeated as repeated:
        message = f"An object of the {place} has a key twice, and would lose one of its values. Send each key once."
        raise DuplicateKey(message, [Fault("each key once", got=repeated.key[:SHOWN], field=place)]) from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Repeated(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return found


def _hint(body: bytes) -> str:
    """Guess what was meant where a body is no JSON at all."""
    if body.startswith(BOM_UTF8):
        return " It begins with a byte-order mark, which JSON has not: save it as UTF-8 without one."
    begins = {b"PAR1": "application/vnd.apache.parquet", b"ARROW1": "application/vnd.apache.arrow.file"}
    begins |= {b"\x93NUMPY": "application/x-npy", b"\xff\xff\xff\xff": "application/vnd.apache.arrow.stream"}
    for start, media_type in begins.items():
        if body.startswith(start):
            return f" It looks like another format: send it with content-type {media_type}."
    if FORM.match(body):
        return (
            " It is a form, as curl -F sends one. Send the file alone, with its content-type: curl --data-binary @FILE."
        )
    if body[:1] not in {b"{", b"[", b""}:
        return " A CSV file is sent with content-type text/csv."
    return ""
