"""What Arrow says of itself, held to bounds before a library makes room for it: buffers may inflate thousandfold.

Its schema may name a part as often as it likes, which takes memory each time.
https://github.com/apache/arrow/tree/main/format
"""

from collections.abc import Iterator
from typing import BinaryIO

from app.errors import TableTooLarge
from app.tables.bounds import Bounds
from app.tables.flatbuffer import LONG, Flat

CONTINUATION = b"\xff\xff\xff\xff"
MAGIC = b"ARROW1"
WORD = 4  # bytes of a length
SCHEMA, DICTIONARY, BATCH = 1, 2, 3
TIMESTAMP, UNION = 10, 14  # types that hold a text, or a vector
INFLATED = "bytes, inflated,"
AS_IT_IS = -1  # the length of what is not compressed
MOST_WORDS = 2**24  # bytes of names and the like, each as often as it is said
MOST_FIELDS = 2**17
LONGEST_MESSAGE = 2**26
MOST_MESSAGES = 2**17
MOST_HELD = 2**28  # bytes of a batch with all dictionaries, inflated
MOST_COPIED = 2**33  # bytes of dictionaries that grow: each time one does, all of it is copied
DEEPEST = 32


class Schema:
    """What is counted of a schema."""

    def __init__(self) -> None:
        self.fields, self.words = 0, 0

    def read(self, schema: Flat) -> int:
        """Look at a schema, and count its columns; raise ValueError for one that says too much."""
        if schema.integer(0, 2):
            message = (
                "its numbers begin with the highest byte"  # and would be turned round, each as often as it is named
            )
            raise ValueError(message)
        self.note_pairs(schema, 2)
        return sum(self._note_field(field, DEEPEST) for field in schema.tables(1))

    def _note_field(self, field: Flat, depth: int) -> int:
        self.fields += 1
        if self.fields > MOST_FIELDS or not depth:
            message = "it has too many columns, or too many within each other"
            raise ValueError(message)
        self._note(field.vector(0)[1])
        kind = field.table(3)
        if kind is not None and field.integer(2, 1) in {TIMESTAMP, UNION}:
            self._note(kind.vector(1)[1])
        self.note_pairs(field, 6)
        for child in field.tables(5):
            self._note_field(child, depth - 1)
        return 1

    def note_pairs(self, of: Flat, field: int) -> None:
        """Count what a part says beside what it is."""
        for pair in of.tables(field):
            self._note(pair.vector(0)[1] + pair.vector(1)[1] + LONG)

    def _note(self, length: int) -> None:
        self.words += length
        if self.words > MOST_WORDS:
            message = "it says too much beside its table"
            raise ValueError(message)


class Claims:
    """What is counted while the messages of a file are looked at."""

    def __init__(self, file: BinaryIO, bounds: Bounds, *, at_once: bool) -> None:
        self.file, self.bounds = file, bounds
        self.most = min(bounds.inflated, MOST_HELD) if at_once else MOST_HELD
        self.at_once = at_once
        self.schema = Schema()
        self.rows = self.columns = self.inflated = self.kept = self.copied = 0
        self.dictionaries: dict[int, int] = {}

    def add(self, message: Flat, body: int) -> None:
        """Look at a message whose body begins there; raise ValueError for what cannot be, or TableTooLarge."""
        kind, header = message.integer(1, 1), message.table(2)
        self.schema.note_pairs(message, 4)
        if header is None:
            return
        if kind == SCHEMA:
            self.columns = self.schema.read(header)
            self.bounds.require_few(0, self.columns)
        elif kind == DICTIONARY:
            self._add_dictionary(header, body, message.integer(3, LONG))
        elif kind == BATCH:
            self.rows += header.integer(0, LONG)
            self.bounds.require_few(self.rows, self.columns)
            own = self._inflated(header, body)
            self.inflated = self.inflated + own if self.at_once else own
            self._require(self.kept + self.inflated, self.most)

    def _add_dictionary(self, dictionary: Flat, body: int, length: int) -> None:
        """Count what a dictionary takes, and all of one that grows as often as it does."""
        words, own = dictionary.table(1), dictionary.integer(0, LONG)
        inflated = 0 if words is None else self._inflated(words, body)
        grows = bool(dictionary.integer(2, 1))
        self.dictionaries[own] = max(length, inflated, 1) + (self.dictionaries.get(own, 0) if grows else 0)
        self.kept += inflated
        self.copied += self.dictionaries[own] if grows else 0
        self._require(self.kept, self.most)
        self._require(self.copied, self.most if self.at_once else MOST_COPIED)

    def _inflated(self, batch: Flat, body: int) -> int:
        """Count what the buffers of a batch inflate to, where they are compressed."""
        if batch.table(3) is None:
            return 0
        total = 0
        for offset, length in batch.structs(2):
            if length > 0:
                self.file.seek(max(0, body + offset))
                claimed = int.from_bytes(self.file.read(LONG), "little", signed=True)
                total += length if claimed == AS_IT_IS else max(0, claimed)
        return total

    def _require(self, inflated: int, most: int) -> None:
        if inflated > most:
            raise TableTooLarge(self.rows, self.columns, most, of=INFLATED)


def require_modest_stream(file: BinaryIO, bounds: Bounds, *, at_once: bool) -> None:
    """Raise TableTooLarge where a stream would take too much memory or time, ValueError where it is none.

    `at_once` says that all of it is read, not some rows at a time.
    """
    claims, at = Claims(file, bounds, at_once=at_once), 0
    for number in range(MOST_MESSAGES + 1):
        found = _message(file, at)
        if found is None:
            return
        message, body = found
        claims.add(message, body)
        at = body + max(0, message.integer(3, LONG))
        if number == MOST_MESSAGES:
            reason = "it has too many parts"
            raise ValueError(reason)


def require_modest_file(file: BinaryIO, bounds: Bounds, *, at_once: bool) -> None:
    """Raise as `require_modest_stream` does for a file, whose end tells where its messages are."""
    end = file.seek(0, 2)
    file.seek(max(0, end - WORD - len(MAGIC)))
    tail = file.read()
    length = int.from_bytes(tail[:WORD], "little")
    if tail[WORD:] != MAGIC or length > min(end, LONGEST_MESSAGE):
        message = "it has no footer, or one that is too long"
        raise ValueError(message)
    file.seek(max(0, end - WORD - len(MAGIC) - length))
    footer, claims = Flat.root(file.read(length)), Claims(file, bounds, at_once=at_once)
    schema = footer.table(1)
    if schema is not None:
        claims.columns = claims.schema.read(schema)
        bounds.require_few(0, claims.columns)
    claims.schema.note_pairs(footer, 4)
    for place in (*_blocks(footer, 2), *_blocks(footer, 3)):
        found = _message(file, place)
        if found is not None:
            claims.add(*found)


def require_modest_schema(message: bytes) -> None:
    """Raise ValueError for a message with a schema that says too much."""
    begin = 2 * WORD if message.startswith(CONTINUATION) else WORD
    header = Flat.root(message[begin:]).table(2)
    if header is not None:
        Schema().read(header)


def _message(file: BinaryIO, at: int) -> tuple[Flat, int] | None:
    """Read the message at a place, and tell where its body begins; none where there are no more."""
    file.seek(at)
    begin = file.read(2 * WORD)
    prefix = 2 * WORD if begin.startswith(CONTINUATION) else WORD
    length = int.from_bytes(begin[prefix - WORD : prefix], "little")
    if not length:
        return None
    if length > LONGEST_MESSAGE:
        reason = "a part of it is too long"
        raise ValueError(reason)
    file.seek(at + prefix)
    return Flat.root(file.read(length)), at + prefix + length


def _blocks(footer: Flat, field: int) -> Iterator[int]:
    """Tell where the messages are that a footer lists: each a place, a length, room, and the length of its body."""
    begin, count = footer.vector(field)
    if count > MOST_MESSAGES:
        reason = "it has too many parts"
        raise ValueError(reason)
    for number in range(count):
        place = begin + 3 * LONG * number
        yield max(0, int.from_bytes(footer.data[place : place + LONG], "little", signed=True))
