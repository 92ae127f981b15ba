"""Numbering: what was saved becomes a version, which everybody sees at once, or nobody."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select, update

from app.store import memories
from app.store.catalogue import Catalogue, Unit
from app.store.deleting import Gone, expire
from app.store.files import rename
from app.store.layout import INCOMING, snapshot_file
from app.store.listing import write_tags
from app.store.locks import of_model
from app.store.remote import Taken
from app.store.saving import Saved
from app.store.schema import models, versions

_NEXT = update(models).where(models.c.name == bindparam("which")).values(highest=models.c.highest + 1).returning(models)
_NEXT_OF_SEVERAL = (
    update(models)
    .where(models.c.name.in_(bindparam("names", expanding=True)))
    .values(highest=models.c.highest + 1)
    .returning(models)
)
_FIRST, _LISTED = insert(models), insert(versions)


class Number(NamedTuple):
    """The next number of a model, and the rule by which older ones expire."""

    version: int
    keep_last: int | None


class Added(NamedTuple):
    """A new version, and those that the rule of its model ends."""

    version: int
    gone: Gone
    """To be cleared once the transaction is on disk."""


def add_version(unit: Unit, root: Path, name: str, saved: Saved, version: int | None = None) -> Added:
    """Make what was saved the next version of a name, or one whose number it has; expire older ones. Does not raise."""
    number = next_version(unit, name) if version is None else taken_before(unit, [name], [version])[0]
    return Added(number.version, place(unit, root, name, number, saved))


def next_version(unit: Unit, name: str) -> Number:
    """Take the next number of a name, which nobody else gets."""
    row = unit.changed(_NEXT, {"which": name})
    if row is None:
        unit.execute(_FIRST, {"name": name, "highest": 1})
    return Number(1, None) if row is None else Number(row.highest, row.keep_last)


def next_versions(unit: Unit, names: Sequence[str]) -> list[Number]:
    """Take the next number of each of many names, which nobody else gets."""
    unit.changes += 1
    known = {row.name: row for row in unit.connection.execute(_NEXT_OF_SEVERAL, {"names": list(names)})}
    if new := [{"name": name, "highest": 1} for name in names if name not in known]:
        unit.execute(_FIRST, new)
    return [Number(known[name].highest, known[name].keep_last) if name in known else Number(1, None) for name in names]


def taken_before(unit: Unit, names: Sequence[str], numbers: Sequence[int]) -> list[Number]:
    """Give numbers that these names got in an earlier transaction."""
    known = select(models.c.name, models.c.keep_last).where(models.c.name.in_(names))
    keep_last: dict[str, int | None] = {row.name: row.keep_last for row in unit.connection.execute(known)}
    return [Number(number, keep_last[name]) for name, number in zip(names, numbers, strict=True)]


def places(root: Path, names: Sequence[str], numbers: Sequence[int], saves: Sequence[Saved]) -> dict[Path, Path]:
    """Tell for each file that was saved aside where it will be."""
    return {
        root / INCOMING / aside: root / name / snapshot_file(number, kind)
        for name, number, saved in zip(names, numbers, saves, strict=True)
        for kind, aside in saved.asides.items()
    }


def keep_behind(catalogue: Catalogue, name: str, saved: Saved) -> int | None:
    """Bring what was saved to where it is behind the folder, under a number that it gets; None where nothing is there.

    Nobody else gets that number, also where this raises StorageError, or it is not listed after all.
    """
    while catalogue.remote.is_there:
        number = catalogue.write(lambda unit: next_version(unit, name), {of_model(name)}).result().version
        try:
            catalogue.remote.create(places(catalogue.root, [name], [number], [saved]))
        except Taken:
            continue
        return number
    return None


def place_all(
    unit: Unit, root: Path, names: Sequence[str], numbers: Sequence[Number], saves: Sequence[Saved]
) -> list[Gone]:
    """Do what `place` does for many, in few statements and one sync of the disk."""
    listed = [
        {"name": name, "version": number.version} | _facts(saved)
        for name, number, saved in zip(names, numbers, saves, strict=True)
    ]
    unit.execute(_LISTED, listed)
    _tag(unit, names, numbers, saves)
    gone = [
        Gone(name, expire(unit, name, number.keep_last), number.version)
        for name, number in zip(names, numbers, strict=True)
        if number.keep_last is not None
    ]
    unit.disk = root
    for name, number, saved in zip(names, numbers, saves, strict=True):
        _put(unit, root / name, number.version, saved)
    return gone


def place(unit: Unit, root: Path, name: str, number: Number, saved: Saved) -> Gone:
    """Make what was saved the version of this number, and expire older ones. Comes last: it does not raise.

    A file that has its place already is one that nobody knows of, left by a crash: it is put out of the way.
    """
    unit.execute(_LISTED, {"name": name, "version": number.version} | _facts(saved))
    _tag(unit, [name], [number], [saved])
    gone = Gone(name, expire(unit, name, number.keep_last), number.version)
    _put(unit, root / name, number.version, saved)
    return gone


def _facts(saved: Saved) -> dict[str, object]:
    told = {"sha256": saved.sha256, "bytes": saved.bytes, "created": time(), "dataset": saved.dataset}
    return told | {"tagged": True}


def _tag(unit: Unit, names: Sequence[str], numbers: Sequence[Number], saves: Sequence[Saved]) -> None:
    """Write down what versions are tagged with."""
    versioned = zip(names, numbers, saves, strict=True)
    write_tags(unit, ((name, number.version, saved.tags) for name, number, saved in versioned))


def _put(unit: Unit, folder: Path, version: int, saved: Saved) -> None:
    """Bring the files of a version to their places."""
    if version == 1:  # also where the folder is there: whoever made it may have died before it was synced
        unit.folders.add(folder.parent)
    if folder.is_dir():
        for file in (snapshot_file(version, kind) for kind in memories.KINDS):
            if os.path.lexists(folder / file):
                rename(folder / file, folder / f"{file}.orphan-{saved.aside}")
    else:
        folder.mkdir(mode=0o700)
        unit.folders.add(folder.parent)
    for kind, aside in saved.asides.items():
        unit.place(folder.parent / INCOMING / aside, folder, snapshot_file(version, kind))
