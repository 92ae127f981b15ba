"""The catalogue: what there is, in SQL. Written in transactions that those who write at the same time share."""

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, PoolProxiedConnection, Row, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from app.errors import CatalogueDamaged, Contended, StorageError, StorageFull
from app.store import belonging, locks
from app.store.databases import (
    ABOUT,
    FILE,
    PATIENCE,
    REPAIR,
    database_errors,
    engine_of,
    opening_errors,
    persistently,
)
from app.store.files import opened, storage_errors
from app.store.migrating import migrate
from app.store.notices import CHANGED, Notices, telling
from app.store.remote import NOTHING, Remote
from app.store.reserve import Reserve
from app.store.unit import Unit, Values, Work, attempt

__all__ = ["Catalogue", "Unit", "Values"]

MOST_AT_ONCE = 256  # works that share a transaction
CLOSED = "The catalogue is closed."
TAKEN_AWAY = "The catalogue is not in its place any more. Bring it back, and start the service again."

log = logging.getLogger(__name__)
T = TypeVar("T")


class Catalogue:
    """The database of a store: SQLite in its folder, or the one that a URL names.

    Safe to use from many threads and processes at once. All writing goes through one thread, so that whatever is asked
    for while a commit is under way shares the next one.
    """

    def __init__(self, root: Path, url: str | None = None, remote: Remote = NOTHING) -> None:
        self.root, self.remote = root, remote
        self.is_sqlite = url is None
        self.reserve = Reserve(root) if url is None else None
        self.writer = engine_of(root, url, writes=True)
        self.reader = engine_of(root, url, writes=False)
        self.waiting: SimpleQueue[Work | None] = SimpleQueue()  # None is the last
        self.thread: Thread | None = None
        self.watch: PoolProxiedConnection | None = None
        self.commits = 0  # of what readers keep
        self.notices = None if url is None else Notices(self.reader)
        self.place: tuple[int, int] | None = None
        self.lock = Condition()
        self.is_open = False
        self.users = 0

    def open(self, fill: Callable[[Unit], object] = lambda _unit: None, *, alone: bool = True) -> None:
        """Make or migrate the tables where that is needed, and fill them where they are new.

        Where others have it open, but it is not in its place, it was taken away: then none is made.
        Raises CatalogueNewer, CatalogueForeign, CatalogueDamaged, or StorageError with what keeps it from being opened.
        """
        with self.restoring(), storage_errors(), _alone(self.root):
            if self.is_sqlite:
                belonging.require_unclaimed(self.root)
                if not (alone or (self.root / FILE).exists()) and (self.root / f"{FILE}-wal").exists():
                    raise StorageError(TAKEN_AWAY)
                (self.root / FILE).touch(mode=0o600)  # which its companions take over
                if not (self.root / FILE).is_file():
                    message = f"The catalogue is damaged: what is in its place is no file. {REPAIR}"
                    raise CatalogueDamaged(message)
            try:
                self._migrate(fill)
            except StorageFull:
                if self.reserve is None:
                    raise
                self.reserve.release()  # whoever opens it may give back space
                self._migrate(fill)
            self.place = self._place()
        self.is_open = True
        self.thread = Thread(target=self._work, name="catalogue", daemon=True)
        self.thread.start()

    def _migrate(self, fill: Callable[[Unit], object]) -> None:
        with opening_errors(), self.writer.begin() as connection:
            is_new = migrate(connection)
            if not self.is_sqlite:
                is_new = belonging.claim(connection, self.root, self.remote)
            if is_new:
                fill(Unit(connection, self.remote))

    def _place(self) -> tuple[int, int] | None:
        """Tell which file the catalogue is, if it is one."""
        if not self.is_sqlite:
            return None
        file = (self.root / FILE).stat()
        return file.st_dev, file.st_ino

    def require_in_place(self) -> None:
        """Raise StorageError where the file was removed or replaced: what is written to it then, nobody finds again."""
        with suppress(FileNotFoundError):
            if self._place() == self.place:
                return
        raise StorageError(TAKEN_AWAY)

    def close(self) -> None:
        """End, once all that was asked for is done; who asks later is told that it is closed."""
        with self.lock:
            self.is_open = False
            self.lock.wait_for(lambda: not self.users, PATIENCE)
        if self.thread is not None:
            self.waiting.put(None)
            self.thread.join()
        if self.watch is not None:
            self.watch.close()
        self.thread = self.watch = None
        if self.notices is not None:
            self.notices.close()
        for engine in (self.writer, self.reader):
            engine.dispose()

    def read(self, statement: Executable, values: Values | None = None) -> Sequence[Row[Any]]:
        """Give the rows of one statement; raise StorageError."""
        with database_errors(), self._used():
            try:
                return self._read(statement, values)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return self._read(statement, values)  # by a new connection: all that were lost are forgotten

    def _read(self, statement: Executable, values: Values | None) -> Sequence[Row[Any]]:
        with self.reader.connect() as connection:
            return connection.execute(statement, values).all()

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """Give one state of everything, whatever is written meanwhile; raise StorageError."""
        options: dict[str, Any] = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with database_errors(), self._used(), self.reader.connect().execution_options(**options) as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    def write(self, do: Callable[[Unit], T], about: Collection[str] | None = None) -> Future[T]:
        """Do something in a transaction; its result is there once it is on disk.

        What raises changes nothing, and harms none of those that share its transaction; it may be done twice. Servers
        that share PostgreSQL wait for each other where they write about the same, as `locks` has it; by default, where
        any of them writes.
        """
        work = Work(do, about)
        with self._used():
            self.waiting.put(work)
        return work.future

    def free(self, do: Callable[[Unit], T], about: Collection[str] | None = None) -> T:
        """Do as `write` does what gives back space, on a full disk with what is held in reserve for it.

        Where there is hardly any, SQLite's log gives back what it takes, too.
        """
        try:
            done = self.write(do, about).result()
        except StorageFull:
            if self.reserve is None:
                raise
            self.reserve.release()
            done = self.write(do, about).result()
        if self.reserve is not None and self.reserve.is_scarce():
            with suppress(StorageError):
                self.read(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return done

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Hold space in reserve at the end, which may be that which is given back meanwhile."""
        try:
            yield
        finally:
            if self.reserve is not None:
                self.reserve.hold()

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Let nobody close it meanwhile; raise StorageError where it is closed."""
        with self.lock:
            if not self.is_open:
                raise StorageError(CLOSED)
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                self.lock.notify_all()

    @property
    def generation(self) -> Hashable | None:
        """Something that changes with every commit of what readers keep, whoever's; None where that cannot be told.

        PostgreSQL tells of those of others a moment later; until it does, it changes some times a second.
        """
        if self.notices is not None:
            self._listen(self.notices)
            return self.commits, self.notices.generation
        with self.lock:
            if not self.is_open:
                raise StorageError(CLOSED)
            try:
                return int(next(self._watching().execute("PRAGMA data_version"))[0])
            except sqlite3.Error:  # which whoever reads next is told of
                return None

    def when_queued(self, look: Callable[[], None] | None) -> None:
        """Call this, in another thread, when others leave a job to whoever has a place for it, if they tell of it."""
        if self.notices is not None:
            self.notices.when_queued = look
            if look is not None:
                self._listen(self.notices)

    def _listen(self, notices: Notices) -> None:
        """Begin to listen, unless that is done already."""
        if notices.thread is None:
            with self.lock:
                if self.is_open and notices.thread is None:
                    notices.begin()

    def _watching(self) -> DBAPICursor:
        """Give the cursor of a connection that does nothing else: each has its own count of the others' commits."""
        if self.watch is None:
            with database_errors():
                self.watch = self.reader.raw_connection()
            self.cursor = self.watch.cursor()
        return self.cursor

    def _work(self) -> None:
        ends = False
        while not ends:
            together = [self.waiting.get()]
            with suppress(Empty):
                while len(together) < MOST_AT_ONCE:
                    together.append(self.waiting.get_nowait())
            ends = None in together
            self._commit([work for work in together if work and work.future.set_running_or_notify_cancel()])

    def _commit(self, together: list[Work]) -> None:
        """Do some works in one transaction; where that cannot be done, each in one of its own."""
        if self.is_sqlite:
            self._try(together)
            return
        try:
            persistently(self._try, together)
        except Contended as error:
            for work in together:
                work.future.set_exception(error)

    def _try(self, together: list[Work]) -> None:
        """Do it; raise Contended where nothing was done, and may be done again."""
        unit = None
        try:
            with storage_errors(), database_errors(), self._transaction(together) as connection:
                unit = Unit(connection, self.remote)
                for work in together:
                    attempt(unit, work)
                self._tell(unit)
                self.require_in_place()
                unit.sync()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked for it
            self._undo(unit, together, error)
            return
        self.commits += CHANGED in unit.channels
        for work in together:
            if isinstance(work.outcome, Exception):
                work.future.set_exception(work.outcome)
            else:
                work.future.set_result(work.outcome)

    @contextmanager
    def _transaction(self, together: list[Work]) -> Iterator[Connection]:
        """Begin, once nobody else writes about the same."""
        with self.writer.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(**{ABOUT: locks.together(work.about for work in together)})
            with connection.begin():
                yield connection

    def _tell(self, unit: Unit) -> None:
        """Let others be told, if and when it is committed."""
        if self.notices is not None and unit.channels:
            unit.connection.exec_driver_sql(telling(self.notices.own, *sorted(unit.channels)))

    def _undo(self, unit: Unit | None, together: list[Work], error: Exception) -> None:
        """Leave nothing of what failed, and do each work alone; raise the error where they may be done again.

        A commit that failed may yet have been one, unless it was for want of space, or others were in the way.
        """
        self.commits += 1
        is_contended = isinstance(error, Contended)
        is_undone = unit is not None and (
            is_contended or not unit.is_whole or (self.is_sqlite and isinstance(error, StorageFull))
        )
        if unit is not None and is_undone:
            unit.undo()
        if is_contended:
            raise error
        if is_undone and len(together) > 1:
            for work in together:
                self._commit([work])
        else:
            for work in together:
                work.future.set_exception(error)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold a lock among the processes of this machine."""
    with opened(root) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
