"""The folder of datasets: `.datasets/<id>.parquet`, and beside it `<id>.json`, without which it is not there."""

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.errors import DatasetDamaged, DatasetNotFound
from app.store.dataset_document import BLANK, LARGEST, Dataset, DatasetDocument, decode, encode
from app.store.document import Damage
from app.store.files import (
    CREATE,
    READ,
    locked,
    named_aside,
    opened,
    read,
    remove,
    require_regular,
    storage_errors,
    sweep,
    written_aside,
)
from app.store.incoming import Digested, Incoming
from app.store.learnt_from import DATASETS
from app.store.store import INCOMING, NO_FILE, sync
from app.tables import parquet_files
from app.tables.options import GoOn, go_on_for_ever
from app.tables.summaries import summarise
from app.tables.texts import Arrow

ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
FILE = re.compile(r"([0-9a-f]{32})\.(parquet|json|models)", re.ASCII)
PIECE = 2**20


class Kept(NamedTuple):
    """A dataset, and whether it was not there before."""

    dataset: Dataset
    is_new: bool


class DatasetStore:
    """Datasets on disk. Safe to use from many threads and processes at once; keeps nothing in memory."""

    def __init__(self, root: Path) -> None:
        self.folder = root / DATASETS

    def open(self) -> None:
        """Make the folders where they are missing and remove what interrupted writers left behind."""
        with storage_errors():
            for made in (self.folder, self.folder / INCOMING):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync(made.parent)
            with opened(self.folder / INCOMING) as incoming:
                sweep(incoming)
            with opened(self.folder) as folder, locked(folder):
                _remove_orphans(folder)

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
                others = self._move(dataset, incoming, {aside: f"{dataset}.parquet", described: f"{dataset}.json"})
        return Kept(others or Dataset(dataset, decode(data)), is_new=others is None)

    def _move(self, dataset: str, incoming: int, names: dict[str, str]) -> Dataset | None:
        """Rename files to their places, one after the other, each safe before the next; all of them or none.

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
            except OSError:
                for name in reversed(names.values()):  # what cannot be acknowledged is not to be seen either
                    remove(name, within=folder)
                raise
        return None

    def ids(self, *, after: str = "", limit: int) -> list[str]:
        """List datasets by id, those that come after `after`."""
        with storage_errors():
            paths = self.folder.iterdir() if self.folder.is_dir() else ()
            names = [FILE.fullmatch(path.name) for path in paths]
        found = sorted(match[1] for match in names if match and match[2] == "json")
        return found[bisect_right(found, after) :][:limit]

    def find(self, dataset: str) -> Dataset:
        """Read what is known of a dataset; raise DatasetNotFound or DatasetDamaged."""
        if not ID.fullmatch(dataset):
            raise DatasetNotFound
        with self._damage_of(dataset), opened(self.folder) as folder:
            try:
                data, _ = read(f"{dataset}.json", within=folder, most=LARGEST)
            except FileNotFoundError:
                raise DatasetNotFound from None
            return Dataset(dataset, decode(data))

    @contextmanager
    def verified(self, dataset: str) -> Iterator[BinaryIO]:
        """Open a dataset's Parquet file, each bit of which has been checked.

        Raises DatasetNotFound or DatasetDamaged.
        """
        with self._whole(self.find(dataset)) as source:
            yield source

    def _whole(self, dataset: Dataset) -> BinaryIO:
        """Open the Parquet file of a dataset, or of the one that has taken its place meanwhile; raise as `verified`."""
        try:
            with self._damage_of(dataset.id), opened(self.folder) as folder:
                return _open(f"{dataset.id}.parquet", dataset.document, folder)
        except DatasetDamaged:
            now = self.find(dataset.id)
            if now == dataset:
                raise
        return self._whole(now)

    def check(self, dataset: str) -> None:
        """Verify every bit of a dataset; raise DatasetNotFound or DatasetDamaged."""
        with self.verified(dataset):
            pass

    def find_whole(self, dataset: str) -> Dataset | None:
        """Find a dataset if it is there and every bit of it is right."""
        try:
            found = self.find(dataset)
            self._whole(found).close()
        except (DatasetNotFound, DatasetDamaged):
            return None
        return found

    def delete(self, dataset: str) -> None:
        """Remove a dataset, its document first; raise DatasetNotFound."""
        if not ID.fullmatch(dataset):
            raise DatasetNotFound
        with storage_errors(), opened(self.folder) as folder, locked(folder):
            try:
                os.unlink(f"{dataset}.json", dir_fd=folder)
            except FileNotFoundError:
                raise DatasetNotFound from None
            os.fsync(folder)
            for kind in ("parquet", "models"):
                remove(f"{dataset}.{kind}", within=folder)
                os.fsync(folder)

    @contextmanager
    def _damage_of(self, dataset: str) -> Iterator[None]:
        """Say what is wrong with a dataset's files as DatasetDamaged or StorageError."""
        with storage_errors():
            try:
                yield
            except Damage as error:
                raise DatasetDamaged(dataset, str(error)) from error
            except FileNotFoundError as error:
                message = "its Parquet file is missing"
                raise DatasetDamaged(dataset, message) from error
            except OSError as error:
                if error.errno not in NO_FILE:
                    raise
                message = f"it cannot be read ({error.strerror})"
                raise DatasetDamaged(dataset, message) from error


def _remove_orphans(folder: int) -> None:
    """Remove the files of datasets that have no document."""
    found = [match for name in os.listdir(folder) if (match := FILE.fullmatch(name))]
    there = {match[1] for match in found if match[2] == "json"}
    for match in found:
        if match[1] not in there:
            remove(match[0], within=folder)


def _open(name: str, document: DatasetDocument, folder: int) -> BinaryIO:
    """Open a Parquet file; raise Damage unless it is the one that the document speaks of."""
    with opened(name, READ, within=folder) as file, ExitStack() as opening:
        require_regular(file)
        source = opening.enter_context(os.fdopen(os.dup(file), "rb"))
        digest = hashlib.sha256()
        while piece := source.read(PIECE):
            digest.update(piece)
        if digest.hexdigest() != document.parquet:
            message = "the SHA-256 of its Parquet file does not match"
            raise Damage(message)
        source.seek(0)
        opening.pop_all()
        return source
