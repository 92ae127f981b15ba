"""Draining: a server that is asked to end goes on until nobody is left who would notice, but no longer than it may.

From the first moment on `/readyz` is 503, no training begins, and each answer is the last on its connection. A client
that sees it opens another, to whoever serves by then, and none is cut off while it may be sending a request.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from threading import Timer
from time import monotonic
from typing import NamedTuple, cast

import uvicorn

from app.api.connections.crowd import Phase
from app.api.connections.guard import CLOSE
from app.api.lane import LaneProtocol
from app.api.parts import Parts
from app.api.unread import is_unread

LOOKS = 0.05
FINISHING = 1.0  # seconds that trainings have to end before they are put down
IDLE = 5.0  # seconds after which a connection on which nobody asks is closed
GIVING_UP = 1.0  # seconds that whoever still waits has to be told so
LAST = 3.0  # seconds from there to the end, whatever hangs

log = logging.getLogger("netlet")


class Pace(NamedTuple):
    """How long it may take."""

    listens: float = 0.0
    """Seconds for which new connections are taken."""
    grace: float = 25.0
    """Seconds after which nothing is waited for any more."""


class Draining:
    """What is done after how many seconds; it is over as soon as nobody is left."""

    def __init__(self, server: uvicorn.Server, parts: Parts, pace: Pace) -> None:
        self.server, self.parts, self.grace = server, parts, pace.grace
        self.began = monotonic()
        self.is_listening, self.is_over = True, False
        listens = min(pace.listens, pace.grace)
        self.idle = min(listens + IDLE, pace.grace)
        steps: list[tuple[float, Callable[[], None]]] = [
            (listens, self._close_listeners),
            (min(FINISHING, pace.grace), parts.jobs.stop),
            (self.idle, self._close_idle),
            (pace.grace, parts.stop),
            (pace.grace + GIVING_UP, self._cancel),
            (pace.grace + 2 * GIVING_UP, self._end),
        ]
        self.steps = deque(sorted(steps, key=lambda step: step[0]))
        self._say_so()
        self._end_within(self.grace + 2 * GIVING_UP + LAST)

    def skip(self, seconds: float) -> None:
        """Be as far at once as after so many seconds."""
        self.began = min(self.began, monotonic() - seconds)

    def hurry(self) -> None:
        """Give up now what would be given up later."""
        self.skip(self.grace)
        self._end_within(2 * GIVING_UP + LAST)

    async def run(self) -> None:
        """Go on to the end."""
        while not self.is_over:
            while self.steps and monotonic() - self.began >= self.steps[0][0]:
                _, step = self.steps.popleft()
                step()
            await asyncio.sleep(LOOKS)
            await self.server.on_tick(0)
            self.is_over |= self._is_left()

    def _say_so(self) -> None:
        self.parts.jobs.drain()
        self.server.config.encoded_headers.append(CLOSE)
        self.server.server_state.default_headers.append(CLOSE)
        for connection in self._connections():
            connection.drain()

    def _is_left(self) -> bool:
        """Tell whether nobody is there who would notice the end."""
        state = self.server.server_state
        return not (self.is_listening or state.connections or state.tasks or self.parts.jobs.running)

    def _connections(self) -> list[LaneProtocol]:
        return [cast("LaneProtocol", connection) for connection in self.server.server_state.connections]

    def _close_listeners(self) -> None:
        self.is_listening = False
        for listener in self.server.servers:
            listener.close()

    def _close_idle(self) -> None:
        """Close what nobody sends anything on; a request whose head has half arrived is waited for, as ever."""
        for connection in self._connections():
            if not is_unread(connection.transport) and connection.state().phase is not Phase.HEAD:
                connection.shutdown()

    def _cancel(self) -> None:
        log.warning("%d requests are given up, since the service ends", len(self.server.server_state.tasks))
        for task in self.server.server_state.tasks:
            task.cancel()

    def _end(self) -> None:
        self.is_over = True

    def _end_within(self, seconds: float) -> None:
        """End for certain: what was acknowledged is on disk, and no thread that hangs is worth more than a restart."""
        timer = Timer(seconds, _end_anyway)
        timer.daemon = True
        timer.start()


def _end_anyway() -> None:
    log.error("something hangs, and is left behind")
    os._exit(0)
