"""Taking a backup of a store, while it is served or not.

The catalogue is read first, in one transaction, then the files that it names. Where one of them was deleted meanwhile,
the catalogue is read once more, and what is new in it is copied too, until nothing was: so that a backup is one state
of the store, and each version that it lists is in it whole.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from sqlalchemy import select

from app.backup.archive import MORE_ROOM, PLACE, Writer
from app.backup.members import MANIFEST, TABLES, rows_of
from app.backup.views import View, view_of
from app.errors import NetletError
from app.jobs.ledger import UNFINISHED
from app.store import memories, snapshot
from app.store.dataset_files import DatasetFiles
from app.store.document import Damage
from app.store.files import storage_errors
from app.store.layout import DATASETS, snapshot_file
from app.store.memories import MEMORY
from app.store.schema import datasets, jobs, versions
from app.store.store import ModelStore

MOST_VIEWS = 20
Key = tuple[str, ...]
"""What is in a store's files: a model's name and a version, or a dataset's id."""
NAMED_BY = {
    "versions": ("name", "version"),
    "aliases": ("name", "version"),
    "datasets": ("id",),
    "owners": ("dataset",),
}
"""Tables whose rows are nothing without a file, and the columns that tell which."""


@dataclass(frozen=True)
class Taken:
    """What is in a backup, and what of the store is not."""

    models: int
    versions: int
    datasets: int
    trainings: int
    bytes: int
    damaged: tuple[str, ...]
    """What is wrong with the files that were left out."""


def back_up(store: ModelStore, sink: BinaryIO, spools: Path | None = None) -> Taken:
    """Write all that an open store holds, with files on their way in a folder; raise StorageFull or StorageError."""
    return _Backup(store, sink, spools).write(MOST_VIEWS)


class _Backup:
    def __init__(self, store: ModelStore, sink: BinaryIO, spools: Path | None) -> None:
        self.store, self.spools = store, spools
        self.archive = Writer(sink)
        self.files = _Files(store, self.archive)

    def write(self, views: int) -> Taken:
        """Copy what a view names; where something of it is gone, do so with another, but not for ever."""
        with view_of(self.store, self.spools) as view:
            if not self.archive.length:
                self.archive.add_bytes(MANIFEST, view.manifest.model_dump_json().encode())
            gone = self.files.copy(view)
            if views <= 1 or not (gone or self._has_ended(view)):
                return self._finish(view, gone | self.files.damaged.keys())
        return self.write(views - 1)

    def _has_ended(self, view: View) -> bool:
        """Tell whether a training whose order is not there has ended: one that has not has lost it."""
        if not view.ended:
            return False
        waiting = select(jobs.c.id).where(jobs.c.id.in_(view.ended), jobs.c.state.in_(UNFINISHED))
        return len(self.store.catalogue.read(waiting)) < len(view.ended)

    def _finish(self, view: View, absent: set[Key]) -> Taken:
        """Write what is not in files of the store, but for what is about those that are absent."""
        view.copies.give(self.archive)
        for table in TABLES:
            self._add_rows(table.name, view.tables[table.name], absent)
        self.archive.end()
        kept = {(name, str(version)) for name, version in view.versions} - absent
        return Taken(
            models=len({name for name, _ in kept}),
            versions=len(kept),
            datasets=len({(dataset,) for dataset in view.datasets} - absent),
            trainings=len(view.trainings),
            bytes=self.archive.length,
            damaged=tuple(self.files.damaged.values()),
        )

    def _add_rows(self, table: str, rows: BinaryIO, absent: set[Key]) -> None:
        with storage_errors(PLACE, MORE_ROOM), ExitStack() as opening:
            if absent and table in NAMED_BY:
                columns, all_of_them = NAMED_BY[table], rows
                rows = opening.enter_context(TemporaryFile(dir=self.spools))
                all_of_them.seek(0)
                for line in all_of_them:
                    if tuple(str(json.loads(line)[column]) for column in columns) not in absent:
                        rows.write(line)
            size = rows.seek(0, 2)
            rows.seek(0)
            self.archive.add(rows_of(table), rows, size)


class _Files:
    """Copies models and datasets, each once."""

    def __init__(self, store: ModelStore, archive: Writer) -> None:
        self.store, self.archive = store, archive
        self.datasets = DatasetFiles(store.root, store.remote)
        self.copied: set[Key] = set()
        self.damaged: dict[Key, str] = {}
        """What is wrong with those that cannot be."""

    def copy(self, view: View) -> set[Key]:
        """Copy what was not yet, and tell what is not listed any more."""
        gone: set[Key] = set()
        for key in _keys(view):
            if key in self.copied or key in self.damaged:
                continue
            with ExitStack() as opening:
                try:
                    members = self._opened(key, opening)
                except NetletError as error:  # the disk's, too: what else there is can still be saved
                    if self._is_listed(key):
                        self.damaged[key] = str(error)
                    else:
                        gone.add(key)
                    continue
                for name, source in members.items():
                    size = source.seek(0, 2)
                    source.seek(0)
                    self.archive.add(name, source, size)
            self.copied.add(key)
        return gone

    def _opened(self, key: Key, opening: ExitStack) -> dict[str, BinaryIO]:
        """Open the files of a model or a dataset, each bit of which is checked; raise what keeps them from it."""
        if len(key) == 1:
            document, parquet = opening.enter_context(self.datasets.as_they_lie(key[0]))
            return {f"{DATASETS}/{key[0]}.parquet": parquet, f"{DATASETS}/{key[0]}.json": BytesIO(document)}
        name, version = key[0], int(key[1])
        data = self.store.file(name, version)
        members: dict[str, BinaryIO] = {f"{name}/{snapshot_file(version)}": BytesIO(data)}
        memory = memories.find(self.store.root, name, version, self.store.remote)
        if memory is not None and _is_whole(memory, data):
            members[f"{name}/{snapshot_file(version, MEMORY)}"] = BytesIO(memory)
        return members

    def _is_listed(self, key: Key) -> bool:
        """Tell whether the catalogue lists something now; raise StorageError where nobody can tell."""
        if len(key) == 1:
            chosen = select(datasets.c.id).where(datasets.c.id == key[0])
        else:
            chosen = select(versions.c.name).where(versions.c.name == key[0], versions.c.version == int(key[1]))
        return bool(self.store.catalogue.read(chosen))


def _keys(view: View) -> Iterator[Key]:
    for name, version in view.versions:
        yield name, str(version)
    for dataset in view.datasets:
        yield (dataset,)


def _is_whole(memory: bytes, data: bytes) -> bool:
    """Tell whether what an optimizer remembers is whole, and of this snapshot; nothing needs it."""
    try:
        memories.decode(memory, snapshot.read_document(data).sha256)
    except Damage:
        return False
    return True
