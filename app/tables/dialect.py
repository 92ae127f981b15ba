"""The dialect of a CSV: its encoding, delimiter and decimal mark, as stated or as its first 64 KB tell."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from app.errors import BadTable
from app.faults import Fault

SAMPLE = 2**16
MOST_RECORDS = 20
DELIMITERS = (",", ";", "\t", "|")
DECIMALS = (".", ",")
COMMON = "utf-8, utf-16, windows-1252, iso-8859-1, shift_jis, gb18030"
ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
        *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),  # noqa: PLR2004 - there is no such part
        *(f"cp{page}" for page in range(1250, 1259)),
        *("cp437", "cp850", "cp852", "cp866", "koi8-r", "koi8-u", "mac-roman"),
        *("shift_jis", "cp932", "euc-jp", "euc-kr", "cp949", "gb2312", "gbk", "gb18030", "big5"),
    )
)
"""Those that decode in linear time; Python has others, such as punycode, that a sender could stall it with."""

MARKS = {
    "utf-8": {codecs.BOM_UTF8: "utf-8"},
    "utf-16": {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"},
    "utf-32": {codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be"},
}
"""Byte-order marks, and what each says of an encoding that has one; without one, bytes are in the order of the first.

A mark of UTF-32 begins with one of UTF-16, but is not looked for unless UTF-32 is stated, for hardly anybody writes it.
"""

Number = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written: `encoding` by Python's name for it, `delimiter` and `decimal` one character each."""

    encoding: str
    delimiter: str
    decimal: str


def detect(
    beginning: bytes, *, encoding: str | None = None, delimiter: str | None = None, decimal: str | None = None
) -> Dialect:
    """Tell the dialect from the first 64 KB; what is stated wins. Give all of a shorter body: its last line counts.

    Raises BadTable for an encoding that is not known, and for a delimiter or decimal mark that cannot be one.
    """
    cut = len(beginning) >= SAMPLE
    sample = beginning[:SAMPLE]
    encoding = _encoding(sample, cut=cut) if encoding is None else _ordered(_known(encoding), sample)
    lines = io.StringIO(_text(sample, encoding), newline="").readlines()
    if cut and len(lines) > 1:
        lines.pop()
    _require_mark(delimiter, decimal)
    delimiter = _delimiter(lines, decimal) if delimiter is None else delimiter
    decimal = _decimal(_records(lines, delimiter), delimiter) if decimal is None else decimal
    return Dialect(encoding, delimiter, decimal)


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        name = ""
    if name not in ENCODINGS:
        message = f"The encoding is not one that this service reads. It reads {COMMON} and others."
        raise BadTable(message, [Fault("a known encoding", got=encoding, field="encoding")])
    return name


def _ordered(encoding: str, sample: bytes) -> str:
    """Say in which order the bytes of an encoding are that has two, and would need a mark to be read by its name."""
    orders = MARKS.get(encoding, {b"": encoding})
    return next((order for mark, order in orders.items() if sample.startswith(mark)), next(iter(orders.values())))


def _encoding(sample: bytes, *, cut: bool) -> str:
    """A byte-order mark decides; else UTF-8 if it is that; else Windows-1252, which spreadsheets write."""
    for mark, name in (MARKS["utf-8"] | MARKS["utf-16"]).items():
        if sample.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=not cut)
    except UnicodeDecodeError:
        return codecs.lookup("windows-1252").name
    return "utf-8"


def _text(sample: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(sample).removeprefix("\ufeff")


def _require_mark(delimiter: str | None, decimal: str | None) -> None:
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '\0\r\n".'):
        message = 'A delimiter is one ASCII character, such as , ; | or a tab, and no line end, quote (") or point.'
        raise BadTable(message, [Fault("one character", got=delimiter, field="delimiter")])
    if decimal is not None and decimal not in DECIMALS:
        message = "The decimal mark is a point or a comma."
        raise BadTable(message, [Fault("a point or a comma", got=decimal, field="decimal")])
    if decimal is not None and decimal == delimiter:
        message = "The delimiter and the decimal mark are the same, so that cells and numbers cannot be told apart."
        raise BadTable(message, [Fault("another mark than the delimiter", got=decimal, field="decimal")])


def _records(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return [record for record in islice(csv.reader(lines, delimiter=delimiter), MOST_RECORDS) if record]


def _delimiter(lines: Sequence[str], decimal: str | None) -> str:
    """The one that makes most records equally long, with more than one field; then the one that makes most numbers.

    The second tells `1,5;2,5`, which a comma splits as evenly as a semicolon does.
    """
    best, best_score = ",", (0, 0.0)
    for delimiter in DELIMITERS:
        if delimiter == decimal:
            continue
        records = _records(lines, delimiter)
        lengths = Counter(len(record) for record in records if len(record) > 1)
        cells = list(chain.from_iterable(records))
        numbers = sum(Number.fullmatch(cell.strip()) is not None for cell in cells)
        score = (max(lengths.values(), default=0), numbers / max(1, len(cells)))
        if lengths and score > best_score:
            best, best_score = delimiter, score
    return ";" if best == decimal else best


def _decimal(records: Sequence[Sequence[str]], delimiter: str) -> str:
    """A comma where as many numbers have one as a point, or more; the cells of a comma-delimited CSV cannot tell."""
    numbers = [cell for cell in map(str.strip, chain.from_iterable(records)) if Number.fullmatch(cell)]
    commas, points = (sum(mark in number for number in numbers) for mark in ",.")
    return "," if delimiter != "," and 0 < commas >= points else "."
