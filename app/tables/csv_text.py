"""The text of a CSV before it has columns: decoding it, its header, and whether its last quote is closed."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.errors import MalformedTable
from app.faults import Fault
from app.tables.table import MOST_COLUMNS, require_names

CHUNK = 2**20
STEP = 2**16
LONGEST_HEADER = 4 * 2**20
MOST_FIELDS = 2 * MOST_COLUMNS  # targets, weights and columns to ignore may stand beside those to learn from
UTF8 = "utf-8"
LINE = re.compile(rb"[^\r\n]*(\r\n|\r|\n|$)")
WRITTEN = re.compile(rb"[^\r\n]")
QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+')

Text = bytes | bytearray
"""A whole CSV in UTF-8."""


class Header(NamedTuple):
    """The names of the columns, and the place in the text where the records begin."""

    names: tuple[str, ...]
    end: int


def chunks(body: Text) -> Iterator[bytes]:
    """Give a body in pieces of 1 MB."""
    return (bytes(body[start : start + CHUNK]) for start in range(0, len(body), CHUNK))


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Decode piece by piece; raises MalformedTable that names the line of the first bytes that do not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    try:
        for piece in pieces:
            text = decoder.decode(piece)
            line += _line_ends(text)
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += _line_ends(error.object[: error.start].decode(encoding, "replace"))
        got = f"line {line}: bytes {error.object[error.start : error.end][:4].hex(' ')}"
        other = "windows-1252" if encoding == UTF8 else "iso-8859-1"
        message = f"Line {line} is not {encoding}. Name the encoding, as in ?encoding={other}."
        raise MalformedTable(message, [Fault(f"text in {encoding}", got=got)]) from error


def require_decodable(pieces: Iterable[bytes], encoding: str) -> None:
    """Raise MalformedTable that names the line of the first bytes that do not decode, if there are any."""
    for _ in decoded(pieces, encoding):
        pass


def in_utf8(body: bytes, encoding: str) -> Text:
    """Give the text in UTF-8: the body itself if it is; raises MalformedTable if it does not decode."""
    if encoding == UTF8:
        return body
    text = bytearray()
    for piece in decoded(chunks(body), encoding):
        text += piece.encode()
    return text


def require_no_nul(pieces: Iterable[bytes]) -> None:
    """Raise MalformedTable that names the line of the first NUL byte, if there is one."""
    line = 1
    for piece in pieces:
        at = piece.find(b"\0")
        line += piece.count(b"\n", 0, at if at >= 0 else None) or piece.count(b"\r", 0, at if at >= 0 else None)
        if at >= 0:
            message = f"Line {line} has a NUL byte, which no text has. UTF-16 without a mark needs ?encoding=utf-16-le."
            raise MalformedTable(message, [Fault("text without NUL bytes", got=f"line {line}")])


def header(text: Text, delimiter: str) -> Header:
    """Read the first line that is not blank, as the names of the columns.

    Raises MalformedTable if there is none or it never ends, BadTable for more columns than a table has.
    """
    text_begins = len(codecs.BOM_UTF8) if text.startswith(codecs.BOM_UTF8) else 0
    first = WRITTEN.search(text, text_begins)
    if first is None:
        message = "The body is empty. A CSV begins with a line of column names."
        raise MalformedTable(message, [Fault("a line of column names", got="nothing")])
    taken: list[bytes] = []
    try:
        names = next(csv.reader(_lines(text, first.start(), taken), delimiter=delimiter))
    except csv.Error as error:  # a field of more than 128 KB
        raise _endless_header() from error
    record = b"".join(taken)
    if leaves_quote_open(record, delimiter) or len(record) > LONGEST_HEADER:
        raise _endless_header()
    if len(names) > MOST_FIELDS:
        require_names(names)
    return Header(tuple(names), first.start() + len(record))


def leaves_quote_open(record: bytes, delimiter: str) -> bool:
    """Tell whether text that begins with a field ends within a quoted one.

    As in the reader of columns, a quote counts where a field begins, and two quotes within are one.
    """
    ends = re.compile(b"[\r\n" + re.escape(delimiter.encode()) + b"]")
    at = 0
    while at < len(record):
        quoted = QUOTED.match(record, at)
        if quoted is not None:
            at = quoted.end() + 1
            if at > len(record):
                return True
        end = ends.search(record, at)
        if end is None:
            return False
        at = end.end()
    return False


def last_lines(text: Text, count: int) -> bytes:
    """Give the last lines of a text; a line end at its very end counts as one of its ends."""
    line_end = b"\n" if b"\n" in text else b"\r"
    at = len(text)
    while at and (ends := text.count(line_end, max(0, at - STEP), at)) < count:  # a cell may be all line ends
        at, count = max(0, at - STEP), count - ends
    for _ in range(count):
        at = text.rfind(line_end, 0, at)
        if at < 0:
            break
    return bytes(text[at + 1 :])


def _lines(text: Text, at: int, taken: list[bytes]) -> Iterator[str]:
    """Decode line by line; `taken` gets the lines that were asked for."""
    stop = at + LONGEST_HEADER
    while at < min(stop, len(text)):
        line = LINE.match(text, at, stop + 1)
        assert line is not None  # noqa: S101 - it matches anything
        taken.append(line.group())
        try:
            yield line.group().decode()
        except UnicodeDecodeError:
            require_decodable(chunks(text), UTF8)
            raise
        at = line.end()


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _endless_header() -> MalformedTable:
    message = "The line of column names does not end within 4 MB. Is a quote not closed?"
    return MalformedTable(message, [Fault("a line of column names")])
