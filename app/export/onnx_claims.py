"""What an ONNX file is made of, counted before a library makes it: an empty node is two bytes, and takes a hundred.

https://protobuf.dev/programming-guides/encoding
"""

from typing import Any

from app.export.onnx_package import onnx

MOST_PARTS = 250_000  # a network that fits has some hundreds
VARINT, LONG, LENGTH, SHORT = 0, 1, 2, 5  # how a part is written
FIXED = {LONG: 8, SHORT: 4}


def require_few_parts(data: bytes) -> None:
    """Raise ValueError for a file of too many parts, or one that is none."""
    waiting: list[tuple[int, int, Any]] = [(0, len(data), onnx.ModelProto.DESCRIPTOR)]
    parts = 0
    while waiting:
        at, end, kind = waiting.pop()
        while at < end:
            parts += 1
            if parts > MOST_PARTS:
                message = "it has too many parts"
                raise ValueError(message)
            tag, at = _varint(data, at)
            begin, at = _value(data, at, tag & 7)
            field = kind.fields_by_number.get(tag >> 3)
            if tag & 7 == LENGTH and field is not None and field.message_type is not None:
                waiting.append((begin, at, field.message_type))
        if at > end:
            message = "it is cut short"
            raise ValueError(message)


def _value(data: bytes, at: int, written: int) -> tuple[int, int]:
    """Tell where a value begins and ends."""
    if written == VARINT:
        return at, _varint(data, at)[1]
    if written == LENGTH:
        length, at = _varint(data, at)
        return at, at + length
    if written in FIXED:
        return at, at + FIXED[written]
    message = "it has a part of no kind that there is"
    raise ValueError(message)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:  # noqa: PLR2004 - bits
            message = "it is cut short"
            raise ValueError(message)
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:  # noqa: PLR2004 - the last byte of a number
            return value, at
