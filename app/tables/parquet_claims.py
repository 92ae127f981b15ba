"""What a Parquet file says of itself, held to bounds before a library makes room: pages may inflate thousandfold.

https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from app.errors import TableTooLarge
from app.tables.arrow_claims import INFLATED, require_modest_schema
from app.tables.bounds import Bounds
from app.tables.thrift import BINARY, I32, I64, LIST, STRUCT, CutShort, Thrift

MAGIC = b"PAR1"
END = 8  # bytes of the footer's length and the magic
LONGEST_FOOTER = 2**26
MOST_PARTS = 2**21  # of lists in a footer, each of which takes some tens of bytes at most
MOST_CHUNKS = 2**18  # a column in a group of rows is one, and takes about a kilobyte
MOST_PAGES = 2**20  # each takes some microseconds to look at
MOST_HELD = 2**28  # bytes of the pages that are inflated at the same time, one a column
SCHEMA_OF_ARROW = b"ARROW:schema"
WINDOWS = (2**9, 2**14, 2**20)  # bytes of a page's header, which is seldom long
DICTIONARY = 2


class Chunk(NamedTuple):
    """A column in a group of rows: where its pages are, and how many values they hold."""

    begin: int
    end: int
    values: int


class Group(NamedTuple):
    """A group of rows."""

    rows: int
    chunks: list[Chunk]


class Page(NamedTuple):
    """What the header of a page says, and how long it is itself."""

    header: int
    inflated: int
    length: int
    kind: int


class Claims:
    """What is counted while a footer is read."""

    def __init__(self, file: BinaryIO, bounds: Bounds, *, at_once: bool) -> None:
        self.file, self.bounds, self.at_once = file, bounds, at_once
        self.rows = self.cells = self.columns = self.chunks = self.pages = self.inflated = 0

    def add(self, group: Group) -> None:
        """Look at a group's pages; raise ValueError for what cannot be, TableTooLarge for what is too much."""
        self.rows += group.rows
        self.columns = max(self.columns, len(group.chunks))
        self.cells += sum(max(chunk.values, group.rows) for chunk in group.chunks)
        self.bounds.require_few(self.rows, self.columns)
        if self.cells > self.bounds.cells:
            raise TableTooLarge(self.rows, self.columns, self.bounds.cells)
        held = 0
        for chunk in group.chunks:
            held += self._look_at(chunk)
            self._require(held, MOST_HELD)

    def _look_at(self, chunk: Chunk) -> int:
        """Count what the pages of a chunk inflate to; tell how much of it is held at once."""
        at, dictionary, largest = chunk.begin, 0, 0
        while at < chunk.end and chunk.values:  # of a column without any, some writers do not say where it begins
            page = self._page(at)
            self.pages += 1
            if self.pages > MOST_PAGES:
                message = "it has too many pages"
                raise ValueError(message)
            self.inflated += page.inflated
            if self.at_once:
                self._require(self.inflated, self.bounds.inflated)
            if page.kind == DICTIONARY:
                dictionary = max(dictionary, page.inflated)
            else:
                largest = max(largest, page.inflated)
            at += page.header + page.length
        return dictionary + largest

    def _require(self, inflated: int, most: int) -> None:
        if inflated > most:
            raise TableTooLarge(self.rows, self.columns, most, of=INFLATED)

    def _page(self, at: int) -> Page:
        for window in WINDOWS:
            self.file.seek(at)
            data = self.file.read(window)
            try:
                return _page(Thrift(data, parts=window))
            except CutShort:
                if len(data) < window:
                    raise
        message = "the header of a page is too long"
        raise ValueError(message)


def require_modest(file: BinaryIO, bounds: Bounds, *, at_once: bool) -> None:
    """Raise TableTooLarge where a file would take too much memory or time, ValueError where it is none.

    `at_once` says that all of it is read, not some rows at a time.
    """
    footer, claims = Thrift(_footer(file), MOST_PARTS), Claims(file, bounds, at_once=at_once)
    rows = 0
    for number, kind in footer.fields():
        if (number, kind) == (2, LIST):
            _require_few_columns(footer, bounds)
        elif (number, kind) == (3, I64):
            rows = footer.integer()
        elif (number, kind) == (4, LIST):
            for group in _groups(footer, claims):
                claims.add(group)
        elif (number, kind) == (5, LIST):
            _require_modest_words(footer)
        else:
            footer.skip(kind)
    if rows != claims.rows:
        message = "its groups have another number of rows than it says"
        raise ValueError(message)


def _footer(file: BinaryIO) -> bytes:
    end = file.seek(0, 2)
    file.seek(max(0, end - END))
    tail = file.read(END)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > min(end - END - len(MAGIC), LONGEST_FOOTER):
        message = "it has no footer, or one that is too long"
        raise ValueError(message)
    file.seek(end - END - length)
    return file.read(length)


def _require_few_columns(footer: Thrift, bounds: Bounds) -> None:
    """Pass over the schema; a column may be several elements of it, within each other."""
    begin = footer.at
    _, count = footer.elements()
    if count > 2 * bounds.columns + 2:
        bounds.require_few(0, count)
    footer.at, footer.parts = begin, footer.parts + count
    footer.skip(LIST)


def _groups(footer: Thrift, claims: Claims) -> Iterator[Group]:
    kind, count = footer.elements()
    for _ in range(count if kind == STRUCT else 0):
        rows, chunks = 0, []
        for number, inner in footer.fields():
            if (number, inner) == (1, LIST):
                chunks = list(_chunks(footer, claims))
            elif (number, inner) == (3, I64):
                rows = footer.integer()
            else:
                footer.skip(inner)
        _require_positive(rows)
        yield Group(rows, chunks)


def _chunks(footer: Thrift, claims: Claims) -> Iterator[Chunk]:
    kind, count = footer.elements()
    claims.chunks += count
    if claims.chunks > MOST_CHUNKS:
        message = "it has too many columns in too many groups of rows"
        raise ValueError(message)
    for _ in range(count if kind == STRUCT else 0):
        for number, inner in footer.fields():
            if (number, inner) == (3, STRUCT):
                yield _chunk(footer)
            else:
                footer.skip(inner)


def _chunk(footer: Thrift) -> Chunk:
    found = {5: 0, 7: 0, 9: 0, 11: 0}  # values, length, data pages and dictionary
    for number, kind in footer.fields():
        if number in found and kind == I64:
            found[number] = footer.integer()
        else:
            footer.skip(kind)
    values, length, data, dictionary = found.values()
    _require_positive(values, length, data)
    begin = dictionary if 0 < dictionary < data else data
    return Chunk(begin, begin + length, values)


def _page(header: Thrift) -> Page:
    found = {1: 0, 2: 0, 3: 0}  # kind, inflated and as it lies there
    for number, kind in header.fields():
        if number in found and kind == I32:
            found[number] = header.integer()
        else:
            header.skip(kind)
    kind, inflated, length = found.values()
    _require_positive(inflated, length)
    return Page(header.at, inflated, length, kind)


def _require_modest_words(footer: Thrift) -> None:
    """Look at what a file says beside its table, a schema of Arrow among it."""
    kind, count = footer.elements()
    for _ in range(count if kind == STRUCT else 0):
        told = {1: b"", 2: b""}
        for number, inner in footer.fields():
            if number in told and inner == BINARY:
                told[number] = footer.binary()
            else:
                footer.skip(inner)
        if told[1] == SCHEMA_OF_ARROW:
            require_modest_schema(b64decode(told[2]))


def _require_positive(*numbers: int) -> None:
    if min(numbers) < 0:
        message = "a number in it is negative"
        raise ValueError(message)
