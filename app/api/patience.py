"""Patience: how long a client waits for an answer, and whether it is still there."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from app.errors import DeadlineExceeded, InvalidRequest
from app.faults import Fault

HEADER = "x-request-timeout"
LOOKS = 0.1  # seconds after which it is looked again whether the client is there
LONGEST = 86_400.0


class Patience:
    """What a client leaves for its answer; long work asks it now and then, from whatever thread it is in."""

    def __init__(self, seconds: float | None, is_left: Callable[[], Awaitable[bool]]) -> None:
        self.seconds, self.is_left = seconds, is_left
        self.until = math.inf if seconds is None else monotonic() + seconds
        self.is_gone = False

    def go_on(self) -> None:
        """Raise DeadlineExceeded where the time is up, ClientDisconnect where nobody waits any more."""
        if self.is_gone:
            raise ClientDisconnect
        if monotonic() >= self.until:
            message = f"The answer took longer than the {self.seconds:g} seconds it may. Allow more, or send less."
            raise DeadlineExceeded(message)

    @asynccontextmanager
    async def place_in(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a place, no longer than the answer may take; raise DeadlineExceeded if there is none by then."""
        try:
            async with asyncio.timeout(None if self.seconds is None else max(0.0, self.until - monotonic())):
                await places.acquire()
        except TimeoutError:
            self.until = -math.inf  # also where the clock of the event loop is a little ahead
            self.go_on()
            raise
        try:
            yield
        finally:
            places.release()

    async def watch(self) -> None:
        """Notice that the client goes away."""
        while not self.is_gone:
            await asyncio.sleep(LOOKS)
            self.is_gone = await self.is_left()


def seconds_of(header: str | None, stated: float | None = None) -> float | None:
    """Give the seconds that a request leaves for its answer, by what it states itself or else by its header.

    Raises InvalidRequest for a header that states no such time.
    """
    if stated is not None or header is None:
        return stated
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST:
        message = "The header says how many seconds the answer may take, at most a day."
        raise InvalidRequest(message, [Fault("a number above 0", got=header[:20], field=HEADER)])
    return seconds


async def patience_of(request: Request) -> Patience:
    """Give what a request leaves for its answer by its header alone; raises InvalidRequest."""
    return Patience(seconds_of(request.headers.get(HEADER)), request.is_disconnected)


PatienceOf = Annotated[Patience, Depends(patience_of)]
