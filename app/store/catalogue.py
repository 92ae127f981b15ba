"""The catalogue: what there is, in SQL. Written in transactions that those who write at the same time share."""

import fcntl
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row, create_engine, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from app.errors import CatalogueNewer, StorageError, StorageFull
from app.store.files import MORE_SPACE, opened, rename, storage_errors, sync

FILE = ".catalogue.sqlite"
REVISION = "0001"  # the newest of the migrations
PATIENCE = 30  # seconds to wait for another process to finish writing
MOST_AT_ONCE = 256  # works that share a transaction
ONE_WRITER = 0x6E65746C6574  # PostgreSQL's advisory lock that stands for what SQLite's lock does

T = TypeVar("T")
log = logging.getLogger(__name__)


class Unit:
    """A transaction that is being put together, with the files that it is about."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.folders: set[Path] = set()
        self.placed: list[tuple[Path, Path]] = []
        self.is_whole = False

    def execute(self, statement: Executable, values: Sequence[Mapping[str, object]] | None = None) -> int:
        """Change rows, and tell how many."""
        return int(self.connection.execute(statement, values).rowcount)

    def place(self, aside: Path, folder: Path, name: str) -> None:
        """Rename a file that was written aside and synced to its place; the folder is synced before the commit."""
        rename(aside, folder / name)
        self.placed.append((aside, folder / name))
        self.folders.add(folder)

    def sync(self) -> None:
        """Make sure that what was placed is on disk."""
        for folder in self.folders:
            sync(folder)
        self.is_whole = True

    def undo(self) -> None:
        """Put back what was placed: what cannot be acknowledged is not to be seen either."""
        for aside, placed in self.placed:
            rename(placed, aside)


class _Work:
    """Something to be done in a transaction, and the promise of what it gives."""

    def __init__(self, do: Callable[[Unit], Any]) -> None:
        self.do = do
        self.future: Future[Any] = Future()
        self.outcome: Any = None


class Catalogue:
    """The database of a store: SQLite in its folder, or the one that a URL names.

    Safe to use from many threads and processes at once. All writing goes through one thread, so that whatever is asked
    for while a commit is under way shares the next one.
    """

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.root = root
        self.is_sqlite = url is None
        self.writer = _engine(root, url, writes=True)
        self.reader = _engine(root, url, writes=False)
        self.waiting: SimpleQueue[_Work | None] = SimpleQueue()  # None is the last
        self.thread: Thread | None = None
        self.watch: Connection | None = None
        self.lock = Lock()

    def open(self, fill: Callable[[Unit], object] = lambda _unit: None) -> None:
        """Make or migrate the tables where that is needed, and fill them where they are new; raise CatalogueNewer."""
        with storage_errors(), database_errors(), _alone(self.root):
            if self.is_sqlite:
                (self.root / FILE).touch(mode=0o600)  # which its companions take over
            self._migrate(fill)
        self.thread = Thread(target=self._work, name="catalogue", daemon=True)
        self.thread.start()

    def _migrate(self, fill: Callable[[Unit], object]) -> None:
        with self.writer.begin() as connection:
            there = inspect(connection).get_table_names()
            found = connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None
            if found != REVISION:
                _upgrade(connection)
            if found is None:
                fill(Unit(connection))

    def close(self) -> None:
        """End, once all that was asked for is done."""
        if self.thread is not None:
            self.waiting.put(None)
            self.thread.join()
        if self.watch is not None:
            self.watch.close()
        self.thread = self.watch = None
        for engine in (self.writer, self.reader):
            engine.dispose()

    def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """Give the rows of one statement; raise StorageError."""
        with database_errors(), self.reader.connect() as connection:
            return connection.execute(statement).all()

    def write(self, do: Callable[[Unit], T]) -> Future[T]:
        """Do something in a transaction; its result is there once it is on disk.

        What raises changes nothing, and harms none of those that share its transaction; it may be done twice.
        """
        work = _Work(do)
        self.waiting.put(work)
        return work.future

    @property
    def generation(self) -> int | None:
        """A number that changes with every commit of anybody; None where that cannot be told."""
        if not self.is_sqlite:
            return None
        with database_errors(), self.lock:
            if self.watch is None:
                self.watch = self.reader.connect()  # which has its own count
            return int(self.watch.exec_driver_sql("PRAGMA data_version").scalar_one())

    def _work(self) -> None:
        ends = False
        while not ends:
            together = [self.waiting.get()]
            with suppress(Empty):
                while len(together) < MOST_AT_ONCE:
                    together.append(self.waiting.get_nowait())
            ends = None in together
            self._commit([work for work in together if work and work.future.set_running_or_notify_cancel()])

    def _commit(self, together: list[_Work]) -> None:
        """Do some works in one transaction; where that cannot be done, each in one of its own."""
        unit = None
        try:
            with storage_errors(), database_errors(), self.writer.begin() as connection:
                unit = Unit(connection)
                for work in together:
                    _attempt(unit, work)
                unit.sync()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked for it
            # A commit that failed may yet have been one, unless it was for want of space.
            if unit is not None and (not unit.is_whole or (self.is_sqlite and isinstance(error, StorageFull))):
                unit.undo()
            if len(together) > 1:
                for work in together:
                    self._commit([work])
            else:
                together[0].future.set_exception(error)
            return
        for work in together:
            if isinstance(work.outcome, Exception):
                work.future.set_exception(work.outcome)
            else:
                work.future.set_result(work.outcome)


def _attempt(unit: Unit, work: _Work) -> None:
    """Do one of the works that share a transaction; what it raises undoes what it did."""
    placed = len(unit.placed)
    try:
        with unit.connection.begin_nested():
            work.outcome = work.do(unit)
    except (SQLAlchemyError, OSError):  # the transaction may be broken
        raise
    except Exception as error:  # noqa: BLE001 - it is told to who asked for it
        assert len(unit.placed) == placed, "a work that places files must not raise"  # noqa: S101 - what callers promise
        work.outcome = error


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what the database refuses, but not what it was asked for wrongly, into StorageFull or StorageError."""
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise
    except (DBAPIError, NoConnection) as error:
        reason = str(error).splitlines()[0]
        if "is full" in reason:
            message = f"The disk is full. {MORE_SPACE}"
            raise StorageFull(message) from error
        log.warning("the catalogue cannot be used (%s)", reason)
        message = "The catalogue cannot be used; the log of the service has the reason."
        raise StorageError(message) from error


def _engine(root: Path, url: str | None, *, writes: bool) -> Engine:
    if url is not None:
        level = "READ COMMITTED" if writes else "AUTOCOMMIT"
        engine = create_engine(url, pool_pre_ping=True, isolation_level=level)
        if writes:
            event.listen(engine, "begin", lambda connection: connection.execute(_LOCK))
        return engine
    engine = create_engine(f"sqlite:///{root / FILE}", connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _settle_in)
    if writes:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


_LOCK = text(f"SELECT pg_advisory_xact_lock({ONE_WRITER})")


def _settle_in(connection: DBAPIConnection, _record: object) -> None:
    """Prepare a connection of SQLite: transactions as we begin them, and on disk before anyone is told."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.cursor().execute(f"PRAGMA {pragma}")


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold a lock among the processes of this machine."""
    with opened(root) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


def _upgrade(connection: Connection) -> None:
    """Run the migrations that are missing."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415 - a quarter of a second that only a new catalogue needs
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CatalogueNewer from error
