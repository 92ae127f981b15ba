"""A dataset's files: `.datasets/<id>.parquet`, and beside it `<id>.json`, which says what it must be."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_SH
from pathlib import Path
from typing import BinaryIO

from app.errors import DatasetDamaged, DatasetFormatNewer, DatasetNotFound
from app.store.dataset_document import FORMAT, LARGEST, Dataset, DatasetDocument, decode
from app.store.document import Damage
from app.store.files import NO_FILE, READ, locked, opened, read, require_regular, storage_errors
from app.store.layout import DATASET_ID, DATASETS
from app.store.snapshot import NewerFormat

PIECE = 2**20


class DatasetFiles:
    """Datasets as they lie on disk, to be read; keeps nothing in memory."""

    def __init__(self, root: Path) -> None:
        self.folder = root / DATASETS

    def find(self, dataset: str) -> Dataset:
        """Read what is known of a dataset; raise DatasetNotFound or DatasetDamaged."""
        if not DATASET_ID.fullmatch(dataset):
            raise DatasetNotFound
        with self._damage_of(dataset), opened(self.folder) as folder:
            try:
                data, _ = read(f"{dataset}.json", within=folder, most=LARGEST)
            except FileNotFoundError:
                raise DatasetNotFound from None
            return Dataset(dataset, decode(data))

    def size(self, dataset: str) -> int:
        """Tell how many bytes a dataset takes, be it damaged or not: none where its file is gone."""
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
                return _open(f"{dataset.id}.parquet", dataset.document, folder)
        except DatasetDamaged:
            now = self.find(dataset.id)
            if now == dataset:
                raise
        return self._whole(now)

    @contextmanager
    def as_they_lie(self, dataset: str) -> Iterator[tuple[bytes, BinaryIO]]:
        """Give a dataset's document, and its Parquet file, each bit of which has been checked; raise as `verified`."""
        with self._damage_of(dataset), opened(self.folder) as folder, ExitStack() as opening:
            with locked(folder, LOCK_SH):  # nobody puts another in its place between the two
                try:
                    data, _ = read(f"{dataset}.json", within=folder, most=LARGEST)
                except FileNotFoundError:
                    raise DatasetNotFound from None
                file = opening.enter_context(opened(f"{dataset}.parquet", READ, within=folder))
            yield data, opening.enter_context(_verified(file, decode(data)))

    def check(self, dataset: str) -> None:
        """Verify every bit of a dataset; raise DatasetNotFound or DatasetDamaged."""
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
