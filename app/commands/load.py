"""Load: connections that ask the same again and again, each as soon as it has its answer."""

import asyncio
from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from ssl import SSLContext
from time import perf_counter
from typing import NamedTuple

import httptools

OK = 200
MOST_LOST = 100
"""Connections in a row that end without an answer, before nobody tries again."""


@dataclass
class Tally:
    """What was counted."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds to each answer that is one."""
    failed: Counter[str] = field(default_factory=Counter)
    """How often there was another one, by its status; or none, as `lost`."""
    lost_in_a_row: int = 0

    def percentile(self, share: float) -> float:
        """Give the seconds that this share of the answers took at most."""
        ordered = sorted(self.latencies)
        return ordered[max(0, ceil(share * len(ordered)) - 1)]


class Connection(asyncio.Protocol):
    """Asks until the time is up, or the connection ends."""

    def __init__(self, request: bytes, until: float, tally: Tally) -> None:
        self.request, self.until, self.tally = request, until, tally
        self.ended = asyncio.get_running_loop().create_future()
        self.is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # of a stream
        self._ask()

    def _ask(self) -> None:
        self.began = perf_counter()
        if self.began >= self.until:
            self.transport.close()
            return
        self.parser = httptools.HttpResponseParser(self)
        self.is_waiting = True
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_complete(self) -> None:
        """Count an answer, and ask again."""
        took, status = perf_counter() - self.began, self.parser.get_status_code()
        self.is_waiting = False
        self.tally.lost_in_a_row = 0
        if status == OK:
            self.tally.latencies.append(took)
        else:
            self.tally.failed[str(status)] += 1
        if self.parser.should_keep_alive():
            self._ask()
        else:
            self.transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count what was not answered."""
        if self.is_waiting:
            self.tally.failed["lost"] += 1
            self.tally.lost_in_a_row += 1
        if not self.ended.done():
            self.ended.set_result(None)


class Target(NamedTuple):
    """What is asked, and who."""

    request: bytes
    host: str
    port: int
    tls: SSLContext | None


async def load(target: Target, *, seconds: float, connections: int) -> tuple[Tally, float]:
    """Ask for so long, and give what was counted, and in how many seconds."""
    tally, began = Tally(), perf_counter()
    until, loop = began + seconds, asyncio.get_running_loop()

    async def converse() -> None:
        while perf_counter() < until and tally.lost_in_a_row < MOST_LOST:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(target.request, until, tally), target.host, target.port, ssl=target.tls
                )
            except OSError:
                tally.failed["lost"] += 1
                tally.lost_in_a_row += 1
            else:
                await connection.ended

    await asyncio.gather(*(converse() for _ in range(connections)))
    return tally, perf_counter() - began
