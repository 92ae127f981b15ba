"""Load: how long a prediction that comes now would wait, and whether it is better told at once to come back.

A service that takes all that comes answers nobody in time once more comes than it can answer: each answer is made, but
too late. Here a prediction is refused at its head where those in front of it would take longer than it may wait. By
Little's law that is their number times the time between two answers.
"""

import asyncio
from time import monotonic, thread_time
from typing import NamedTuple

SHORT = 2048
"""Bytes of a body that is hardly more than one row, which is answered as soon as refused, and keeps nobody waiting."""
FEWEST = 16
"""Predictions that are taken however long they take: a few that are long are no overload."""
USUAL = 1 / 256  # seconds between two answers, where nothing is known of them yet
SHARE = 1 / 8  # of an estimate that the last answer has


class LoopTurn(NamedTuple):
    """When a turn of the event loop began: by the clock, and by its thread's processor time, which is dear to read."""

    began: float
    worked: float


class Load:
    """What one process has to answer on its event loop and behind it."""

    def __init__(self, most_seconds: float) -> None:
        self.most_seconds = most_seconds
        self.waiting = 0  # predictions that have arrived, and are not answered
        self.interval = USUAL
        self.since = 0.0  # the last answer, or that the first of those that wait came
        self.turn: LoopTurn | None = None  # of the event loop, where it has begun

    def refuses(self) -> bool:
        """Tell whether a prediction would wait longer than it may."""
        expected = self.waiting * self.interval
        return (self.waiting >= FEWEST and expected > self.most_seconds) or self.is_behind()

    def is_behind(self) -> bool:
        """Tell whether the event loop has worked for so long without a look at what has arrived meanwhile.

        That is its own work: it is not behind because a training holds the interpreter.
        """
        if self.turn is None:
            self.turn = LoopTurn(monotonic(), thread_time())
            asyncio.get_running_loop().call_soon(self._end_turn)
            return False
        began, worked = self.turn
        return monotonic() - began > self.most_seconds and thread_time() - worked > self.most_seconds

    def _end_turn(self) -> None:
        self.turn = None

    def take(self) -> None:
        """Count one more that has arrived."""
        if not self.waiting:
            self.since = monotonic()
        self.waiting += 1

    def leave(self, *, is_answered: bool) -> None:
        """Count one less."""
        self.waiting -= 1
        if is_answered:
            now = monotonic()
            taken = min(now - self.since, self.most_seconds)  # a model that had to be loaded is no measure
            self.interval += SHARE * (taken - self.interval)
            self.since = now


class Ticket:
    """One prediction's place among those that wait."""

    KEY = "netlet.ticket"
    """Of a request's scope."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.is_waiting = False

    def take(self) -> None:
        """Begin to wait, as all of it has arrived."""
        self.is_waiting = True
        self.load.take()

    def leave(self, *, is_answered: bool = False) -> None:
        """Wait no more: it has its answer, is gone, or waits elsewhere, for work of which answers are not behind."""
        if self.is_waiting:
            self.is_waiting = False
            self.load.leave(is_answered=is_answered)
