"""Borrowing: datasets for who has no store, read from its bucket with keys of his own, by copies in a folder of his."""

import hashlib
import os
import tempfile
from pathlib import Path

from app.errors import StorageError
from app.store.dataset_files import DatasetFiles
from app.store.files import make, opened, storage_errors, sweep
from app.store.layout import DATASETS, INCOMING
from app.store.remote import Address

PLACE = "The folder for copies of datasets"
REMEDY = "Give its disk more space, or name another with TMPDIR."
OTHERS = "{} is not this user's alone, and no dataset is copied there. Remove it, or set TMPDIR."


def datasets_at(address: Address) -> DatasetFiles:
    """Give the datasets of a bucket; raise StorageError where no copies can be kept, or it has no address here."""
    from app.store.bucket import Bucket  # noqa: PLC0415 - what it takes is an extra

    with storage_errors(PLACE, REMEDY):
        root = _own_folder() / hashlib.sha256(address.url.encode()).hexdigest()[:16]
        incoming = root / DATASETS / INCOMING
        make(incoming)
        with opened(incoming) as folder:
            sweep(folder)
    return DatasetFiles(root, Bucket(address.url, root, address.most_bytes))


def _own_folder() -> Path:
    """Make a folder for all copies of this user, where nobody else can read or plant any."""
    folder = Path(tempfile.gettempdir()) / f"netlet-copies-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir():
        raise StorageError(OTHERS.format(folder))
    return folder
