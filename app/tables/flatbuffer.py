"""FlatBuffers, read in place: a table's fields are looked up where they lie, and nothing is made of any.

https://flatbuffers.dev/internals
"""

from collections.abc import Iterator

OFFSET, SHORT, LONG = 4, 2, 8  # bytes


class Flat:
    """A table of a buffer. What lies outside of the buffer is a ValueError."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.fields = at - self._number(at, OFFSET)
        self.length = self._number(self.fields, SHORT)

    @classmethod
    def root(cls, data: bytes) -> "Flat":
        """Give the table that a buffer is of."""
        return cls(data, int.from_bytes(data[:OFFSET], "little"))

    def integer(self, field: int, size: int) -> int:
        """Read a number of so many bytes; 0 where it is not there."""
        place = self._place(field)
        return self._number(place, size) if place else 0

    def table(self, field: int) -> "Flat | None":
        """Give a table within this one."""
        place = self._place(field)
        return Flat(self.data, self._follow(place)) if place else None

    def vector(self, field: int) -> tuple[int, int]:
        """Tell where the elements of a vector, or the bytes of a text, begin, and how many they are."""
        place = self._place(field)
        if not place:
            return 0, 0
        begin = self._follow(place)
        count = self._number(begin, OFFSET)
        if not 0 <= count <= len(self.data):
            raise _outside()
        return begin + OFFSET, count

    def tables(self, field: int) -> Iterator["Flat"]:
        """Give the tables of a vector, each as often as it is named."""
        begin, count = self.vector(field)
        for place in range(begin, begin + count * OFFSET, OFFSET):
            yield Flat(self.data, self._follow(place))

    def structs(self, field: int) -> Iterator[tuple[int, int]]:
        """Give the structures of a vector, each of which is two long numbers."""
        begin, count = self.vector(field)
        for place in range(begin, begin + 2 * count * LONG, 2 * LONG):
            yield self._number(place, LONG), self._number(place + LONG, LONG)

    def _place(self, field: int) -> int:
        """Tell where a field of this table is; 0 where it is not there."""
        entry = SHORT * (2 + field)
        if entry + SHORT > self.length:
            return 0
        offset = self._number(self.fields + entry, SHORT)
        return self.at + offset if offset else 0

    def _follow(self, place: int) -> int:
        return place + int.from_bytes(self._bytes(place, OFFSET), "little")

    def _number(self, place: int, size: int) -> int:
        return int.from_bytes(self._bytes(place, size), "little", signed=True)

    def _bytes(self, place: int, size: int) -> bytes:
        if not 0 <= place <= len(self.data) - size:
            raise _outside()
        return self.data[place : place + size]


def _outside() -> ValueError:
    return ValueError("a part of it lies outside")
