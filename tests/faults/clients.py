"""Clients that keep their connections, as pools do, and count what does not come to a proper answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import NamedTuple, Self

import httpx

LONGEST_ANSWER = 60.0  # seconds


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    is_last: bool
    """Whether the server asked for another connection."""


class Kept:
    """One client, whose connection is opened anew only where the server has said that it ends, or has closed it."""

    def __init__(self, url: str) -> None:
        self.url = httpx.URL(url)
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Send a request and read its answer; raise OSError or EOFError where there is none."""
        async with asyncio.timeout(LONGEST_ANSWER):
            if self.streams is not None and self.streams[0].at_eof():
                await self.close()
            if self.streams is None:
                self.streams = await asyncio.open_connection(self.url.host, self.url.port)
            reader, writer = self.streams
            head = f"{method} {path} HTTP/1.1\r\nhost: {self.url.host}\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            told = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = told.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            answer = Answer(int(told[9:12]), await reader.readexactly(int(length)), b"connection: close" in told)
        if answer.is_last:
            await self.close()
        return answer

    async def close(self) -> None:
        """Leave."""
        if self.streams is not None:
            (_, writer), self.streams = self.streams, None
            writer.close()
            with suppress(OSError):  # the other side may have left first
                await writer.wait_closed()


class Asked(NamedTuple):
    """What clients ask over and over, what they take for an answer, and how long they pause at most."""

    method: str
    path: str
    body: bytes
    good: Sequence[int] = (200,)
    pause: float = 0.0


class Crowd:
    """Many clients, and what they were answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tally = Counter[str]()
        self.failed = Counter[str]()
        self.is_over = False

    async def ask(self, asked: Asked, rng: Random) -> None:
        """Be one of them until it is over."""
        async with Kept(self.url) as client:
            while not self.is_over:
                await self._ask(client, asked)
                await asyncio.sleep(rng.uniform(0, asked.pause))

    async def _ask(self, client: Kept, asked: Asked) -> None:
        try:
            answer = await client.ask(asked.method, asked.path, asked.body)
        except (OSError, EOFError) as error:
            self.failed[f"{asked.method} {asked.path}: {type(error).__name__}"] += 1
            await client.close()
            return
        self.tally["answers"] += 1
        self.tally["last answers of connections"] += answer.is_last
        if answer.status not in asked.good:
            self.failed[f"{asked.method} {asked.path}: {answer.status} {answer.body[:200]!r}"] += 1

    async def gathered(self, everybody: Sequence[Asked], seed: int) -> None:
        """Let all of them ask."""
        async with asyncio.TaskGroup() as clients:
            for number, asked in enumerate(everybody):
                clients.create_task(self.ask(asked, Random(1000 * seed + number)))


async def until_answered(url: str) -> None:
    """Wait until a service answers that may only just have begun."""
    while True:
        with suppress(OSError, EOFError):
            async with Kept(url) as client:
                if (await client.ask("GET", "/readyz")).status == 200:
                    return
        await asyncio.sleep(0.1)
