"""Files on their way out: each is what its ending says."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO, TypeAlias

from app.client.errors import NotUsable

Pairs: TypeAlias = list[tuple[str, str]]

STANDARD_INPUT = "-"
ENDINGS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".npy": "application/x-npy",
    ".json": "application/json",
}


@dataclass(frozen=True)
class Table:
    """A file to send."""

    file: BinaryIO
    media_type: str
    size: int

    def from_its_beginning(self) -> BinaryIO:
        """Give the file to be read, again if it was before."""
        self.file.seek(0)
        return self.file


@contextmanager
def opened(name: str) -> Iterator[Table]:
    """Open a file, or what standard input has as CSV; raise NotUsable for what cannot be read or has no known ending.

    What can be read only once is kept on disk, so that it can be sent again.
    """
    if name == STANDARD_INPUT:
        with _kept(sys.stdin.buffer) as file:
            yield _table(file, ENDINGS[".csv"])
        return
    media_type = media_type_of(name)
    try:
        source = Path(name).open("rb")  # noqa: SIM115 - closed below; what is read later may fail otherwise
    except OSError as error:
        message = f"{name} cannot be read ({error.strerror})."
        raise NotUsable(message) from None
    with source:
        if source.seekable():
            yield _table(source, media_type)
        else:
            with _kept(source) as file:
                yield _table(file, media_type)


def media_type_of(name: str) -> str:
    """Tell what a file is by its ending; raise NotUsable for one that is not known."""
    media_type = ENDINGS.get(Path(f"a{name}" if name.startswith(".") else name).suffix.lower())
    if media_type is None:
        message = f"{name} is none of {', '.join(ENDINGS)}. A CSV of another name can come from standard input: -"
        raise NotUsable(message)
    return media_type


@contextmanager
def _kept(source: BinaryIO) -> Iterator[BinaryIO]:
    with TemporaryFile() as file:
        copyfileobj(source, file)
        yield file


def _table(file: BinaryIO, media_type: str) -> Table:
    return Table(file, media_type, file.seek(0, SEEK_END))
