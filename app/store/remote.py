"""What is behind a store's folder: nothing, or a bucket that holds the files, of which the folder has copies."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Taken(Exception):
    """Another file is in the place of a new one: the catalogue does not know it, as that is older, or made anew."""


class Kept(NamedTuple):
    """A file that is behind the folder: its place in the folder, its bytes, and when it was written."""

    path: Path
    bytes: int
    written: float


class Address(NamedTuple):
    """Where a bucket is, without the keys that open it, and how many bytes copies of what is in it may take, about."""

    url: str
    most_bytes: int


class Remote:
    """Nothing: the folder is all there is. A bucket does what this leaves undone; paths are those of the folder."""

    is_there = False
    address: Address | None = None
    """Where others find it."""

    def create(self, files: Mapping[Path, Path]) -> None:
        """Bring new files there, to their places; raise Taken where another is in one of these, StorageError."""

    def offer(self, path: Path, data: bytes) -> bool:
        """Bring these bytes there as a new file, unless it is there; tell whether it was not; raise StorageError."""
        raise NotImplementedError(path, data)

    def write(self, file: Path, data: bytes | None = None) -> None:
        """Bring a file there, from the folder unless its bytes are given, whatever is in its place."""

    def fetch(self, path: Path) -> bool:
        """Copy a file from there into the folder, in place of what is there; tell whether there is such a file."""
        del path
        return False

    def has(self, path: Path) -> bool:
        """Tell whether a file is there."""
        del path
        return False

    def read(self, path: Path, most: int) -> bytes:
        """Read the first bytes of a file; raise FileNotFoundError."""
        raise FileNotFoundError(path, most)

    def remove(self, files: Iterable[Path]) -> None:
        """Remove files there, if they are there."""

    def files(self, folder: Path) -> Iterator[Kept]:
        """List the files that are in a folder there, and in those within it."""
        del folder
        return iter(())

    def require_usable(self) -> None:
        """Raise StorageError unless it answers."""


NOTHING = Remote()
