"""Limits of a JSON text that hold before anything is made of it: how long numbers are, how many keys objects have."""

import re
from typing import Any

from app.errors import MalformedBody, TooManyKeys
from app.later import Later

simdjson: Any = Later("simdjson")

LONGEST_NUMBER = 1024  # bytes: of what has more, no digit could be told from those before it
WINDOW = LONGEST_NUMBER // 2  # a longer number fills at least one of such pieces
MOST_KEYS = 100
SHORT = 2**16  # bytes of a text whose keys may as well be counted when it has been read
OF_NUMBERS = b"+-.0123456789Ee"
NUMBERS = re.compile(rb"[-+.0-9Ee]{%d}" % WINDOW)
TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def has_long_number(body: bytes) -> bool:
    """Tell whether a JSON text has a number of more bytes than any that means something."""
    return len(body) > LONGEST_NUMBER and _has_long_run(body) and _has_long_run(TEXT.sub(b"", body))


def require_short_numbers(body: bytes, place: str) -> None:
    """Raise MalformedBody for a number that is too long."""
    if has_long_number(body):
        message = f"The {place} has a number of more than {LONGEST_NUMBER} characters. Send no more digits than matter."
        raise MalformedBody(message)


def require_few_keys(body: bytes) -> None:
    """Raise TooManyKeys for a long text whose object has too many, or another of them that is one of its values.

    What is wrong with it otherwise is for whoever reads it to tell.
    """
    if len(body) < SHORT or body[:1] != b"{":
        return
    try:
        sent: Any = simdjson.Parser().parse(body)
        _require_few(sent, "body")
        for name, part in sent.items():
            if isinstance(part, simdjson.Object):
                _require_few(part, name)
    except (ValueError, KeyError, RuntimeError):
        return


def _require_few(part: Any, name: str) -> None:  # noqa: ANN401 - simdjson has no types
    if len(part) > MOST_KEYS:
        raise TooManyKeys(len(part), MOST_KEYS, name)


def _has_long_run(body: bytes) -> bool:
    """Tell whether so many bytes that numbers are made of follow each other, looking at one in hundreds."""
    for start in range(0, len(body) - WINDOW, WINDOW):
        if body.find(b",", start, start + WINDOW) < 0 and NUMBERS.match(body, start):
            before = body[max(0, start - LONGEST_NUMBER) : start]
            after = body[start : start + LONGEST_NUMBER + 1]
            length = len(before) - len(before.rstrip(OF_NUMBERS)) + len(after) - len(after.lstrip(OF_NUMBERS))
            if length > LONGEST_NUMBER:
                return True
    return False
