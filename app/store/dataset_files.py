"""A dataset's files: `.datasets/<id>.parquet`, and beside it `<id>.json`, which says what it must be."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_SH
from pathlib import Path
from time import time
from typing import BinaryIO

from app.errors import DatasetDamaged, DatasetFormatNewer, DatasetNotFound
from app.store.dataset_document import FORMAT, LARGEST, Dataset, DatasetDocument, decode
from app.store.document import Damage
from app.store.files import NO_FILE, READ, locked, opened, read, require_regular, storage_errors
from app.store.layout import DATASET_ID, DATASETS
from app.store.remote import NOTHING, Remote
from app.store.snapshot import NewerFormat

PIECE = 2**20


class DatasetFiles:
    """Datasets as they lie on disk, to be read; keeps nothing in memory."""

    def __init__(self, root: Path, remote: Remote = NOTHING) -> None:
        self.folder, self.remote = root / DATASETS, remote

    def find(self, dataset: str) -> Dataset:
        """Read what is known of a dataset; raise DatasetNotFound or DatasetDamaged."""
        if not DATASET_ID.fullmatch(dataset):
            raise DatasetNotFound
        with self._damage_of(dataset), opened(self.folder) as folder:
            return Dataset(dataset, decode(self._description(dataset, folder)))

    def _description(self, dataset: str, folder: int) -> bytes:
        try:
            if self.remote.is_there:
                return self.remote.read(self.folder / f"{dataset}.json", LARGEST)
            return read(f"{dataset}.json", within=folder, most=LARGEST)[0]
        except FileNotFoundError:
            raise DatasetNotFound from None

    def size(self, dataset: str) -> int:
        """Tell how many bytes a dataset takes, be it damaged or not: none where its file is gone."""
        if self.remote.is_there:
            with suppress(DatasetNotFound, DatasetDamaged):
                return self.find(dataset).document.bytes
            return 0
        with storage_errors(), suppress(FileNotFoundError):
            return (self.folder / f"{dataset}.parquet").lstat().st_size
        return 0

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
                return self._opened(f"{dataset.id}.parquet", dataset.document, folder)
        except DatasetDamaged:
            now = self.find(dataset.id)
            if now == dataset:
                raise
        return self._whole(now)

    def _opened(self, name: str, document: DatasetDocument, folder: int) -> BinaryIO:
        """Open a Parquet file, a copy if it is one, which is copied where it is missing or damaged."""
        if not self.remote.is_there:
            return _open(name, document, folder)
        try:
            source = _open(name, document, folder)
            os.utime(name, (time(), os.fstat(source.fileno()).st_mtime), dir_fd=folder)
        except Damage:
            pass
        except OSError as error:
            if error.errno not in NO_FILE | {errno.ENOENT}:
                raise
        else:
            return source
        if not self.remote.fetch(self.folder / name):
            raise FileNotFoundError(name)
        return _open(name, document, folder)

    @contextmanager
    def as_they_lie(self, dataset: str) -> Iterator[tuple[bytes, BinaryIO]]:
        """Give a dataset's document, and its Parquet file, each bit of which has been checked; raise as `verified`."""
        with self._damage_of(dataset), opened(self.folder) as folder, ExitStack() as opening:
            with locked(folder, LOCK_SH):  # nobody puts another in its place between the two
                data = self._description(dataset, folder)
                if self.remote.is_there:
                    source = opening.enter_context(self._opened(f"{dataset}.parquet", decode(data), folder))
                    yield data, source
                    return
                file = opening.enter_context(opened(f"{dataset}.parquet", READ, within=folder))
            yield data, opening.enter_context(_verified(file, decode(data)))

    def check(self, dataset: str) -> None:
        """Verify every bit of a dataset, not of a copy of it; raise DatasetNotFound or DatasetDamaged."""
        self.remote.fetch(self.folder / f"{self.find(dataset).id}.parquet")
        with self.verified(dataset):
            pass

    @contextmanager
    def _damage_of(self, dataset: str) -> Iterator[None]:
        """Say what is wrong with a dataset's files as DatasetDamaged or StorageError."""
        with storage_errors():
            try:
                yield
            except NewerFormat as error:
                raise DatasetFormatNewer(dataset, error.found, FORMAT) from error
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


def _open(name: str, document: DatasetDocument, folder: int) -> BinaryIO:
    """Open a Parquet file; raise Damage unless it is the one that the document speaks of."""
    with opened(name, READ, within=folder) as file:
        return _verified(file, document)


def _verified(file: int, document: DatasetDocument) -> BinaryIO:
    """Give an open Parquet file to be read; raise Damage unless it is the one that the document speaks of."""
    with ExitStack() as opening:
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
