"""Inflating: bodies that were compressed on their way, a small piece at a time, whatever they expand to."""

import sys
import zlib
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple, Protocol

from app.errors import MalformedBody, UnsupportedEncoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST_IN = 16 * 2**10  # bytes that are inflated at a time: zlib copies what it could not use yet
MOST_OUT = 64 * 2**10
WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # 8 MiB: RFC 9659
RAW, WRAPPED, GZIP = -zlib.MAX_WBITS, zlib.MAX_WBITS, zlib.MAX_WBITS + 16


class Decompressor(Protocol):
    """Inflates one stream, keeping what it could not use yet."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What came after its end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give so many bytes at most; the rest is for the next call."""


class _Zlib:
    """zlib's decompressor with the manners of zstd's."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _deflate(beginning: bytes) -> Decompressor:
    """Tell by the first byte: a raw stream would begin so only with padding that is not zero, which nobody writes."""
    return _Zlib(WRAPPED if beginning[0] % 16 == zlib.DEFLATED else RAW)


class Coding(NamedTuple):
    """A way to compress a body."""

    begin: Callable[[bytes], Decompressor]
    """Makes a decompressor for a stream that begins like this."""
    repeats: bool = True
    """Whether streams may follow each other."""


CODINGS = {
    "gzip": Coding(lambda _: _Zlib(GZIP)),
    "x-gzip": Coding(lambda _: _Zlib(GZIP)),
    "deflate": Coding(_deflate, repeats=False),
    "zstd": Coding(lambda _: zstd.ZstdDecompressor(options=WINDOW)),
}
"""What a Content-Encoding may name."""


def coding_of(header: str) -> str | None:
    """Give the coding that a Content-Encoding names, nothing for a plain body; raise UnsupportedEncoding for others."""
    names = [name for part in header.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if len(names) > 1 or set(names) - CODINGS.keys():
        raise UnsupportedEncoding(CODINGS)
    return names[0] if names else None


async def inflated(arriving: AsyncIterator[bytes], name: str) -> AsyncIterator[bytes]:
    """Inflate a body; raise MalformedBody if it is not compressed as the name of the coding says."""
    inflater = _Inflater(name)
    async for chunk in arriving:
        for piece in inflater.pieces(chunk):
            yield piece
            await sleep(0)  # a few kilobytes can be a second's work: others have their turn in between
    inflater.require_end()


class _Inflater:
    """Inflates one body: streams that follow each other, or none if there is not a byte."""

    def __init__(self, name: str) -> None:
        self.name, self.coding = name, CODINGS[name]
        self.stream: Decompressor | None = None
        self.ended = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Give what data inflates to; pieces may be empty, so that whoever counts them counts all the work."""
        for start in range(0, len(data), MOST_IN):
            yield from self._pieces(data[start : start + MOST_IN])

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        full = False
        while data or full:
            self.stream = self.stream or self._begin(data)
            piece = self._decompress(self.stream, data)
            yield piece
            full, data = len(piece) == MOST_OUT, b""
            if self.stream.eof:
                full, data = False, self.stream.unused_data
                self.stream, self.ended = None, True

    def _begin(self, data: bytes) -> Decompressor:
        if self.ended and not self.coding.repeats:
            raise self._malformed(because="more follows its end")
        return self.coding.begin(data)

    def _decompress(self, stream: Decompressor, data: bytes) -> bytes:
        try:
            return stream.decompress(data, MOST_OUT)
        except (zlib.error, zstd.ZstdError) as error:
            raise self._malformed(because=str(error).rpartition(": ")[2]) from None

    def require_end(self) -> None:
        """Raise MalformedBody if the body broke off within a stream."""
        if self.stream:
            raise self._malformed(because="it ends too early")

    def _malformed(self, *, because: str) -> MalformedBody:
        return MalformedBody(f"The body is not {self.name}: {because}.")
