"""Where a backup is written to, and where it is restored to: whole, or as if nothing had been."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.backup.archive import MORE_ROOM, PLACE
from app.errors import StoreNotEmpty, StoreUnfinished
from app.jobs.folder import FOLDER as JOBS
from app.store import belonging, databases, reserve
from app.store.files import CREATE, make, named_aside, opened, storage_errors, sync
from app.store.layout import DATASETS, INCOMING, RESTORING
from app.store.references import is_name

NOBODYS = "lost+found"  # what some file systems have in an empty folder
CATALOGUE = tuple(databases.FILE + end for end in ("", "-wal", "-shm"))
OURS = {RESTORING, DATASETS, INCOMING, JOBS, belonging.FILE, reserve.FILE, *CATALOGUE}


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Give a file that takes another's place, or a free one, once all is written and on the disk; else nothing is left.

    Raises StorageFull or StorageError.
    """
    with (
        storage_errors(PLACE, MORE_ROOM),
        opened(path.parent.resolve()) as folder,
        named_aside(folder, f".{path.name}.") as aside,
    ):
        with opened(aside, CREATE, within=folder) as descriptor:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                yield file
            os.fsync(descriptor)
        os.rename(aside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


class Place(NamedTuple):
    """A folder that a backup is restored to."""

    root: Path
    store: Path
    """Where it lies until all of it is found whole."""
    own: str
    """The id of the new store; that of an attempt that was broken off, if there was one."""

    def require_empty(self) -> None:
        """Raise StoreNotEmpty where something has come into the folder meanwhile."""
        if _entries(self.root) != {RESTORING}:
            raise StoreNotEmpty(str(self.root))

    def move_in(self, but: set[str]) -> None:
        """Put all that lies there into its place, but for some."""
        for name in sorted({*os.listdir(self.store)} - but):  # noqa: PTH208 - names
            (self.store / name).rename(self.root / name)
        sync(self.root)


@contextmanager
def place_in(root: Path) -> Iterator[Place]:
    """Begin to restore into a folder, which no server opens before the end.

    What a restore that was broken off has left is removed; so is all of this one, if it is. Raises StoreNotEmpty where
    there is anything else, StoreUnfinished where somebody else restores, StorageFull or StorageError.
    """
    root = root.resolve()
    with storage_errors():
        make(root)
        with opened(root) as folder:
            try:
                flock(folder, LOCK_EX | LOCK_NB)
            except BlockingIOError as error:
                raise StoreUnfinished from error
            place = _begun(root, folder)
            try:
                yield place
            except BaseException:
                _clear(root, but=set())
                raise


def finish(place: Place) -> None:
    """Let servers open what was restored."""
    with storage_errors():
        shutil.rmtree(place.root / RESTORING)
        sync(place.root)


def _begun(root: Path, folder: int) -> Place:
    there = _entries(root)
    if there and RESTORING not in there:
        raise StoreNotEmpty(str(root))
    (root / RESTORING).mkdir(mode=0o700, exist_ok=True)
    os.fsync(folder)
    with opened(root / RESTORING) as own:  # which one that was all but finished has no more
        known = belonging.read_id(own) or belonging.write_id(own, belonging.read_id(folder) or "")
    _clear(root, but={RESTORING})
    shutil.rmtree(root / RESTORING / "store", ignore_errors=True)
    (root / RESTORING / "store").mkdir(mode=0o700)
    return Place(root, root / RESTORING / "store", known)


def _clear(root: Path, but: set[str]) -> None:
    """Remove what a restore has put into a folder, last of all the sign that it is not finished."""
    there = _entries(root)
    if foreign := sorted(name for name in there if not (name in OURS or is_name(name))):
        raise StoreNotEmpty(str(root / foreign[0]))
    for name in sorted(there - but, key=lambda name: name == RESTORING):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    sync(root)


def _entries(root: Path) -> set[str]:
    return {*os.listdir(root)} - {NOBODYS}  # noqa: PTH208 - names
