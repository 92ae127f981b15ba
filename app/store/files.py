"""Durable files: written aside, synced, renamed, and the folder synced, before anyone is told."""

import ctypes
import errno
import fcntl
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from app.errors import StorageError, StorageFull

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_FILE = {errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # never waits for a planted FIFO
MORE_SPACE = "Delete models or datasets that are not needed, or give the store more space."
OTHERS = "{} is not this user's alone, and nothing is kept there. Remove it, or set TMPDIR."

log = logging.getLogger(__name__)
_LIBC = ctypes.CDLL(None, use_errno=True)  # Python has no name for syncfs


@contextmanager
def storage_errors(place: str = "The store", remedy: str = MORE_SPACE) -> Iterator[None]:
    """Turn what the disk refuses into StorageFull or StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            message = f"The disk is full. {remedy}"
            raise StorageFull(message) from error
        message = f"{place} cannot be used ({errno.errorcode.get(error.errno or 0, 'unknown error')})."
        raise StorageError(message) from error


@contextmanager
def opened(path: str | Path, flags: int = FOLDER, *, within: int | None = None) -> Iterator[int]:
    """Open a folder (or a file), relative to another open folder if one is given, and close it at the end."""
    descriptor = os.open(path, flags, 0o600, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync(folder: Path) -> None:
    """Make sure that what a folder lists is on disk."""
    with opened(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
        os.fsync(descriptor)


def sync_disk(folder: int) -> None:
    """Make sure that all that was written to the disk of an open folder is on it: for many files at once."""
    if not hasattr(_LIBC, "syncfs"):
        os.sync()
    elif _LIBC.syncfs(folder):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def make(folder: Path) -> None:
    """Make a folder, and those that it is in, where they are missing; make sure that all of them are on disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing or [folder]:  # which somebody who died may have made
        sync(each.parent)


def own_folder(kind: str) -> Path:
    """Make a folder for temporary files of this user, where nobody else can read or plant any.

    Raises StorageError where somebody has made another in its place, and OSError.
    """
    folder = Path(tempfile.gettempdir()) / f"{kind}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not S_ISDIR(found.st_mode):
        raise StorageError(OTHERS.format(folder))
    return folder


def rename(origin: Path, target: Path) -> None:
    """Move a file between two folders of one disk, neither of which is a link to somewhere else."""
    with opened(origin.parent) as source, opened(target.parent) as folder:
        os.rename(origin.name, target.name, src_dir_fd=source, dst_dir_fd=folder)


@contextmanager
def locked(folder: int, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a folder's lock, which dies with the process that holds it."""
    fcntl.flock(folder, kind)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


@contextmanager
def named_aside(folder: int, beginning: str = "") -> Iterator[str]:
    """Give a name of its own to a file that is to be written, and renamed away; remove it if it was not."""
    name = beginning + secrets.token_hex(8)
    with locked(folder, fcntl.LOCK_SH):
        try:
            yield name
        finally:
            remove(name, within=folder)


@contextmanager
def written_aside(folder: int, data: bytes) -> Iterator[str]:
    """Write and sync a file under a name of its own, to be renamed away; remove it if it was not.

    A failed fsync is never repeated: the kernel may have dropped the pages, and the second one would say all is well.
    """
    with named_aside(folder) as name:
        with opened(name, CREATE, within=folder) as descriptor:
            write_all(descriptor, data)
            os.fsync(descriptor)
        yield name


def kept_aside(folder: int, data: bytes, name: str = "", *, synced: bool = True) -> str:
    """Write and sync a file under a name of its own, or the one that is given, and tell which; it is left there.

    Where it is not `synced`, whoever writes many syncs them all at once.
    """
    name = name or secrets.token_hex(8)
    try:
        with opened(name, CREATE, within=folder) as descriptor:
            write_all(descriptor, data)
            if synced:
                os.fsync(descriptor)
    except OSError:
        remove(name, within=folder)
        raise
    return name


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of it, however little the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove(name: str, *, within: int) -> None:
    """Remove a file of a folder, if it is there; a folder planted under its name stays."""
    try:
        os.unlink(name, dir_fd=within)
    except (FileNotFoundError, IsADirectoryError):
        return


def empty(name: str, *, within: int) -> None:
    """Give back the space of a file that keeps its name; whoever has it open goes on reading what it was."""
    aside = f"{name}.new"
    try:
        with opened(aside, CREATE, within=within):
            pass
        os.rename(aside, name, src_dir_fd=within, dst_dir_fd=within)
    except OSError as error:  # a folder was planted there, or there is no room even for an empty file, until it goes
        log.warning("%s could not be emptied (%s)", name, error.strerror)
        remove(aside, within=within)
        if error.errno in FULL:
            remove(name, within=within)
            os.close(os.open(name, CREATE, 0o600, dir_fd=within))


def sweep(folder: int) -> bool:
    """Remove the files that writers that died left behind, unless someone may be writing now; tell which."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    with os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]:
            remove(name, within=folder)
    fcntl.flock(folder, fcntl.LOCK_UN)
    return True


def read(name: str, *, within: int, most: int) -> tuple[bytes, float]:
    """Read a regular file of a folder (its first `most` bytes) and when it was written; raise OSError if it is none."""
    with opened(name, READ, within=within) as descriptor:
        require_regular(descriptor)
        status = os.fstat(descriptor)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(min(most, status.st_size + 1)), status.st_mtime  # whatever a file says of its own length


def require_regular(descriptor: int) -> None:
    """Raise OSError for a FIFO, a socket or a folder that was planted under a file's name."""
    if not S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
