"""Unpacking: what a backup holds as the files of a store, with a catalogue in SQLite, each bit of which is checked."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sqlalchemy import Connection, MetaData, Table, select, update
from sqlalchemy.exc import DataError, IntegrityError

from app.backup import manifest, numbers
from app.backup.archive import Member, Reader
from app.backup.manifest import Manifest
from app.backup.members import MANIFEST, NO_FILES, OWN, TABLES, rows_of
from app.backup.rows import load
from app.errors import BackupDamaged, BackupNewer, CatalogueNewer, NetletError, StorageError
from app.jobs.folder import FOLDER as JOBS
from app.jobs.job import Job, State
from app.jobs.ledger import UNFINISHED
from app.store import checking
from app.store.catalogue import Catalogue
from app.store.databases import FILE, database_errors, engine_of
from app.store.datasets import DatasetStore
from app.store.files import CREATE, opened, storage_errors, sync, write_all
from app.store.layout import DATASETS, DELETED, snapshot_file
from app.store.memories import MEMORY
from app.store.migrating import REVISION, VERSIONS, migrate, upgrade
from app.store.references import is_name
from app.store.schema import datasets, jobs, models, versions
from app.store.store import ModelStore


class Unpacked(NamedTuple):
    """What is in a store that was restored."""

    models: int
    versions: int
    datasets: int
    trainings: int
    keys: int
    """The highest number that a key ever had."""


def unpack(source: BinaryIO, root: Path) -> Unpacked:
    """Make a store of a backup in a folder that is empty.

    Raises BackupDamaged for what is none, BackupNewer, StorageFull or StorageError.
    """
    with storage_errors():
        said, names = _files(source, root)
        (root / FILE).touch(mode=0o600)
    _fill(root, said)
    with closing(ModelStore(root, Catalogue(root))) as store:
        store.open()  # which brings tables of an older revision up to date
        store.catalogue.write(lambda unit: numbers.go_on(unit.connection, said.keys)).result()
        _drop_unlisted(store, names)
        _mark(store)
        _require_whole(store)
        _date(store)
        told = _counted(store)
    with storage_errors():
        for folder, _, _ in os.walk(root):
            sync(Path(folder))
    return Unpacked(*told, said.keys)


def _files(source: BinaryIO, root: Path) -> tuple[Manifest, set[str]]:
    """Write all members to their places; give the manifest, and the others' names."""
    reader = Reader(source)
    members = reader.members()
    first = next(members, None)
    if first is None or first.name != MANIFEST:
        message = "it does not begin with its manifest"
        raise BackupDamaged(message)
    said = manifest.decode(b"".join(first.pieces))
    for member in members:
        _write(member, root / member.name)
    return said, {*reader.sums} - {MANIFEST}


def _write(member: Member, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened(path, CREATE) as descriptor:
        for piece in member.pieces:
            write_all(descriptor, piece)
        os.fsync(descriptor)


def _fill(root: Path, said: Manifest) -> None:
    """Make the catalogue as it was, at the revision that it had."""
    engine = engine_of(root, None, writes=True)
    try:
        with database_errors(), engine.begin() as connection:
            for table in _tables(connection, said.revision):
                with _contradictions(), _opened(root, rows_of(table.name)) as rows:
                    load(connection, table, rows)
    finally:
        engine.dispose()


def _tables(connection: Connection, revision: str) -> list[Table]:
    """Make the tables of a revision, and give them, each after those that its rows refer to."""
    if revision == REVISION:
        migrate(connection)
        return list(TABLES)
    try:
        upgrade(connection, revision)
    except CatalogueNewer as error:
        raise BackupNewer from error
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name not in NO_FILES | {VERSIONS}]


@contextmanager
def _opened(root: Path, name: str) -> Iterator[BinaryIO]:
    try:
        with (root / name).open("rb") as file:
            yield file
    except FileNotFoundError as error:
        message = f"its member {name} is missing"
        raise BackupDamaged(message) from error


@contextmanager
def _contradictions() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError) as error:
        message = "the rows of its tables contradict each other"
        raise BackupDamaged(message) from error


def _drop_unlisted(store: ModelStore, names: set[str]) -> None:
    """Remove files that the catalogue does not name: what they are of was deleted while the backup was taken."""
    listed = {*_listed(store)}
    for name in names:
        if not (name in listed or name.startswith((f"{OWN}/", f"{JOBS}/"))):
            with storage_errors():
                (store.root / name).unlink()
    unfinished = {row.id for row in store.catalogue.read(select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED)))}
    for name in names:
        if name.startswith(f"{JOBS}/") and name.removeprefix(f"{JOBS}/")[:16] not in unfinished:
            message = f"{name} is of no training that is not over"
            raise BackupDamaged(message)


def _listed(store: ModelStore) -> Iterator[str]:
    """Name the files of models and datasets that there may be."""
    for name, version in store.all_versions():
        yield f"{name}/{snapshot_file(version)}"
        yield f"{name}/{snapshot_file(version, MEMORY)}"
    for row in store.catalogue.read(select(datasets.c.id)):
        yield f"{DATASETS}/{row.id}.parquet"
        yield f"{DATASETS}/{row.id}.json"


def _mark(store: ModelStore) -> None:
    """Leave the mark of each model whose highest version is deleted, also where all are."""
    newest = dict(store.all_versions())  # which come in order
    for row in store.catalogue.read(select(models.c.name, models.c.highest)):
        if not is_name(row.name) or row.highest < newest.get(row.name, 1):
            message = "one of its models cannot be one"
            raise BackupDamaged(message)
        if row.highest != newest.get(row.name):
            folder = store.root / row.name
            with storage_errors():
                folder.mkdir(mode=0o700, exist_ok=True)
                (folder / snapshot_file(row.highest, DELETED)).touch(mode=0o600)


def _date(store: ModelStore) -> None:
    """Let versions be as old as they were."""
    for row in store.catalogue.read(select(versions.c.name, versions.c.version, versions.c.created)):
        with storage_errors():
            os.utime(store.root / row.name / snapshot_file(row.version), (row.created, row.created))


def _require_whole(store: ModelStore) -> None:
    """Raise BackupDamaged unless all that is listed is there, as `netlet check` looks for it."""
    if fault := next(checking.damaged(store), None):
        raise BackupDamaged(fault)
    files = DatasetStore(store.root, store.catalogue)
    try:
        for row in store.catalogue.read(select(datasets.c.id)):
            files.check(row.id)
        for row in store.catalogue.read(select(jobs)):
            _require_job(Job.of(row))
    except StorageError:
        raise
    except (NetletError, ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"something in it is not what the catalogue says ({error})"
        raise BackupDamaged(message) from error


def _require_job(job: Job) -> None:
    if not (job.error is None or isinstance(job.error, NetletError)):
        raise TypeError
    if not is_name(job.name):
        message = "a training of no model"
        raise ValueError(message)


def _counted(store: ModelStore) -> tuple[int, int, int, int]:
    """Leave trainings that ran to whoever comes next, and count what there is."""
    running = update(jobs).where(jobs.c.state == State.RUNNING).values(owner=None, lease=0.0)
    store.catalogue.write(lambda unit: unit.execute(running)).result()
    there = store.all_versions()
    found = len(store.catalogue.read(select(datasets.c.id)))
    trainings = len(store.catalogue.read(select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED))))
    return len({name for name, _ in there}), len(there), found, trainings
