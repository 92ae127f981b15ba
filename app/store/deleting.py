"""Deletion: versions that go, because somebody asked for it or by a rule: from the catalogue, then from the disk."""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from app.errors import ModelNotFound, StorageError, VersionNotFound
from app.store.aliases import Change, remove_all, require_pointed, require_unused
from app.store.catalogue import Catalogue, Unit
from app.store.files import empty, opened, remove, storage_errors
from app.store.layout import DELETED, SNAPSHOT, snapshot_file
from app.store.locks import of_model
from app.store.memories import MEMORY
from app.store.references import Pointer, Reference
from app.store.remote import Remote
from app.store.schema import aliases, leaving, models, versions

_LEFT = delete(leaving).where(leaving.c.name == bindparam("of"), leaving.c.version == bindparam("which"))

log = logging.getLogger(__name__)


class Gone(NamedTuple):
    """Versions of a model that the catalogue does not list any more, whose files are to go."""

    name: str
    versions: list[int]
    highest: int
    """The highest that was ever given out."""


def forget(unit: Unit, reference: Reference, who: str = "") -> Gone:
    """Take one version, or all of a model with its aliases, out of the catalogue.

    Raises ModelNotFound, VersionNotFound, AliasNotFound, or VersionInUse where an alias points to the version.
    """
    name, version = reference.name, reference.version
    if reference.alias is not None:
        version = require_pointed(unit, Pointer(name, reference.alias)).version
    own = versions.c.name == name
    there = sorted(unit.connection.scalars(select(versions.c.version).where(own)))
    if not there:
        raise ModelNotFound(name)
    if version is None:
        remove_all(unit, name, Change(who, "The model was deleted."))
        unit.execute(delete(versions).where(own))
    elif version in there:
        require_unused(unit, name, version)
        unit.execute(delete(versions).where(own, versions.c.version == version))
    else:
        raise VersionNotFound(name, version)
    gone = there if version is None else [version]
    _leave(unit, name, gone)
    if gone == there:  # a model that comes back under this name keeps all its versions
        unit.execute(update(models).where(models.c.name == name).values(keep_last=None))
    return Gone(name, gone, _highest(unit, name))


def keep(unit: Unit, name: str, keep_last: int | None) -> Gone:
    """Set how many of its newest versions a model keeps (None is all), and expire the others; raise ModelNotFound."""
    if unit.connection.scalar(select(versions.c.version).where(versions.c.name == name).limit(1)) is None:
        raise ModelNotFound(name)
    unit.execute(update(models).where(models.c.name == name).values(keep_last=keep_last))
    return Gone(name, expire(unit, name, keep_last), _highest(unit, name))


def expire(unit: Unit, name: str, keep_last: int | None) -> list[int]:
    """Take the versions out of the catalogue that are none of so many newest, and that no alias points to."""
    if keep_last is None:
        return []
    own, version = versions.c.name == name, versions.c.version
    oldest = select(version).where(own).order_by(version.desc()).offset(keep_last - 1).limit(1).scalar_subquery()
    pointed = select(aliases.c.version).where(aliases.c.name == name)
    gone = list(unit.connection.scalars(select(version).where(own, version < oldest, version.not_in(pointed))))
    if gone:
        unit.execute(delete(versions).where(own, version <= max(gone), version.not_in(pointed)))
        _leave(unit, name, gone)
    return sorted(gone)


def _leave(unit: Unit, name: str, gone: Iterable[int]) -> None:
    """Write down whose files a bucket has to give back, which may be away by then."""
    if unit.remote.is_there:
        unit.execute(insert(leaving), [{"name": name, "version": version} for version in gone])


def broken_off(catalogue: Catalogue, reference: Reference) -> Gone:
    """Find what is not listed, but still has its files, since its deletion was broken off.

    In a folder that is told by the files; a bucket has those of versions, too, that are about to be listed.
    """
    name = reference.name
    highest = max(
        (row.highest for row in catalogue.read(select(models.c.highest).where(models.c.name == name))), default=0
    )
    if catalogue.remote.is_there:
        left = _left(catalogue, name)
    else:
        listed = {row.version for row in catalogue.read(select(versions.c.version).where(versions.c.name == name))}
        there: set[int] = set()
        with storage_errors(), suppress(FileNotFoundError), opened(catalogue.root / name) as folder:
            there = _versions(os.listdir(folder))  # noqa: PTH208 - a descriptor
        left = {version for version in there if version <= highest} - listed
    chosen = left if reference.version is None else left & {reference.version}
    return Gone(name, sorted(chosen), highest)


def clear(catalogue: Catalogue, gone: Gone) -> None:
    """Give back the space of versions that are not listed any more. Only the highest number leaves a mark.

    In a bucket, so it is done for those of this model for which it was broken off before.
    """
    if catalogue.remote.is_there:
        gone = gone._replace(versions=sorted({*gone.versions, *_left(catalogue, gone.name)}))
        _clear_behind(catalogue.remote, catalogue.root / gone.name, gone)
        done = [{"of": gone.name, "which": version} for version in gone.versions]
        if done:
            catalogue.write(lambda unit: unit.execute(_LEFT, done), {of_model(gone.name)}).result()
    with storage_errors(), suppress(FileNotFoundError), opened(catalogue.root / gone.name) as folder:
        there = _versions(os.listdir(folder))  # noqa: PTH208 - a descriptor
        for version in sorted(there & set(gone.versions)):
            remove(snapshot_file(version, MEMORY), within=folder)
            if version == gone.highest:
                file, mark = snapshot_file(version), snapshot_file(version, DELETED)
                os.rename(file, mark, src_dir_fd=folder, dst_dir_fd=folder)
                empty(mark, within=folder)
            else:
                remove(snapshot_file(version), within=folder)
        for version in _marks(os.listdir(folder)):  # noqa: PTH208 - a descriptor
            if version < gone.highest:
                remove(snapshot_file(version, DELETED), within=folder)
        os.fsync(folder)


def clear_left(catalogue: Catalogue) -> None:
    """Do it for all models for which it was broken off; raise StorageError."""
    for row in catalogue.read(select(leaving.c.name).distinct()):
        clear(catalogue, broken_off(catalogue, Reference(row.name, None)))


def _left(catalogue: Catalogue, name: str) -> set[int]:
    """Tell which versions of a model are deleted, whose files a bucket may still have."""
    return {row.version for row in catalogue.read(select(leaving.c.version).where(leaving.c.name == name))}


def _clear_behind(remote: Remote, folder: Path, gone: Gone) -> None:
    """Do it in the bucket, of which the folder has copies.

    The highest number there may be less than the highest that was given out, of which nothing may have come.
    """
    names = {kept.path.name for kept in remote.files(folder)}
    stay, marks = _versions(names) - {*gone.versions}, _marks(names)
    highest = max({0, *gone.versions, *stay, *marks})
    if highest not in {0, *stay, *marks}:
        remote.write(folder / snapshot_file(highest, DELETED), b"")
    doomed = {snapshot_file(version, kind) for version in gone.versions for kind in ("safetensors", MEMORY)}
    older = {snapshot_file(mark, DELETED) for mark in marks if mark < highest}
    remote.remove(folder / name for name in sorted(names & doomed | older))


def _versions(files: Iterable[str]) -> set[int]:
    """Tell of which versions there are snapshots among files."""
    found = [match for name in files if (match := SNAPSHOT.fullmatch(name))]
    return {int(match[1]) for match in found if match[2] != DELETED}


def _marks(files: Iterable[str]) -> set[int]:
    """Tell of which versions there are marks among files."""
    found = [match for name in files if (match := SNAPSHOT.fullmatch(name))]
    return {int(match[1]) for match in found if match[2] == DELETED}


def clear_expired(catalogue: Catalogue, gone: Gone) -> None:
    """Do it for versions that nobody asked to delete just now: what the disk refuses is told the log alone."""
    try:
        if gone.versions:
            clear(catalogue, gone)
    except StorageError as error:
        log.warning("expired versions of %s still take space (%s)", gone.name, error)


def _highest(unit: Unit, name: str) -> int:
    return int(unit.connection.scalars(select(models.c.highest).where(models.c.name == name)).one())
