"""Datasets: tables that were uploaded. What the catalogue lists is there."""

import os
import re
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, insert, select

from app.engine.control import GoOn, go_on_for_ever
from app.errors import DatasetDamaged, DatasetFormatNewer, DatasetInUse, DatasetNotFound, StorageError
from app.store import api_keys, locks
from app.store.catalogue import Catalogue, Unit
from app.store.dataset_document import BLANK, Dataset, DatasetDocument, decode, encode
from app.store.dataset_files import DatasetFiles
from app.store.files import (
    CREATE,
    READ,
    locked,
    make,
    named_aside,
    opened,
    remove,
    storage_errors,
    sweep,
    written_aside,
)
from app.store.incoming import Digested, Incoming
from app.store.layout import DATASET_ID, INCOMING
from app.store.schema import datasets, jobs, owners
from app.tables import parquet_files
from app.tables.summaries import summarise
from app.tables.texts import Arrow

_LISTED = select(datasets).where(datasets.c.id == bindparam("dataset"))
FILE = re.compile(r"([0-9a-f]{32})\.(parquet|json|models)", re.ASCII)


class Kept(NamedTuple):
    """A dataset, and whether it was not there before."""

    dataset: Dataset
    is_new: bool


class DatasetStore(DatasetFiles):
    """Datasets on disk and in the catalogue. Safe to use from many threads and processes at once."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        super().__init__(root, catalogue.remote)
        self.catalogue = catalogue

    def open(self, *, alone: bool = True) -> None:
        """Make the folders where they are missing; remove what interrupted writers left, if no other is there."""
        with storage_errors():
            make(self.folder)
            make(self.folder / INCOMING)
            with opened(self.folder / INCOMING) as incoming:
                sweep(incoming)
            if alone:
                with opened(self.folder) as folder, locked(folder):
                    _remove_orphans(folder, {row.id for row in self.catalogue.read(select(datasets.c.id))})

    def begin(self) -> Incoming:
        """Begin to take a body; raise StorageFull or StorageError."""
        return Incoming(self.folder / INCOMING)

    def publish(self, dataset: str, batches: Iterable[Arrow], go_on: GoOn = go_on_for_ever) -> Kept:
        """Write batches as a dataset of this id, in place of a damaged one, and return it once it cannot be lost.

        If somebody else has published the same one meanwhile, that is returned. Raises StorageFull or StorageError,
        and whatever reading the batches and `go_on` do.
        """
        with storage_errors(), opened(self.folder / INCOMING) as incoming, named_aside(incoming) as aside:
            with opened(aside, CREATE, within=incoming) as file, Digested(file) as sink:
                rows = parquet_files.write(sink, batches)
                sink.sync()
            with opened(aside, READ, within=incoming) as file, os.fdopen(os.dup(file), "rb") as source:
                columns = summarise(source, go_on)
            data = encode(
                DatasetDocument(
                    sha256=BLANK,
                    parquet=sink.digest.hexdigest(),
                    bytes=sink.length,
                    rows=rows,
                    created=datetime.now(UTC),
                    columns=columns,
                )
            )
            with written_aside(incoming, data) as described:
                names = {aside: f"{dataset}.parquet", described: f"{dataset}.json"}
                others = self._move(dataset, incoming, names)
        return Kept(others or Dataset(dataset, decode(data)), is_new=others is None)

    def _move(self, dataset: str, incoming: int, names: dict[str, str]) -> Dataset | None:
        """Rename files to their places, and list the dataset once they are safe there; all of it or nothing.

        If somebody else has published the same dataset meanwhile, it stays, and is returned.
        """
        with opened(self.folder) as folder, locked(folder):
            others = self.find_whole(dataset)
            if others is not None:
                return others
            try:
                for aside, name in names.items():
                    os.rename(aside, name, src_dir_fd=incoming, dst_dir_fd=folder)
                os.fsync(folder)
                self._list(dataset, [self.folder / name for name in names.values()])
            except (OSError, StorageError):
                for name in reversed(names.values()):  # what cannot be acknowledged is not to be seen either
                    remove(name, within=folder)
                raise
        return None

    def _list(self, dataset: str, files: list[Path]) -> None:
        """List a dataset, of whose files the folder has all, in the catalogue; bring them to where others read them."""
        is_listed, about = False, {locks.of_dataset(dataset)}
        while not is_listed:
            if self.remote.is_there:
                for file in files:
                    self.remote.write(file)
            try:
                there = super().find(dataset)
            except DatasetNotFound:  # another server has just deleted it
                continue
            is_listed = self.catalogue.write(partial(_list, dataset=there, files=files), about).result()

    def ids(self, *, after: str = "", limit: int) -> list[str]:
        """List datasets by id, those that come after `after`."""
        own = datasets.c.id
        chosen = select(own).where(own > after.replace("\0", "")).order_by(own).limit(limit)
        return [row.id for row in self.catalogue.read(chosen)]

    def find(self, dataset: str) -> Dataset:
        """Read what is known of a dataset; raise DatasetNotFound or DatasetDamaged."""
        listed = self._listed(dataset) if DATASET_ID.fullmatch(dataset) else None
        if listed is None:
            raise DatasetNotFound
        try:
            return super().find(dataset)
        except DatasetNotFound:
            now = self._listed(dataset)
        if now == listed and self.remote.is_there:  # whose files leave it before that is committed
            now = self.catalogue.write(partial(_listed_by, dataset=dataset), {locks.of_dataset(dataset)}).result()
        if now == listed:
            message = "what described it is missing"
            raise DatasetDamaged(dataset, message)
        return self.find(dataset)  # it has been deleted, and maybe sent again, meanwhile

    def _listed(self, dataset: str) -> Row[Any] | None:
        return next(iter(self.catalogue.read(_LISTED, {"dataset": dataset})), None)

    def find_whole(self, dataset: str) -> Dataset | None:
        """Find a dataset if it is there and every bit of it is right; raise DatasetFormatNewer."""
        try:
            found = self.find(dataset)
            self._whole(found).close()
        except DatasetFormatNewer:  # which nothing takes the place of
            raise
        except (DatasetNotFound, DatasetDamaged):
            return None
        return found

    def delete(self, dataset: str, key: int | None = None) -> None:
        """Remove a dataset, from the catalogue first; raise DatasetNotFound, or DatasetInUse where a job needs it.

        Where a key is done with one that is others' too, it stays theirs.
        """
        if not DATASET_ID.fullmatch(dataset):
            raise DatasetNotFound
        with self.catalogue.restoring(), storage_errors(), opened(self.folder) as folder, locked(folder):
            names = [f"{dataset}.{kind}" for kind in ("json", "parquet")]
            files = [self.folder / name for name in names]
            about = {locks.of_dataset(dataset)}
            if not self.catalogue.free(lambda unit: _forget(unit, dataset, key, files), about):
                return
            for name in names:
                remove(name, within=folder)
            os.fsync(folder)


def _listed_by(unit: Unit, dataset: str) -> Row[Any] | None:
    """Read what is listed of a dataset, once nobody else writes of it."""
    return unit.connection.execute(_LISTED, {"dataset": dataset}).first()


def _forget(unit: Unit, dataset: str, key: int | None, files: list[Path]) -> bool:
    """Take a dataset out of the catalogue, or from one of its owners; tell whether it is out.

    Its files leave a bucket in the same transaction: another server may send the same dataset right after it.
    """
    if key is not None and api_keys.disown(unit, key, dataset):
        return False
    using = select(jobs.c.id).where(jobs.c.dataset == dataset, jobs.c.state.in_(("queued", "running"))).limit(1)
    for row in unit.connection.execute(using):
        raise DatasetInUse(dataset, row.id)
    if not unit.execute(delete(datasets).where(datasets.c.id == dataset)):
        raise DatasetNotFound
    unit.execute(delete(owners).where(owners.c.dataset == dataset))
    unit.remote.remove(files)
    return True


def _list(unit: Unit, dataset: Dataset, files: list[Path]) -> bool:
    """List a dataset; tell whether its files are there still, or another server has just deleted them in a bucket."""
    if unit.remote.is_there and not all(map(unit.remote.has, files)):
        return False
    if not unit.connection.execute(select(datasets).where(datasets.c.id == dataset.id)).all():
        unit.execute(insert(datasets).values(id=dataset.id, created=dataset.document.created.timestamp()))
    return True


def _remove_orphans(folder: int, listed: Container[str]) -> None:
    """Remove the files of datasets that are not in the catalogue."""
    for match in [match for name in os.listdir(folder) if (match := FILE.fullmatch(name))]:
        if match[1] not in listed or match[2] == "models":  # which earlier releases wrote
            remove(match[0], within=folder)
