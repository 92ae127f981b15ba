"""Adoption: the catalogue of a folder of snapshots that has none, or has lost it."""

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import insert, select, update

from app.store import snapshot
from app.store.catalogue import Unit
from app.store.document import Damage
from app.store.files import opened, read
from app.store.layout import DATASET_ID, DATASETS, DELETED, SNAPSHOT
from app.store.references import is_name
from app.store.schema import datasets, models, versions

UNKNOWN = ""  # SHA-256 of a snapshot that was damaged when it was found


class Found(NamedTuple):
    """A snapshot's file, and what its header says; nothing where it is damaged."""

    name: str
    version: int
    sha256: str
    bytes: int
    created: float
    dataset: str | None


def adopt(root: Path, unit: Unit, but: Container[str] = ()) -> list[str]:
    """List in the catalogue all snapshots that it does not know, but those of some names; give their references."""
    highest = {name: number for name, number in _highest(root) if name not in but}
    _add_datasets(unit, root)
    return _add(unit, highest, [one for name in highest for one in _snapshots(root, name)])


def snapshots_of(root: Path) -> list[tuple[str, int]]:
    """Find all snapshots' names and versions."""
    found = [(name, match) for name, _ in _highest(root) for match in _files(root / name)]
    return [(name, int(match[1])) for name, match in found if match[2] != DELETED]


def folders_of(root: Path) -> list[str]:
    """List the names of models that have a folder, which is no link to somewhere else."""
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if is_name(entry.name) and entry.is_dir(follow_symlinks=False))


def _files(folder: Path) -> list[re.Match[str]]:
    found = [match for path in folder.iterdir() if (match := SNAPSHOT.fullmatch(path.name))]
    return sorted(found, key=lambda match: int(match[1]))


def _highest(root: Path) -> Iterator[tuple[str, int]]:
    """Give for each model the highest number that was ever used, as far as files tell."""
    for name in folders_of(root):
        numbers = [int(match[1]) for match in _files(root / name)]
        if numbers:
            yield name, max(numbers)


def _snapshots(root: Path, name: str) -> Iterator[Found]:
    with opened(root / name) as folder:
        for match in _files(root / name):
            if match[2] != DELETED:
                seen = os.stat(match[0], dir_fd=folder, follow_symlinks=False)
                sha256, dataset = _header(match[0], folder)
                yield Found(name, int(match[1]), sha256, seen.st_size, seen.st_mtime, dataset)


def _header(file: str, folder: int) -> tuple[str, str | None]:
    """Read what a snapshot says of itself; a damaged one stays listed, and says so when it is asked for."""
    try:
        length, _ = read(file, within=folder, most=snapshot.LENGTH_BYTES)
        document = snapshot.read_document(read(file, within=folder, most=snapshot.header_end(length))[0])
    except (Damage, snapshot.NewerFormat, OSError):
        return UNKNOWN, None
    return document.sha256, document.dataset


def _add_datasets(unit: Unit, root: Path) -> None:
    known = set(unit.connection.scalars(select(datasets.c.id)))
    for path in (root / DATASETS).glob("*.json"):
        if DATASET_ID.fullmatch(path.stem) and path.stem not in known:
            unit.execute(insert(datasets).values(id=path.stem, created=path.stat().st_mtime))


def _add(unit: Unit, highest: dict[str, int], found: list[Found]) -> list[str]:
    known = {(row.name, row.version) for row in unit.connection.execute(select(versions.c.name, versions.c.version))}
    numbers: dict[str, int] = {
        row.name: row.highest for row in unit.connection.execute(select(models.c.name, models.c.highest))
    }
    for name, number in highest.items():
        if name not in numbers:
            unit.execute(insert(models).values(name=name, highest=number))
        elif number > numbers[name]:
            unit.execute(update(models).where(models.c.name == name).values(highest=number))
    new = [one for one in found if (one.name, one.version) not in known]
    if new:
        unit.execute(insert(versions), [one._asdict() for one in new])
    return [f"{one.name}/{one.version}" for one in new]
