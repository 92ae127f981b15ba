"""Thrift's compact protocol, read piece by piece: nothing is made of what is passed over, however much it claims to be.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
INTEGERS = {I16, I32, I64}
LONG_LIST, LONGEST_VARINT, DEEPEST = 15, 70, 32  # elements that a list's first byte can tell; bits; levels


class CutShort(ValueError):
    """The bytes end before what they begin."""


class Thrift:
    """A place in some bytes, which moves on as they are read; `parts` is how many more elements lists may have.

    What is read raises ValueError for bytes that cannot be, CutShort where they end.
    """

    def __init__(self, data: bytes, parts: int) -> None:
        self.data, self.at, self.parts = data, 0, parts

    def byte(self) -> int:
        """Read one."""
        if self.at >= len(self.data):
            message = "it is cut short"
            raise CutShort(message)
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        """Read a number that is not negative."""
        value = shift = 0
        while (byte := self.byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > LONGEST_VARINT:
                message = "a number in it is too long"
                raise ValueError(message)
        return value | byte << shift

    def integer(self) -> int:
        """Read a number that may be negative."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def binary(self) -> bytes:
        """Read some bytes."""
        length = self.varint()
        self._pass(length)
        return self.data[self.at - length : self.at]

    def fields(self) -> Iterator[tuple[int, int]]:
        """Give number and type of each field of a structure; whoever takes them reads or passes over its value."""
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, head & 0x0F

    def elements(self) -> tuple[int, int]:
        """Read the beginning of a list: the type of its elements, and how many they are."""
        head = self.byte()
        count = head >> 4 if head >> 4 != LONG_LIST else self.varint()
        self.parts -= count
        if self.parts < 0:
            message = "it has too many parts"
            raise ValueError(message)
        return head & 0x0F, count

    def skip(self, kind: int, depth: int = DEEPEST) -> None:
        """Pass over the value of a field."""
        if depth <= 0:
            message = "its parts are too deep within each other"
            raise ValueError(message)
        if kind in INTEGERS:
            self.varint()
        elif kind in {BYTE, DOUBLE}:
            self._pass(1 if kind == BYTE else 8)
        elif kind == BINARY:
            self._pass(self.varint())
        elif kind in {LIST, SET}:
            self._skip_elements(depth - 1)
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth - 1)
        elif kind not in {TRUE, FALSE}:  # a map is in none of the structures that are read here
            message = "it holds a type that there is not"
            raise ValueError(message)

    def _skip_elements(self, depth: int) -> None:
        kind, count = self.elements()
        if kind in {TRUE, FALSE, BYTE}:
            self._pass(count)
            return
        for _ in range(count):
            self.skip(kind, depth)

    def _pass(self, length: int) -> None:
        if length > len(self.data) - self.at:
            message = "it is cut short"
            raise CutShort(message)
        self.at += length
