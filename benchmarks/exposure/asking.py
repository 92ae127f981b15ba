"""One connection that is asked for one answer at a time, and notes how long each took."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import httpx

TRAINED = b'{"name": "exam", "X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}'


class Taken(NamedTuple):
    """What came of a request: the status, or 0 where the connection ended, and the seconds that it took."""

    status: int
    seconds: float


class Asking(asyncio.Protocol):
    """A client's side of a connection."""

    def __init__(self, done: Callable[["Asking", Taken], None]) -> None:
        self.done = done
        self.transport: asyncio.Transport | None = None
        self.arrived = bytearray()
        self.since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of TCP there is no other
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        """End; what was asked has no answer."""
        self.transport = None
        self._end(0)

    def ask(self, request: bytes) -> None:
        """Send a request, whose answer is counted from now."""
        assert self.transport is not None  # noqa: S101 - whoever asks has looked
        self.since = monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self.arrived += data
        head, mark, rest = self.arrived.partition(b"\r\n\r\n")
        if mark:
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if len(rest) >= int(length or b"0"):
                status = int(head[9:12])
                self.arrived.clear()
                self._end(status)

    def _end(self, status: int) -> None:
        if self.since is not None:
            taken, self.since = Taken(status, monotonic() - self.since), None
            self.done(self, taken)


async def opened(url: str, done: Callable[[Asking, Taken], None]) -> Asking:
    """Open a connection."""
    address = httpx.URL(url)
    _, asking = await asyncio.get_running_loop().create_connection(
        lambda: Asking(done), address.host, address.port or 80
    )
    return asking


def request(path: str, body: bytes) -> bytes:
    """Write a request with a body of JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def train(url: str) -> None:
    """Train the model that is asked."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        (await client.post("/train", content=TRAINED)).raise_for_status()
