"""The databases that a catalogue can be in: how they are connected to, and what they may refuse."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from app.errors import CatalogueDamaged, Contended, StorageError, StorageFull
from app.store import locks
from app.store.files import MORE_SPACE

FILE = ".catalogue.sqlite"
PATIENCE = 30  # seconds to wait for another process to finish writing
READERS = {"pool_size": 4, "max_overflow": 4}  # each of which is done in milliseconds: others wait for their turn.
WRITER = {"pool_size": 1, "max_overflow": 0}  # With who listens, 9 processes have room in PostgreSQL's 100 connections.
ABOUT = "netlet_about"  # option of a connection: the locks of the transaction that it begins, None for all
REPAIR = "netlet check --repair makes a new one from the files."
DISK_FULL = "53100"
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last for tables that are not ours
NO_SPACE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}  # the last where not even an index of the log fits
CONTENTION = {"40001", "40P01"}  # PostgreSQL's: others wrote the same, or waited in a circle; nothing was done
REFUSALS = {"42501", "42P01"}  # PostgreSQL's: what is asked for is not allowed any more, or is gone
SILENCE = {  # a server that does not answer is given up after half a minute, unless the URL says otherwise
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "application_name": "netlet",
}

log = logging.getLogger(__name__)
T = TypeVar("T")


def engine_of(root: Path, url: str | None, *, writes: bool) -> Engine:
    """Connect to SQLite in a folder or to the PostgreSQL that a URL names, where who writes says what about."""
    if url is not None:
        return _postgresql(make_url(url), writes=writes)
    # Only `Catalogue.open` makes a file: an empty one beside the log of one that was taken away would empty that log.
    place = URL.create("sqlite", database=f"file:{quote(str(root / FILE))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(place, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _settle_in)
    if writes:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _postgresql(url: URL, *, writes: bool) -> Engine:
    url = url.set(query=SILENCE | dict(url.query))
    level = "READ COMMITTED" if writes else "AUTOCOMMIT"
    pool = WRITER if writes else READERS  # of which those that have not been used for longest are left to idle
    try:
        engine = create_engine(url, pool_pre_ping=writes, pool_use_lifo=True, isolation_level=level, **pool)
    except ImportError as error:
        message = "A catalogue in PostgreSQL needs psycopg: install netlet with the extra postgresql."
        raise StorageError(message) from error
    if writes:
        event.listen(engine, "begin", _wait_for_others)
    return engine


def _wait_for_others(connection: Connection) -> None:
    """Begin once nobody else writes about the same, or, where that is not said, once nobody else writes."""
    about = connection.get_execution_options().get(ABOUT)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
    locks.take(connection, about)


def _settle_in(connection: DBAPIConnection, _record: object) -> None:
    """Prepare a connection of SQLite: transactions as we begin them, and on disk before anyone is told."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.cursor().execute(f"PRAGMA {pragma}")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what the database refuses, but not what it was asked for wrongly, into StorageFull or StorageError."""
    try:
        yield
    except (DBAPIError, NoConnection) as error:
        if isinstance(error, (IntegrityError, DataError, ProgrammingError)) and _state(error) not in REFUSALS:
            raise
        _require_space(error)
        message = "The catalogue cannot be used; the log of the service has the reason."
        if _state(error) in CONTENTION:
            log.info("a transaction begins anew (%s)", _reason(error))
            raise Contended from error
        log.warning("the catalogue cannot be used (%s)", _reason(error))
        raise StorageError(message) from error


def persistently(do: Callable[[T], None], what: T) -> None:
    """Do something that is tried again for half a minute where others are in the way; raise Contended after that."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential  # noqa: PLC0415 - 30 ms that SQLite does not need

    again, pauses = retry_if_exception_type(Contended), wait_random_exponential(multiplier=0.01, max=1)
    Retrying(retry=again, wait=pauses, stop=stop_after_delay(PATIENCE), reraise=True)(do, what)


@contextmanager
def opening_errors() -> Iterator[None]:
    """Turn whatever keeps a database from being opened into StorageError, with the reason: it is told the operator.

    Raises CatalogueDamaged only where that is what is wrong: a healthy one may be locked, or on a disk that is full.
    """
    try:
        yield
    except SQLAlchemyError as error:
        _require_space(error)
        if _code(error) & 0xFF in DAMAGE:  # the rest of an extended code tells more
            message = f"The catalogue is damaged ({_reason(error)}). {REPAIR}"
            raise CatalogueDamaged(message) from error
        message = f"The catalogue cannot be opened ({_reason(error)})."
        raise StorageError(message) from error


def _require_space(error: SQLAlchemyError) -> None:
    """Raise StorageFull where that is what the database complains of."""
    if _state(error) == DISK_FULL or _code(error) in NO_SPACE:
        message = f"The disk is full. {MORE_SPACE}"
        raise StorageFull(message) from error


def _state(error: SQLAlchemyError) -> str | None:
    """Give the five letters by which PostgreSQL tells its errors apart; SQLite has none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _code(error: SQLAlchemyError) -> int:
    """Give the number by which SQLite tells its errors apart; 0 is none of them."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)


def _reason(error: SQLAlchemyError) -> str:
    """Say what the database said, in one line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]
