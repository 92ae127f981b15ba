"""Checking: whether files and catalogue agree, to the last bit, and what can be done where they do not."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from time import time_ns

from sqlalchemy import select, union_all

from app.errors import CatalogueDamaged, NetletError, NotFound, StorageError, StoreInUse
from app.store.adoption import KNOWN, adopt, folders_of, snapshots_of
from app.store.catalogue import Catalogue, Unit
from app.store.databases import FILE
from app.store.datasets import DatasetStore
from app.store.files import storage_errors
from app.store.remote import NOTHING, Remote
from app.store.schema import grouped, jobs, versions
from app.store.store import ModelStore

_UNFINISHED = jobs.c.state.in_(("queued", "running"))
IN_TRAINING = union_all(
    select(jobs.c.name).where(_UNFINISHED),
    select(grouped.c.name).join(jobs, grouped.c.job == jobs.c.id).where(_UNFINISHED, grouped.c.version.is_(None)),
)
"""Models whose next version may be in its place already, but not be one: its training will go on."""
LEFT = re.compile(r"[1-9][0-9]{0,8}\.((memory\.)?safetensors\.orphan-[0-9a-f-]+|deleted\.new)", re.ASCII)


def open_anyhow(root: Path, url: str | None, remote: Remote = NOTHING) -> tuple[ModelStore, str]:
    """Open a store to repair it; put a catalogue in SQLite that is damaged aside, and make it anew.

    Tells what was done. Raises StorageError where it cannot be opened for another reason, and nothing is wrong with it;
    StoreInUse where another process of this machine has it open, which may be about to do what looks undone.
    """
    store = ModelStore(root, Catalogue(root, url, remote))
    try:
        store.open()
        if not store.is_alone:
            raise StoreInUse
    except StorageError as error:
        store.close()
        if not store.is_alone:
            raise StoreInUse from error
        if url is not None or not isinstance(error, CatalogueDamaged):  # a database is not ours to put aside
            raise
        aside = f"{FILE}.damaged-{time_ns()}"
        for end in ("", "-wal", "-shm"):
            with storage_errors(), suppress(FileNotFoundError):
                (root / (FILE + end)).rename(root / (aside + end))
        store = ModelStore(root, Catalogue(root))
        store.open()
        return store, (
            f"The catalogue could not be read. It was put aside as {aside}, and made anew from the files."
            " Keys, jobs and aliases were in it alone: make new keys before you serve the store."
        )
    return store, ""


def damaged(store: ModelStore) -> Iterator[str]:
    """Verify every bit of every version that is listed; say what is wrong, but not of what is deleted meanwhile."""
    for row in store.catalogue.read(select(versions).order_by(versions.c.name, versions.c.version)):
        try:
            store.load(row.name, row.version, anew=True)
        except NotFound:
            continue
        except NetletError as error:
            yield str(error)


def damaged_datasets(datasets: DatasetStore, ids: Iterable[str]) -> Iterator[str]:
    """Verify every bit of datasets, and say so as `damaged` does."""
    for dataset in ids:
        try:
            datasets.check(dataset)
        except NotFound:
            continue
        except NetletError as error:
            yield str(error)


def unknown(store: ModelStore) -> list[str]:
    """List the snapshots that lie in the store's folder, but not in the catalogue."""
    known = {(row.name, row.version) for row in store.catalogue.read(KNOWN)}
    names = {row.name for row in store.catalogue.read(IN_TRAINING)}
    found = snapshots_of(store.root, store.remote)
    return [f"{name}/{version}" for name, version in found if (name, version) not in known and name not in names]


def take_in(store: ModelStore) -> list[str]:
    """List them in the catalogue, and tell which."""

    def do(unit: Unit) -> list[str]:
        return adopt(store.root, unit, but=set(unit.connection.scalars(IN_TRAINING)))

    return store.catalogue.write(do).result()


def left_behind(store: ModelStore) -> list[Path]:
    """Find the files that writers which died have left beside snapshots; a link leads to what is not the store's."""
    folders = [store.root / name for name in folders_of(store.root)]
    found = (path for folder in folders for path in folder.iterdir() if LEFT.fullmatch(path.name))
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())
