"""Parts of a JSON text, counted before it is parsed: an empty object takes a kilobyte of a parser's memory."""

import json
from typing import Any

import numpy as np

from app.store.document import Damage

MOST = {b"{": 2**16, b"[": 2**18, b":": 2**18, b",": 2**22}
"""Marks outside of texts: of 10,000 columns, each with its most frequent values, there are fewer."""
QUOTE = ord('"')
PIECE = 2**20


def require_few_parts(text: bytes) -> None:
    """Raise Damage for a text with more parts than a header can have."""
    doubtful = [mark for mark, most in MOST.items() if text.count(mark) > most]  # which may be within texts
    if doubtful and any(found > MOST[mark] for mark, found in _outside_texts(text, doubtful).items()):
        message = "its header has more parts than one can have"
        raise Damage(message)


def require_each_key_once(text: bytes) -> None:
    """Raise Damage for a text in which an object has a key twice: one reader would take the first, another the last."""
    json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "its header has a key twice"
        raise Damage(message)
    return found


def _outside_texts(text: bytes, marks: list[bytes]) -> dict[bytes, int]:
    """Count marks that are in no text: those with an even number of quotes before them."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")  # a quote within a text has a backslash before it
    found, quotes = dict.fromkeys(marks, 0), 0
    for start in range(0, len(plain), PIECE):
        piece = np.frombuffer(plain, np.uint8, min(PIECE, len(plain) - start), start)
        parity = (np.cumsum(piece == QUOTE, dtype=np.uint8) + np.uint8(quotes)) & 1
        for mark in marks:
            found[mark] += int(np.count_nonzero(piece[parity == 0] == ord(mark)))
        quotes = int(parity[-1])
    return found
