"""Bodies on their way to the disk: written aside while their SHA-256 is computed, and gone when they are done with."""

import hashlib
import io
import os
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from app.store.files import CREATE, named_aside, opened, storage_errors, write_all

ID_DIGITS = 32


class Incoming:
    """A file of a folder that nobody else sees, until it is closed, which removes it.

    Whoever waits for a write may be cancelled and close it while a thread still writes: one waits for the other.
    """

    def __init__(self, folder: Path) -> None:
        self.digest = hashlib.sha256()
        self.lock, self.closed = Lock(), False
        with storage_errors(), ExitStack() as opening:
            descriptor = opening.enter_context(opened(folder))
            name = opening.enter_context(named_aside(descriptor))
            self.file = opening.enter_context(opened(name, CREATE, within=descriptor))
            self.path = folder / name
            self.opening = opening.pop_all()

    def write(self, data: bytes | bytearray) -> None:
        """Add some bytes; raise StorageFull or StorageError, ValueError once it is closed."""
        self.digest.update(data)
        with self.lock, storage_errors():
            _require_open(self)
            write_all(self.file, data)

    def id(self, meaning: bytes) -> str:
        """Name what was written by its bytes and by what else decides on what they mean, which holds no NUL."""
        whole = self.digest.copy()
        whole.update(b"\0" + meaning)
        return whole.hexdigest()[:ID_DIGITS]

    def close(self) -> None:
        """Remove the file."""
        with self.lock, storage_errors():
            self.closed = True
            self.opening.close()


class Digested(io.RawIOBase):
    """An open file that is only ever added to, with the SHA-256 and the number of the bytes so far."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.digest, self.length = hashlib.sha256(), 0

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: "memoryview | bytes") -> int:  # type: ignore[override]  # of all buffers, those that come
        """Write all of it; raise ValueError once it is closed."""
        _require_open(self)
        write_all(self.descriptor, data)
        self.digest.update(data)
        self.length += len(data)
        return len(data)

    def sync(self) -> None:
        """Make sure that all is on the disk."""
        os.fsync(self.descriptor)


def _require_open(file: "Incoming | Digested") -> None:
    """Raise ValueError for a closed file, whose descriptor may be that of somebody else's by now."""
    if file.closed:
        message = "the file is closed"
        raise ValueError(message)
