"""Framing: where requests begin and end in what arrives; of several readings of the rules, the strictest.

What servers in front might read otherwise is refused, so that no request can hide in another one.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from app.api.connections.limits import ConnectionLimits
from app.errors import (
    BodyTooLarge,
    HeadersTooLarge,
    MalformedHttp,
    UnknownCoding,
    UnknownMethod,
    UriTooLong,
)

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
LINE = re.compile(rb"(%b{1,32}) ([!-~]+) HTTP/1\.([01])\r\n" % TOKEN)
BEGINNING = re.compile(rb"(?:%b{1,32}(?: [!-~]*(?: [HTP/.01]{0,8}\r?)?)?)?" % TOKEN)
FIELDS = re.compile(rb"(?:%b+:[\t -~\x80-\xff]*\r\n)*" % TOKEN)
ODD = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\n[ \t]|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
TOLD = re.compile(
    rb"^(content-length|transfer-encoding|host|origin|x-request-id|connection):[ \t]*([^\r]*?)[ \t]*\r$",
    re.IGNORECASE | re.MULTILINE,
)
LENGTH = re.compile(rb"[0-9]{1,18}")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]{0,256})?\r\n")
BEGINNING_OF_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}(?:[ \t;\r]|$)")
ASKED = re.compile(rb"(?:\r\n)?(%b{1,32}) ([!-~]*)" % TOKEN)
TARGET = re.compile(r"(?:http://([^/?#]*))?(/[^?#]*)?|\*", re.IGNORECASE)
NOT_OURS = (b"x-request-id", b"origin")  # which say nothing of where the request ends, or whom it is for
CONNECTION = b"connection"
LINE_END, END = b"\r\n", b"\r\n\r\n"
BESIDE = 48  # bytes of a first line beside its address
MOST_REMEMBERED, LONGEST_REMEMBERED = 1000, 2048  # heads, and bytes of each
LONGEST_SIZE_LINE = 300
MOST_CHUNKS = 100_000
LEAST_CHUNK = 2**10  # bytes that each of more than those has on average: less than a packet of the network
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

ODD_LINE = "a line of its headers has a control character or no proper end"
NO_FIELDS = "its headers are not lines of a name, a colon and a value"
NO_HOST = "it has no Host"
NO_FIRST_LINE = "its first line is not a method, an address and HTTP/1.1"
NO_PATH = "its address is no path"
NO_LENGTH = "its Content-Length is no number"
TWO_LENGTHS = "it has a Content-Length and a Transfer-Encoding"
NO_CHUNKS = "HTTP/1.0 has no Transfer-Encoding"
NO_TRAILER = "a line behind its last chunk is no header"
NO_SIZE = "a chunk does not begin with its size"
TWICE = "it has two headers of which there can be one"


class Opening(NamedTuple):
    """What the head of a request says of it."""

    size: int
    """Bytes of the head, with the empty line that ends it."""
    method: str
    path: str
    host: str
    length: int | None
    """Bytes of the body; None where it comes in chunks."""
    request_id: str
    origin: str
    """Of the page that asks, where one does."""
    closes: bool
    """Whether the client asks no more on its connection."""


NOTHING = Opening(0, "", "", "", 0, "", "", closes=True)
"""What is known of a request of which nothing has come."""


def opening_of(data: bytes, limits: ConnectionLimits) -> Opening | None:
    """Read a head from the beginning of what has arrived; None where its end has not.

    Raises MalformedHttp, UriTooLong, HeadersTooLarge, UnknownMethod or UnknownCoding, as soon as it can be told.
    """
    end = data.find(END, 0, LONGEST_REMEMBERED)
    return _opening(data, limits) if end < 0 else _remembered(data[: end + len(END)], limits)


def _opening(data: bytes, limits: ConnectionLimits) -> Opening | None:
    start = len(LINE_END) if data.startswith(LINE_END) else 0  # some clients end a body with one
    asked = LINE.match(data, start)
    if asked is None:
        _require_beginning_of_line(data, start, limits)
        return None
    method, target, version = asked[1].decode(), asked[2].decode(), asked[3]
    if len(target) > limits.url_bytes:
        raise UriTooLong(limits.url_bytes)
    end = data.find(END, asked.end() - len(LINE_END))
    fields = data[asked.end() : end + len(LINE_END) if end >= 0 else None]
    _require_short(fields, len(asked[0]) + len(fields), limits)
    if end < 0:
        if ODD.search(fields):
            raise MalformedHttp(ODD_LINE)
        return None
    if not FIELDS.fullmatch(fields):
        raise MalformedHttp(NO_FIELDS)
    told = _told(fields)
    host, path = _place(target, told.get(b"host"))
    if method not in METHODS:
        raise UnknownMethod
    if version == b"1" and b"host" not in told:
        raise MalformedHttp(NO_HOST)
    request_id, origin = [told.get(name, b"").decode("latin-1") for name in NOT_OURS]
    closes = version == b"0" or b"close" in re.split(rb"[ \t]*,[ \t]*", told.get(CONNECTION, b"").lower())
    return Opening(end + len(END), method, path, host, _length(told, version), request_id, origin, closes)


_remembered = lru_cache(MOST_REMEMBERED)(_opening)  # a client's heads are alike


def told_of(data: bytes) -> Opening:
    """Gather from a head that is refused, whole or not, what its answer depends on, as far as that can be read."""
    asked, end = ASKED.match(data), data.find(END)
    if asked is None:
        return NOTHING
    method, place = asked[1].decode(), TARGET.match(asked[2].decode())
    told = {name.lower(): value for name, value in TOLD.findall(data[: end + len(LINE_END) if end >= 0 else None])}
    request_id, origin = [told.get(name, b"").decode("latin-1") for name in NOT_OURS]
    path = (place and place[2]) or ""
    return Opening(0, method if method in METHODS else "", path, "", 0, request_id, origin, closes=True)


def _require_beginning_of_line(data: bytes, start: int, limits: ConnectionLimits) -> None:
    """Raise MalformedHttp or UriTooLong for what will never be a first line."""
    line = data[start : start + limits.url_bytes + BESIDE]
    if b"\n" in line or not BEGINNING.fullmatch(line):
        raise MalformedHttp(NO_FIRST_LINE)
    if len(line) == limits.url_bytes + BESIDE:
        raise UriTooLong(limits.url_bytes)


def _require_short(fields: bytes, size: int, limits: ConnectionLimits) -> None:
    if size > limits.head_bytes:
        raise HeadersTooLarge(limits.head_bytes, "bytes")
    if fields.count(LINE_END) > limits.headers:
        raise HeadersTooLarge(limits.headers, "lines")


def _told(fields: bytes) -> dict[bytes, bytes]:
    told: dict[bytes, bytes] = {}
    for name, value in TOLD.findall(fields):
        known = name.lower()
        if known == CONNECTION and known in told:  # of which there may be several, as if they were one
            told[known] += b"," + value
        elif known in told and known not in NOT_OURS:
            raise MalformedHttp(TWICE)
        told.setdefault(known, value)
    return told


def _place(target: str, host: bytes | None) -> tuple[str, str]:
    """Tell host and path of an address, which may name the host itself."""
    parts = TARGET.match(target)
    if parts is None or not target.startswith(("/", "*", "http", "HTTP")):
        raise MalformedHttp(NO_PATH)
    return parts[1] if parts[1] is not None else (host or b"").decode("latin-1"), parts[2] or "/"


def _length(told: dict[bytes, bytes], version: bytes) -> int | None:
    length, coding = told.get(b"content-length"), told.get(b"transfer-encoding")
    if coding is None:
        if length is not None and not LENGTH.fullmatch(length):
            raise MalformedHttp(NO_LENGTH)
        return int(length or 0)
    if length is not None:
        raise MalformedHttp(TWO_LENGTHS)
    if version == b"0":
        raise MalformedHttp(NO_CHUNKS)
    if coding.lower() != b"chunked":
        raise UnknownCoding
    return None


class Plain:
    """A body of a known length: what of it is still to come."""

    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def is_over(self) -> bool:
        """Whether all of it has come."""
        return not self.left

    def take(self, data: bytes) -> tuple[bytes, int]:
        """Give what of the data belongs to it, and how many bytes that is."""
        piece = data if len(data) <= self.left else data[: self.left]
        self.left -= len(piece)
        return piece, len(piece)


class Chunked:
    """A body in chunks: what of the one that has begun is still to come."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.left = self.count = self.taken = 0
        self.is_ending = self.is_over = False

    def take(self, data: bytes) -> tuple[bytes, int]:
        """Give what of the data belongs to it, whole lines at least, and how many bytes are done with.

        Headers behind it are left out: who reads them would read them as those in front, which others have judged.
        """
        place = 0
        while place < len(data) and not self.is_ending:
            if not self.left:
                line = SIZE.match(data, place)
                if line is None:
                    _require_beginning_of_size(data[place:])
                    break
                self._begin(int(line[1], 16))
                place = line.end()
            step = min(self.left, len(data) - place)
            self.left, place = self.left - step, place + step
        self.taken += place
        piece = data[:place]
        return (piece, place) if not self.is_ending else self._end(piece, data[place:])

    def _begin(self, size: int) -> None:
        self.count += 1
        if self.count > MOST_CHUNKS and self.taken < self.count * LEAST_CHUNK:
            raise BodyTooLarge(MOST_CHUNKS, of="chunks", remedy="Send larger ones.")
        self.is_ending = size == 0
        self.left = size + len(LINE_END) if size else 0

    def _end(self, piece: bytes, data: bytes) -> tuple[bytes, int]:
        size = len(piece)
        if data.startswith(LINE_END):
            self.is_over = True
            return piece + LINE_END, size + len(LINE_END)
        end = data.find(END)
        fields = data[: end + len(LINE_END) if end >= 0 else None]
        _require_short(fields, len(fields), self.limits)
        if end < 0:
            if ODD.search(fields):
                raise MalformedHttp(NO_TRAILER)
            return piece, size
        if not FIELDS.fullmatch(fields):
            raise MalformedHttp(NO_TRAILER)
        self.is_over = True
        return piece + LINE_END, size + end + len(END)


def _require_beginning_of_size(data: bytes) -> None:
    """Raise MalformedHttp for what will never be the line in front of a chunk."""
    if len(data) > LONGEST_SIZE_LINE or b"\n" in data or not BEGINNING_OF_SIZE.match(data):
        raise MalformedHttp(NO_SIZE)


Body = Plain | Chunked
