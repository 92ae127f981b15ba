"""Borrowing: datasets for who has no store, read from its bucket with keys of his own, by copies in a folder of his."""

import hashlib

from app.store.dataset_files import DatasetFiles
from app.store.files import make, opened, own_folder, storage_errors, sweep
from app.store.layout import DATASETS, INCOMING
from app.store.remote import Address

PLACE = "The folder for copies of datasets"
REMEDY = "Give its disk more space, or name another with TMPDIR."


def datasets_at(address: Address) -> DatasetFiles:
    """Give the datasets of a bucket; raise StorageError where no copies can be kept, or it has no address here."""
    from app.store.bucket import Bucket  # noqa: PLC0415 - what it takes is an extra

    with storage_errors(PLACE, REMEDY):
        root = own_folder("netlet-copies") / hashlib.sha256(address.url.encode()).hexdigest()[:16]
        incoming = root / DATASETS / INCOMING
        make(incoming)
        with opened(incoming) as folder:
            sweep(folder)
    return DatasetFiles(root, Bucket(address.url, root, address.most_bytes))
