"""Adoption: the catalogue of a folder of snapshots that has none, or has lost it."""

import logging
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, insert, select, union_all, update

from app.errors import StorageError
from app.store import snapshot
from app.store.catalogue import Catalogue, Unit
from app.store.document import Damage, Document
from app.store.files import opened, read
from app.store.layout import DATASET_ID, DATASETS, DELETED, SNAPSHOT, snapshot_file
from app.store.listing import write_tags
from app.store.references import is_name
from app.store.remote import NOTHING, Kept, Remote
from app.store.schema import datasets, leaving, models, versions

AT_ONCE = 16  # headers that are on their way from a bucket
TAGGED_AT_ONCE = 1000  # versions, after which others have their turn to write
KNOWN = union_all(select(versions.c.name, versions.c.version), select(leaving.c.name, leaving.c.version))
"""Versions that are listed, or that were deleted and may still have their files."""
UNKNOWN = ""  # SHA-256 of a snapshot that was damaged when it was found
_NOW_TAGGED = (
    update(versions)
    .where(versions.c.name == bindparam("of"), versions.c.version == bindparam("which"), versions.c.tagged.is_(False))
    .values(tagged=True)
)

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A snapshot's file, and what its header says; nothing where it is damaged."""

    name: str
    version: int
    sha256: str
    bytes: int
    created: float
    dataset: str | None
    tagged: bool
    """Whether it is known what it is tagged with."""
    tags: dict[str, str]

    @property
    def row(self) -> dict[str, object]:
        """What the catalogue lists of it."""
        return {name: value for name, value in self._asdict().items() if name != "tags"}


def adopt(root: Path, unit: Unit, but: Container[str] = ()) -> list[str]:
    """List in the catalogue all snapshots that it does not know, but those of some names; give their references."""
    there = [file for file in _lying(root, unit.remote) if file.path.parent.name not in but]
    _add_datasets(unit, root)
    _keep_highest(unit, _highest(there))
    known = {(row.name, row.version) for row in unit.connection.execute(KNOWN)}
    unknown = [file for file in there if not _is_mark(file) and (file.path.parent.name, _number(file)) not in known]
    if new := _all_found(unknown, unit.remote):
        unit.execute(insert(versions), [one.row for one in new])
        write_tags(unit, _tagged(new))
    return [f"{one.name}/{one.version}" for one in new]


def tag_all(root: Path, catalogue: Catalogue) -> None:
    """Find out what versions are tagged with of which the catalogue does not tell it: they were there before it could.

    Where that cannot be read or written, they are found by no tag, until a store is opened again.
    """
    rows = catalogue.read(select(versions).where(versions.c.tagged.is_(False)))
    try:
        for first in range(0, len(rows), TAGGED_AT_ONCE):
            _tag_some(root, catalogue, rows[first : first + TAGGED_AT_ONCE])
    except StorageError as error:
        log.warning("of %d versions not all are known by what they are tagged with (%s)", len(rows), error)


def _tag_some(root: Path, catalogue: Catalogue, rows: Sequence[Row[Any]]) -> None:
    lying = [Kept(root / row.name / snapshot_file(row.version), row.bytes, row.created) for row in rows]
    if found := [one for one in _all_found(lying, catalogue.remote) if one.tagged]:
        catalogue.write(lambda unit: write_tags(unit, _tagged(_untagged(unit, found)))).result()


def _untagged(unit: Unit, found: Sequence[Found]) -> list[Found]:
    """Choose those that are still listed, and have been tagged by nobody else, and note that they are now."""
    return [one for one in found if unit.execute(_NOW_TAGGED, {"of": one.name, "which": one.version})]


def _tagged(found: Iterable[Found]) -> Iterator[tuple[str, int, dict[str, str]]]:
    return ((one.name, one.version, one.tags) for one in found)


def snapshots_of(root: Path, remote: Remote = NOTHING) -> list[tuple[str, int]]:
    """Find all snapshots' names and versions."""
    found = (file for file in _lying(root, remote) if not _is_mark(file))
    return [(file.path.parent.name, _number(file)) for file in found]


def folders_of(root: Path) -> list[str]:
    """List the names of models that have a folder, which is no link to somewhere else."""
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if is_name(entry.name) and entry.is_dir(follow_symlinks=False))


def _lying(root: Path, remote: Remote) -> list[Kept]:
    """Find the files of snapshots, and the marks of those that were deleted, by name and number."""
    if remote.is_there:
        everything = (file for file in remote.files(root) if file.path.parent.parent == root)
        found = [file for file in everything if is_name(file.path.parent.name) and SNAPSHOT.fullmatch(file.path.name)]
    else:
        found = [file for name in folders_of(root) for file in _files(root / name)]
    return sorted(found, key=lambda file: (file.path.parent.name, _number(file)))


def _files(folder: Path) -> Iterator[Kept]:
    for path in folder.iterdir():
        if SNAPSHOT.fullmatch(path.name):
            seen = path.lstat()
            yield Kept(path, seen.st_size, seen.st_mtime)


def _number(file: Kept) -> int:
    return int(file.path.name.partition(".")[0])


def _is_mark(file: Kept) -> bool:
    return file.path.suffix == f".{DELETED}"


def _highest(there: list[Kept]) -> dict[str, int]:
    """Give for each model the highest number that was ever used, as far as files tell."""
    return {file.path.parent.name: _number(file) for file in there}  # which come in order


def _all_found(files: list[Kept], remote: Remote) -> list[Found]:
    """Read what snapshots say of themselves, of many at once where each is a way to a bucket and back."""
    if not remote.is_there:
        return [_found(file, remote) for file in files]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(lambda file: _found(file, remote), files)]


def _found(file: Kept, remote: Remote) -> Found:
    known, name, number = _header(file, remote), file.path.parent.name, _number(file)
    if known is None:
        return Found(name, number, UNKNOWN, file.bytes, file.written, None, tagged=False, tags={})
    return Found(name, number, known.sha256, file.bytes, file.written, known.dataset, tagged=True, tags=known.tags)


def _header(file: Kept, remote: Remote) -> Document | None:
    """Read what a snapshot says of itself; None for a damaged one, which says so when it is asked for."""

    def beginning(most: int) -> bytes:
        if remote.is_there:
            return remote.read(file.path, most)
        with opened(file.path.parent) as folder:
            return read(file.path.name, within=folder, most=most)[0]

    try:
        return snapshot.read_document(beginning(snapshot.header_end(beginning(snapshot.LENGTH_BYTES))))
    except (Damage, snapshot.NewerFormat, OSError):
        return None


def _add_datasets(unit: Unit, root: Path) -> None:
    known = set(unit.connection.scalars(select(datasets.c.id)))
    for path, created in _described(root, unit.remote):
        if DATASET_ID.fullmatch(path.stem) and path.stem not in known:
            unit.execute(insert(datasets).values(id=path.stem, created=created))


def _described(root: Path, remote: Remote) -> Iterator[tuple[Path, float]]:
    """Find what describes datasets, and when it was written."""
    if remote.is_there:
        found = remote.files(root / DATASETS)
        return ((file.path, file.written) for file in found if file.path.suffix == ".json")
    return ((path, path.stat().st_mtime) for path in (root / DATASETS).glob("*.json"))


def _keep_highest(unit: Unit, highest: dict[str, int]) -> None:
    numbers: dict[str, int] = {
        row.name: row.highest for row in unit.connection.execute(select(models.c.name, models.c.highest))
    }
    for name, number in highest.items():
        if name not in numbers:
            unit.execute(insert(models).values(name=name, highest=number))
        elif number > numbers[name]:
            unit.execute(update(models).where(models.c.name == name).values(highest=number))
