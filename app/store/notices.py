"""Notices: what other processes have committed to PostgreSQL, as it tells them, or looked for where it may not.

Whoever commits what others remember sends a NOTIFY with it. A connection of each process does nothing but listen, and
asks for a sign of life twice a second, which comes after all that was told before: as long as there are such signs,
what was not told did not happen. Where there are none, or notices do not arrive (a pooler may keep them from it), what
is remembered is read again four times a second.
"""

import logging
import os
import secrets
from collections.abc import Callable, Hashable
from contextlib import closing
from select import POLLIN, poll
from threading import Thread
from time import monotonic
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

FRESH = 0.25  # seconds for which what others commit may not be seen where nobody tells of it
PULSE = 0.5  # seconds between signs of life
TRUSTED = 1.0  # seconds for which one is relied on
ARRIVAL = 2.0  # seconds within which a notice arrives, or none does
PAUSES = (0.1, 2.0)  # seconds before another connection is tried, at first and at most
DEAF = 60.0  # seconds before it is tried again where none arrive
CHANGED, QUEUED = "netlet_changed", "netlet_queued"
LISTENER = "netlet listener"  # as `pg_stat_activity` calls the connection
NEVER = float("-inf")

log = logging.getLogger(__name__)


class _Deaf(Exception):
    """Notices do not arrive on this connection."""


def telling(own: str, *channels: str) -> str:
    """Write the statement by which a transaction tells others of itself, when it is committed; empty for no channel."""
    told = ", ".join(f"pg_notify('{channel}', '{own}')" for channel in channels)
    return told and f"SELECT {told}"


class Notices:
    """Those of one process."""

    def __init__(self, reader: Engine) -> None:
        self.reader = reader
        self.own = secrets.token_hex(8)
        """By which this process knows what it told itself."""
        self.when_queued: Callable[[], None] | None = None
        """Called, in a thread of its own, when others may have left a job to whoever has a place for it."""
        self.told = 0
        self.heard = NEVER
        self.has_arrived = False
        self.thread: Thread | None = None
        self.end = -1

    @property
    def generation(self) -> Hashable:
        """Something that changes whenever others may have committed what is remembered here."""
        return self.told, None if self.is_trusted else monotonic() // FRESH

    @property
    def is_trusted(self) -> bool:
        """Whether what was not told did not happen."""
        return monotonic() - self.heard < TRUSTED

    def begin(self) -> None:
        """Begin to listen."""
        self.end = os.eventfd(0, os.EFD_CLOEXEC)
        self.thread = Thread(target=self._listen, name="notices", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End, at once if the server does not keep it waiting: then the thread ends with its connection."""
        if self.thread is None:
            return
        os.eventfd_write(self.end, 1)
        self.thread.join(PULSE)
        if not self.thread.is_alive():
            os.close(self.end)
        self.thread, self.heard = None, NEVER

    def _listen(self) -> None:
        """Listen, and connect anew where that is lost."""
        end, pause, is_known = self.end, PAUSES[0], False
        lost = self.reader.dialect.loaded_dbapi.Error, SQLAlchemyError, OSError, _Deaf
        while True:
            try:
                with closing(self._connected()) as connection:
                    log.log(logging.INFO if is_known else logging.DEBUG, "the catalogue tells of changes")
                    pause, is_known = PAUSES[0], False
                    self._follow(connection, end)
                    return
            except lost as error:
                self.heard = NEVER
                pause = DEAF if isinstance(error, _Deaf) else pause
                if not is_known:
                    why = str(error).partition("\n")[0]
                    log.warning("the catalogue does not tell of changes (%s): they are looked for", why)
                is_known = True
            if _told_by((end,), pause):
                return
            pause = PAUSES[0] if pause >= DEAF else min(2 * pause, PAUSES[1])

    def _connected(self) -> Any:  # noqa: ANN401 - psycopg's, which is not there for everybody
        """Give a connection on which notices arrive; it is none of the pool's."""
        pooled = self.reader.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        try:
            connection.add_notify_handler(self._note)
            connection.execute(f"SET application_name = '{LISTENER}'")
            for channel in (CHANGED, QUEUED, self._trial):
                connection.execute(f"LISTEN {channel}")
            self._require_arrival(connection)
        except BaseException:
            connection.close()
            raise
        self.told += 1  # whatever was committed before
        self._tell_queued()
        return connection

    @property
    def _trial(self) -> str:
        return f"netlet_{self.own}"

    def _require_arrival(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Raise _Deaf unless a notice of another session arrives."""
        self.has_arrived = False
        with self.reader.connect() as other:
            other.execute(text(telling(self.own, self._trial)))
        deadline = monotonic() + ARRIVAL
        while not self.has_arrived:
            if monotonic() > deadline:
                message = "notices do not arrive; does a pooler share connections by transactions?"
                raise _Deaf(message)
            _told_by((connection.fileno(),), PULSE)
            connection.execute("SELECT 1")

    def _follow(self, connection: Any, end: int) -> None:  # noqa: ANN401 - as above
        """Take notices until the end."""
        while True:
            asked = monotonic()
            connection.execute("SELECT 1")  # what was told before comes before the answer
            self.heard = asked
            if end in _told_by((connection.fileno(), end), PULSE):
                return

    def _note(self, notice: Any) -> None:  # noqa: ANN401 - as above
        """Take one notice."""
        if notice.channel == self._trial:
            self.has_arrived = True
        elif notice.payload != self.own:
            self.told += notice.channel == CHANGED
            if notice.channel == QUEUED:
                self._tell_queued()

    def _tell_queued(self) -> None:
        if (when_queued := self.when_queued) is not None:
            when_queued()


def _told_by(descriptors: tuple[int, ...], seconds: float) -> set[int]:
    """Tell which of some descriptors, however many others are open, have something to read within some seconds."""
    waiting = poll()
    for descriptor in descriptors:
        waiting.register(descriptor, POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(seconds * 1000)}
