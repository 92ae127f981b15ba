"""The crowd: all connections of a process. Who is too slow goes; where there are too many, who can best be spared.

Nothing of this costs a request anything: each connection is asked about once a second how it is, and compared with
how it was.
"""

import asyncio
import logging
from collections.abc import Iterator
from enum import Enum, auto
from math import inf
from operator import itemgetter
from typing import NamedTuple, Protocol

from app.api.connections.limits import ConnectionLimits
from app.errors import NetletError, Overloaded, TooSlow

LINGER_SECONDS = 2.0  # for a client to read why its connection ends
SHARE = 64  # of all connections that may be open, how many go at once where there are too many
MOST_TOLD = 5  # log lines between two looks about those who were refused
JUST_BEGUN, LEAST_SECONDS = 1024, 0.001  # bytes that each is taken to have sent, in at least such a time
LOOKS = 10  # while somebody is waited for

log = logging.getLogger("netlet.connections")


class Phase(Enum):
    """What a connection is about."""

    REFUSED = auto()
    """It has been told why it ends."""
    NEW = auto()
    """Nothing has ever come."""
    IDLE = auto()
    """All that was asked is answered."""
    HEAD = auto()
    """A request is beginning to arrive."""
    REST = auto()
    """What was answered before all of it had come is still arriving."""
    BODY = auto()
    """The service waits for the body of a request."""
    ANSWERING = auto()
    """The client waits for the service, or is to take what it was answered."""


SLOW = {
    Phase.HEAD: "The head of the request has not arrived in time.",
    Phase.BODY: "The body of the request hardly arrives.",
}
"""What is told to those who are in a phase for too long."""


class State(NamedTuple):
    """How a connection is."""

    phase: Phase
    turn: float
    """Differs from request to request."""
    taken: int = 0
    """Bytes of the body that have come."""


class Connection(Protocol):
    """What the crowd knows of one."""

    def state(self) -> State:
        """Tell how it is."""

    def unsent(self) -> tuple[int, int]:
        """Tell how many bytes wait to be taken by the client, and how often it had taken nearly all of them."""

    def refuse(self, error: NetletError) -> None:
        """Tell the client why its connection ends, and end it."""

    def end(self) -> None:
        """Close it; what the client does not take at once is lost."""

    def cut(self) -> None:
        """Close it whatever is under way."""


class Mark(NamedTuple):
    """How a connection was when it was last well, and when that was."""

    how: State
    time: float


class Unsent(NamedTuple):
    """What a client had yet to take, how often it had taken nearly all before, and when that was."""

    size: int
    turns: int
    time: float


class Crowd:
    """Looks after them."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.open: dict[Connection, Mark] = {}  # in the order in which they came
        self.arriving: dict[Connection, float] = {}  # bodies that routes wait for, and since when
        self.in_front: set[Connection] = set()  # of longer bodies, those that the lane waits for
        self.unsent: dict[Connection, Unsent] = {}
        self.refused = 0  # since the last look
        self.looking: asyncio.TimerHandle | None = None
        self.every = min(limits.receive_seconds, limits.send_seconds) / LOOKS
        self.patience = {
            Phase.REFUSED: LINGER_SECONDS,
            Phase.NEW: limits.receive_seconds,
            Phase.IDLE: inf,
            Phase.HEAD: limits.receive_seconds,
            Phase.REST: limits.receive_seconds,
            Phase.BODY: limits.receive_seconds,
            Phase.ANSWERING: inf,
        }

    def join(self, connection: Connection) -> None:
        """Take one more, for which others may have to go; it is refused where none can be spared."""
        loop = asyncio.get_running_loop()
        has_room = len(self.open) < self.limits.connections or self._make_room(loop.time())
        self.open[connection] = Mark(connection.state(), loop.time())
        if self.looking is None:
            self.looking = loop.call_later(self.every, self._look)
        if not has_room:
            connection.refuse(Overloaded())
            connection.end()

    def leave(self, connection: Connection) -> None:
        """Forget one."""
        self.open.pop(connection, None)
        self.unsent.pop(connection, None)
        self.let_go(connection)

    def take_in_front(self, connection: Connection) -> bool:
        """Let a body arrive that no route waits for; tell whether there was a place."""
        has_place = len(self.in_front) < self.limits.requests
        if has_place:
            self.in_front.add(connection)
        return has_place

    def take_body(self, connection: Connection) -> None:
        """Let a body arrive: as many as requests are answered; where one more comes, the slowest goes.

        Nothing is done for it meanwhile, and it keeps no other request from being answered.
        """
        if connection in self.arriving:
            return
        now = asyncio.get_running_loop().time()
        if len(self.arriving) >= self.limits.requests:
            slow = [one for one in self.arriving if one.state().phase is Phase.BODY]
            if not slow:  # all of them wait for the service
                connection.refuse(Overloaded())
                return
            slowest = min(slow, key=lambda one: self._speed(one, now))
            self.let_go(slowest)
            slowest.refuse(TooSlow(SLOW[Phase.BODY]))
        self.arriving[connection] = now

    def let_go(self, connection: Connection) -> None:
        """Wait no more for the body of a connection, which is there, or is needed no more."""
        self.arriving.pop(connection, None)
        self.in_front.discard(connection)

    def _speed(self, connection: Connection, now: float) -> float:
        """Tell how fast a body arrives, in bytes a second; who has just begun has the good of the doubt."""
        return (connection.state().taken + JUST_BEGUN) / (now - self.arriving[connection] + LEAST_SECONDS)

    def note(self, told: str, request_id: str = "") -> None:
        """Write down what was refused, unless much is."""
        self.refused += 1
        if self.refused <= MOST_TOLD:
            log.warning("refused %s", told, extra={"request_id": request_id} if request_id else None)

    def _make_room(self, now: float) -> bool:
        """End those that can best be spared, the oldest first; tell whether there are any."""
        found = [(since, one) for one, mark in self.open.items() for since in self._sparable(one, mark, now)]
        found.sort(key=itemgetter(0))
        chosen = found[: max(1, self.limits.connections // SHARE)]
        for _, connection in chosen:
            phase = connection.state().phase
            if phase in SLOW:
                connection.refuse(TooSlow(SLOW[phase]))
            if phase in {Phase.REFUSED, Phase.ANSWERING}:
                connection.cut()
            else:
                connection.end()
            self.leave(connection)
        if chosen:
            self.note(f"{len(chosen)} connections to make room for others")
        return bool(chosen)

    def _sparable(self, connection: Connection, mark: Mark, now: float) -> Iterator[float]:
        """Tell since when a connection waits for its client, if it does."""
        phase, unsent = connection.state().phase, self.unsent.get(connection)
        if phase == Phase.REFUSED:
            yield -inf
        elif phase != Phase.ANSWERING:
            yield mark.time
        elif unsent is not None and now - unsent.time >= self.limits.receive_seconds:
            yield unsent.time

    def _look(self) -> None:
        """Look at all of them, and again in a while if there are any."""
        loop = asyncio.get_running_loop()
        if self.refused > MOST_TOLD:
            log.warning("refused %d more", self.refused - MOST_TOLD)
        self.refused = 0
        for connection in list(self.open):
            self._look_at(connection, loop.time())
            self._look_at_unsent(connection, loop.time())
        self._relieve()
        self.looking = loop.call_later(self.every, self._look) if self.open else None

    def _look_at(self, connection: Connection, now: float) -> None:
        before, how = self.open[connection], connection.state()
        waited = now - before.time
        is_other = how[:2] != before.how[:2]
        if is_other or 0 < how.taken - before.how.taken >= waited * self.limits.bytes_per_second:
            self.open[connection] = Mark(how, now)
        elif waited >= self.patience[how.phase]:
            if how.phase in SLOW:
                connection.refuse(TooSlow(SLOW[how.phase]))
            elif how.phase == Phase.NEW:
                connection.end()
            else:
                connection.cut()

    def _look_at_unsent(self, connection: Connection, now: float) -> None:
        """Cut a connection whose client hardly takes what it was answered."""
        size, turns = connection.unsent()
        if not size:
            self.unsent.pop(connection, None)
            return
        before = self.unsent.setdefault(connection, Unsent(size, turns, now))
        waited = now - before.time
        if turns != before.turns or before.size - size >= max(1, waited * self.limits.bytes_per_second):
            self.unsent[connection] = Unsent(size, turns, now)
        elif waited >= self.limits.send_seconds:
            self.note("to wait longer for a client that takes no answer")
            connection.cut()
        else:  # more may have been written since
            self.unsent[connection] = before._replace(size=max(size, before.size))

    def _relieve(self) -> None:
        """Cut those who have not taken anything for the longest time until what all have yet to take is bearable."""
        total = sum(connection.unsent()[0] for connection in self.unsent)
        for connection, unsent in sorted(self.unsent.items(), key=lambda each: each[1].time):
            if total <= self.limits.unsent_bytes:
                return
            total -= unsent.size
            self.note("to keep the answer of a client that does not take it")
            connection.cut()
