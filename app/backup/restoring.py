"""Restoring: a backup becomes the store of a folder, and of a database where the catalogue is to be in one."""

import os
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, delete, func, insert, select

from app.backup import numbers
from app.backup.members import OWN, TABLES
from app.backup.rows import copy
from app.backup.targets import CATALOGUE, Place, finish, place_in
from app.backup.unpacking import Unpacked, unpack
from app.errors import StorageFull, StoreNotEmpty
from app.store import belonging
from app.store.databases import engine_of, opening_errors
from app.store.files import opened, storage_errors
from app.store.migrating import migrate, revision_of
from app.store.schema import stores

THE_DATABASE = "The database"


def restore(source: BinaryIO, root: Path, url: str | None = None, *, size: int = 0) -> Unpacked:
    """Put all of a backup into a folder, and the catalogue into the database of a URL, if there is one.

    Nothing is begun where there is no room for its size.
    Every bit is checked before anything is in its place, and nobody can open the store before all is. Raises
    StoreNotEmpty, BackupDamaged, BackupNewer, StoreUnfinished where another restores, StorageFull or StorageError.
    """
    with place_in(root) as place:
        _require_room(place, size)
        if url is not None:
            _look_at_database(place, url)
        unpacked = unpack(source, place.store)
        place.require_empty()
        if url is None:
            place.move_in(but={OWN})
        else:
            place.move_in(but={OWN, *CATALOGUE})
            with storage_errors(), opened(place.root) as folder:
                belonging.write_id(folder, place.own)
            _fill(place, url, unpacked.keys)
    finish(place)
    return unpacked


def _require_room(place: Place, size: int) -> None:
    """Raise StorageFull where a backup is longer than there is space for."""
    with storage_errors():
        disk = os.statvfs(place.root)
    if disk.f_bavail * disk.f_frsize < size:
        message = f"The backup has {size:,} bytes, and {place.root} has less space than that. Give it more."
        raise StorageFull(message)


def _look_at_database(place: Place, url: str) -> None:
    """Raise StoreNotEmpty for a database that has a catalogue, before anything is read for it."""
    engine = engine_of(place.root, url, writes=False)
    try:
        with opening_errors(), engine.connect() as connection:
            if revision_of(connection) is not None:
                _require_free(connection, place)
    finally:
        engine.dispose()


def _require_free(connection: Connection, place: Place) -> bool:
    """Tell whether an attempt that was broken off has filled the database; raise StoreNotEmpty if others did."""
    known = connection.scalar(select(stores.c.id))
    if known not in {None, place.own}:
        raise StoreNotEmpty(THE_DATABASE)
    if known is None and any(connection.scalar(select(func.count()).select_from(table)) for table in TABLES):
        raise StoreNotEmpty(THE_DATABASE)
    return known is not None


def _fill(place: Place, url: str, keys: int) -> None:
    """Copy the catalogue into the database, in one transaction."""
    origin, target = engine_of(place.store, None, writes=False), engine_of(place.root, url, writes=True)
    try:
        with opening_errors(), origin.connect() as rows, target.begin() as connection:
            migrate(connection)
            if _require_free(connection, place):
                for table in (*reversed(TABLES), stores):
                    connection.execute(delete(table))
            connection.execute(insert(stores).values(id=place.own))
            for table in TABLES:
                copy(rows, connection, table)
            numbers.go_on(connection, keys)
    finally:
        origin.dispose()
        target.dispose()
