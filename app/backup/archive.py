"""The file of a backup: a tar of plain files, the last of which is the list of the others' SHA-256.

Readers of tars follow links, fill holes and take names of any length from headers of headers. This one knows none of
that: a member is a regular file whose name and length are in its own header.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from io import BytesIO
from time import time
from typing import BinaryIO, NamedTuple

from app.backup.members import SUMS, require_member
from app.errors import BackupDamaged, StorageError
from app.store.files import storage_errors

BLOCK = tarfile.BLOCKSIZE
PIECE = 2**20
END = bytes(2 * BLOCK)
MOST_MEMBERS = 2**23
PLACE, MORE_ROOM = "The file of the backup", "Make room for the backup, or write it elsewhere."


class Writer:
    """A backup that is written from its beginning to its end."""

    def __init__(self, sink: BinaryIO) -> None:
        self.sink = sink
        self.sums: list[bytes] = []
        self.length = 0

    def add(self, name: str, source: BinaryIO, size: int) -> None:
        """Write so many bytes of a file as a member; raise StorageFull or StorageError."""
        head = tarfile.TarInfo(name)
        head.size, head.mode, head.mtime = size, 0o600, int(time())
        self._write(_written(head))
        digest, left = hashlib.sha256(), size
        while left:
            piece = source.read(min(PIECE, left))
            if not piece:
                message = f"{name} became shorter while it was read."
                raise StorageError(message)
            digest.update(piece)
            self._write(piece)
            left -= len(piece)
        self._write(bytes(-size % BLOCK))
        self.sums.append(_line(digest.hexdigest(), name))

    def add_bytes(self, name: str, data: bytes) -> None:
        """Write a member; raise as `add` does."""
        self.add(name, BytesIO(data), len(data))

    def end(self) -> None:
        """Write the list of what there is: without it, a backup is cut short."""
        self.add_bytes(SUMS, b"".join(self.sums))
        self._write(END)

    def _write(self, data: bytes) -> None:
        with storage_errors(PLACE, MORE_ROOM):
            self.sink.write(data)
        self.length += len(data)


class Member(NamedTuple):
    """A file of a backup that is read: its pieces have to be taken before the next one is asked for."""

    name: str
    pieces: Iterator[bytes]


class Reader:
    """A backup that is read from its beginning to its end, once."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.sums: dict[str, bytes] = {}

    def members(self) -> Iterator[Member]:
        """Give each file but the list of their sums, which is held against them; raise BackupDamaged."""
        while (head := self._head()) is not None:
            name, size = head
            require_member(name, size)
            if name in self.sums:
                message = f"it holds {name} twice"
                raise BackupDamaged(message)
            if len(self.sums) >= MOST_MEMBERS:
                message = "it has too many members"
                raise BackupDamaged(message)
            if name == SUMS:
                self._require_sums(size)
                return
            yield Member(name, self._pieces(name, size))
            self._skip(-size % BLOCK)
        message = "the list of its members is missing"
        raise BackupDamaged(message)

    def _head(self) -> tuple[str, int] | None:
        """Read a header: a name and a length; None at the end."""
        block = self._read(BLOCK)
        if not any(block):
            return None
        try:
            head = tarfile.TarInfo.frombuf(block, "ascii", "strict")
            is_as_written = _written(head) == block
        except (tarfile.TarError, ValueError) as error:
            message = "it is no tar, or a header in it is damaged"
            raise BackupDamaged(message) from error
        if head.type != tarfile.REGTYPE or head.linkname or head.size < 0:
            message = f"it holds something that is no plain file ({head.name[:100]!a})"
            raise BackupDamaged(message)
        if not is_as_written:
            message = f"the header of {head.name[:100]!a} is none that netlet writes"
            raise BackupDamaged(message)
        return head.name, head.size

    def _pieces(self, name: str, size: int) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), size
        while left:
            piece = self._read(min(PIECE, left))
            digest.update(piece)
            left -= len(piece)
            yield piece
        self.sums[name] = _line(digest.hexdigest(), name)

    def _require_sums(self, size: int) -> None:
        """Hold the list against what was read, and find nothing after it; raise BackupDamaged."""
        if size != sum(map(len, self.sums.values())):
            message = "some of its members are missing, or no others should be there"
            raise BackupDamaged(message)
        for name, line in self.sums.items():
            if self._read(len(line)) != line:
                message = f"the SHA-256 of {name} does not match"
                raise BackupDamaged(message)
        self._skip(-size % BLOCK + len(END))
        if self.source.read(1):
            message = "something follows its end"
            raise BackupDamaged(message)

    def _skip(self, size: int) -> None:
        if any(self._read(size)):
            message = "there is something between its members"
            raise BackupDamaged(message)

    def _read(self, size: int) -> bytes:
        with storage_errors(PLACE):
            data = self.source.read(size)
        if len(data) < size:
            message = "it is cut short"
            raise BackupDamaged(message)
        return data


def _written(head: tarfile.TarInfo) -> bytes:
    """Write a header, of a length beyond 8 GiB too where the name is short, of a long name where the length is not."""
    is_short = len(head.name) <= tarfile.LENGTH_NAME
    return head.tobuf(tarfile.GNU_FORMAT if is_short else tarfile.USTAR_FORMAT, "ascii", "strict")


def _line(digest: str, name: str) -> bytes:
    return f"{digest}  {name}\n".encode()
