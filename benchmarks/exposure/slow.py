"""Slow clients: a thousand that send a head, or a body, byte by byte, and what others wait meanwhile."""

import asyncio
from contextlib import suppress
from statistics import median
from time import monotonic
from typing import NamedTuple

import httpx
import numpy as np

from benchmarks.exposure.asking import Asking, Taken, opened, request, train

KINDS = {
    "heads": b"POST /predict HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    "bodies": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n{",
}
SECONDS_BETWEEN_BYTES = 1.0
SECONDS_TO_CLOSE = 20.0  # within which each slow connection has to be closed
MOST_TIMES = 2.0  # what others wait alone
HONEST = 8  # clients that ask in turn, each with a pause
PAUSE = 0.01
QUESTION = request("/predict", b'{"model": "exam", "X": [[1, 2]]}')


class Slowness(NamedTuple):
    """What slow connections of a kind came to."""

    kind: str
    connections: int
    longest: float
    """Seconds until the last of them was closed, from when it was opened."""
    alone: float
    """The 99th percentile of what others wait without them, milliseconds: the median of all rounds."""
    beside: float
    """The same while they are there."""
    failed: int
    """Requests of others that were not answered with 200."""

    @property
    def is_good(self) -> bool:
        """Tell whether all were closed in time, and nobody else noticed much."""
        return self.longest <= SECONDS_TO_CLOSE and self.beside <= MOST_TIMES * self.alone and not self.failed

    def __str__(self) -> str:
        return (
            f"{self.connections:,} slow {self.kind}: all closed after {self.longest:.1f} s at most;"
            f" others wait {self.alone:.2f} ms alone and {self.beside:.2f} ms beside them (99th percentile,"
            f" {self.beside / self.alone:.2f} times), {self.failed} of their requests failed"
        )


async def compared(url: str, kind: str, connections: int, rounds: int) -> Slowness:
    """Let slow clients of a kind come, round by round, and others ask before that and meanwhile."""
    await train(url)
    alone, beside, longest, failed = list[float](), list[float](), list[float](), 0
    for _ in range(rounds):
        with_nobody = asyncio.create_task(asyncio.sleep(SECONDS_TO_CLOSE / 2, [0.0]))
        with_slow = asyncio.create_task(_sleep_then(connections, url, KINDS[kind], with_nobody))
        for slow, waits in ((with_nobody, alone), (with_slow, beside)):
            taken = await _honest(url, slow)
            failed += sum(each.status != 200 for each in taken)  # noqa: PLR2004 - OK
            waits.append(float(np.percentile([each.seconds for each in taken], 99)) * 1000)
        longest += with_slow.result()
    return Slowness(kind, connections, max(longest), median(alone), median(beside), failed)


async def _sleep_then(connections: int, url: str, beginning: bytes, before: "asyncio.Task[list[float]]") -> list[float]:
    await before
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(_slow(url, beginning)) for _ in range(connections)]
    return [each.result() for each in slow]


async def _slow(url: str, beginning: bytes) -> float:
    """Be one slow client until the server has enough of it; give the seconds that it lasted."""
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    began = monotonic()
    writer.write(beginning)
    with suppress(ConnectionError):  # it may be cut, too
        while not reader.at_eof():
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_BETWEEN_BYTES):
                    while await reader.read(2**16):
                        pass
                    break
            writer.write(b"x")
    lasted = monotonic() - began
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return lasted


async def _honest(url: str, until: "asyncio.Task[list[float]]") -> list[Taken]:
    """Ask with pauses until something else is over."""
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(_one(url, until)) for _ in range(HONEST)]
    return [each for client in clients for each in client.result()]


async def _one(url: str, until: "asyncio.Task[list[float]]") -> list[Taken]:
    all_taken, answered = list[Taken](), asyncio.Event()

    def done(_: Asking, taken: Taken) -> None:
        all_taken.append(taken)
        answered.set()

    asking = await opened(url, done)
    while not until.done():
        answered.clear()
        if asking.transport is None:
            asking = await opened(url, done)
        asking.ask(QUESTION)
        await answered.wait()
        await asyncio.sleep(PAUSE)
    if asking.transport is not None:
        asking.transport.close()
    return all_taken
