"""Snapshots that arrive from another netlet, or from anywhere: they are versions once they have been found whole."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from app.errors import MalformedSnapshot, NewerSnapshot, SnapshotError, StorageError, VersionNotFound
from app.models.model import Model
from app.store import locks, snapshot
from app.store.catalogue import Unit
from app.store.deleting import clear_expired
from app.store.document import FORMAT, Damage
from app.store.numbering import Added, add_version, keep_behind, places
from app.store.references import require_name
from app.store.saving import Saved, drop, save_as_it_is
from app.store.schema import versions
from app.store.store import ModelStore

log = logging.getLogger(__name__)


class Arrived(NamedTuple):
    """The version that a snapshot is, and whether it has become it only now."""

    version: int
    is_new: bool


def read(data: bytes) -> Model:
    """Read a snapshot that arrives; raise MalformedSnapshot or NewerSnapshot."""
    try:
        return snapshot.decode(data)[0]
    except snapshot.NewerFormat as error:
        raise NewerSnapshot(error.found, FORMAT) from error
    except Damage as error:
        raise MalformedSnapshot(str(error)) from error


def bring_in(store: ModelStore, name: str, data: bytes) -> Arrived:
    """Make a snapshot that has been read the next version of a name, byte for byte, on disk before anyone is told.

    What is a whole version of the name already stays that one. Raises InvalidRequest for what no model can be called,
    StorageFull, StorageError.
    """
    require_name(name)
    saved, found = save_as_it_is(store.root, data), None
    try:
        while found is None:
            found = _listed(store, name, saved)
    finally:
        drop(store.root, saved)
    if isinstance(found, int):
        return Arrived(found, is_new=False)
    clear_expired(store.catalogue, found.gone)
    return Arrived(found.version, is_new=True)


def _listed(store: ModelStore, name: str, saved: Saved) -> Added | int | None:
    """List it, or find the version that it is; None where that is deleted meanwhile, and it is not in a bucket yet."""
    known = whole_versions(store, name, saved.sha256)
    number = None if any(known.values()) else keep_behind(store.catalogue, name, saved)

    def do(unit: Unit) -> Added | int | None:
        there = _there(unit, name, saved, known)
        if there:
            return max(there)
        if number is None and store.remote.is_there:
            return None
        return add_version(unit, store.root, name, saved, number)

    found = store.catalogue.write(do, {locks.of_model(name)}).result()
    if isinstance(found, int) and number is not None:  # another server has brought the same meanwhile
        _remove_behind(store, places(store.root, [name], [number], [saved]).values())
    return found


def _remove_behind(store: ModelStore, files: Iterable[Path]) -> None:
    """Remove what was brought to the bucket for nothing; where it refuses, `netlet check` tells of it."""
    try:
        store.remote.remove(files)
    except StorageError as error:
        log.warning("a snapshot that is there twice stays in the bucket (%s)", error)


def whole_versions(store: ModelStore, name: str, sha256: str) -> dict[int, bool]:
    """Tell of each version with these bytes whether its file is whole."""
    whole = {}
    same = select(versions.c.version).where(versions.c.name == name, versions.c.sha256 == sha256)
    for row in store.catalogue.read(same):
        try:
            store.file(name, row.version)
            whole[row.version] = True
        except (SnapshotError, VersionNotFound):
            whole[row.version] = False
    return whole


def _there(unit: Unit, name: str, saved: Saved, known: dict[int, bool]) -> list[int]:
    """List the versions with these bytes that are not known to be damaged."""
    same = select(versions.c.version).where(versions.c.name == name, versions.c.sha256 == saved.sha256)
    return [version for version in unit.connection.scalars(same) if known.get(version, True)]
