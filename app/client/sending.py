"""Tables on their way out: what a file is by its ending, and what the address says of it."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO, TypeAlias

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
OF_THE_BODY = {"columns", "delimiter", "decimal", "encoding"}


class NotUsable(Exception):
    """What was asked for cannot even be sent."""


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
    media_type = ENDINGS.get(Path(name).suffix.lower())
    if media_type is None:
        message = f"{name} is none of {', '.join(ENDINGS)}. A CSV of another name can come from standard input: -"
        raise NotUsable(message)
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


@contextmanager
def _kept(source: BinaryIO) -> Iterator[BinaryIO]:
    with TemporaryFile() as file:
        copyfileobj(source, file)
        yield file


def _table(file: BinaryIO, media_type: str) -> Table:
    return Table(file, media_type, file.seek(0, SEEK_END))


@dataclass(frozen=True)
class Said:
    """What is said beside a table: settings that stand alone, and groups of them."""

    alone: Pairs
    groups: dict[str, dict[str, object]]

    @classmethod
    def of(cls, settings: Iterable[str]) -> "Said":
        """Read settings such as `preset=tutorial` and `training.epochs=100`; raise NotUsable for what is none."""
        said = cls([], {})
        for setting in settings:
            name, equals, value = setting.partition("=")
            group, dot, inner = name.partition(".")
            if not equals or not group or (dot and not inner):
                message = f"--set takes NAME=VALUE, such as training.epochs=100, and not {setting}"
                raise NotUsable(message)
            if dot:
                said.groups.setdefault(group, {})[inner] = _json_or_text(value)
            else:
                said.alone.append((name, value))
        return said

    def beside_a_table(self) -> Pairs:
        """Give all, as the address of a training from a table says it."""
        return self.alone + [(name, json.dumps(group)) for name, group in self.groups.items()]

    def beside_an_upload(self) -> Pairs:
        """Give what tells how a table is read."""
        kinds = self.groups.get("kinds", {})
        categories = {column: kind for column, kind in kinds.items() if kind == "category"}
        told = [pair for pair in self.alone if pair[0] in OF_THE_BODY]
        return told + ([("kinds", json.dumps(categories))] if categories else [])

    def beside_a_dataset(self, dataset: str) -> Pairs:
        """Give all but what tells how a table is read, and the dataset that is learnt from."""
        told = [pair for pair in self.beside_a_table() if pair[0] not in OF_THE_BODY]
        return [*told, ("dataset", dataset)]


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value
