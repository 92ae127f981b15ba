"""Saving: a model's snapshot on disk, before it is a version that anyone can see."""

import logging
import os
import secrets
from pathlib import Path
from time import time
from typing import NamedTuple

from sqlalchemy import bindparam, insert, update

from app.engine.control import CANCELLED, Checkpoint
from app.engine.model import Model
from app.store import memories, snapshot
from app.store.catalogue import Unit
from app.store.deleting import Gone, expire
from app.store.files import kept_aside, opened, remove, rename, storage_errors
from app.store.layout import INCOMING, snapshot_file
from app.store.schema import models, versions

KINDS = ("safetensors", memories.MEMORY)

_NEXT = update(models).where(models.c.name == bindparam("which")).values(highest=models.c.highest + 1).returning(models)
_FIRST, _LISTED = insert(models), insert(versions)

log = logging.getLogger(__name__)


class Saved(NamedTuple):
    """A snapshot that was written aside and synced, and what the catalogue says of it."""

    aside: str
    sha256: str
    bytes: int
    dataset: str | None
    partial: bool
    """Whether the training was cancelled, and this is the best that it had come to."""
    memory: str | None = None
    """What the optimizer remembers, written aside too."""

    @property
    def asides(self) -> dict[str, str]:
        """The files, by the kinds that their names end with in their places."""
        return {"safetensors": self.aside} | ({memories.MEMORY: self.memory} if self.memory else {})


def save_aside(root: Path, model: Model, memory: Checkpoint | None = None, word: str = "") -> Saved:
    """Write a model's snapshot aside, and what its optimizer remembers; raise StorageFull or StorageError.

    The names of the files begin with the word, if there is one.
    """
    data = snapshot.encode(model)
    _, document = snapshot.decode(data)  # what cannot be read again is not written
    with storage_errors(), opened(root / INCOMING) as incoming:
        aside, partial = kept_aside(incoming, data, _name(word)), model.report.stopped == CANCELLED
        saved = Saved(aside, document.sha256, len(data), model.dataset, partial)
        if memory is None:
            return saved
        try:
            encoded = memories.encode(memory, document.sha256)
            return saved._replace(memory=kept_aside(incoming, encoded, _name(word)))
        except OSError:
            remove(aside, within=incoming)
            raise


def save_as_it_is(root: Path, data: bytes) -> Saved:
    """Write a snapshot aside that came from elsewhere, byte for byte.

    Raises Damage or NewerFormat if it is none, StorageFull or StorageError.
    """
    model, document = snapshot.decode(data)
    with storage_errors(), opened(root / INCOMING) as incoming:
        aside = kept_aside(incoming, data)
    return Saved(aside, document.sha256, len(data), model.dataset, model.report.stopped == CANCELLED)


def _name(word: str) -> str:
    return f"{word}-{secrets.token_hex(8)}" if word else ""


def drop(root: Path, saved: Saved) -> None:
    """Remove what was written aside, if it is still there; if that cannot be, the next start does it."""
    try:
        with opened(root / INCOMING) as incoming:
            for aside in saved.asides.values():
                remove(aside, within=incoming)
    except OSError as error:
        log.warning("%s was left behind (%s)", saved.aside, error.strerror)


def drop_of(root: Path, word: str) -> None:
    """Remove what a process that was killed has written aside under names that begin with its word."""
    with storage_errors(), opened(root / INCOMING) as incoming:
        for name in os.listdir(incoming):  # noqa: PTH208 - a descriptor
            if name.startswith(f"{word}-"):
                remove(name, within=incoming)


class Number(NamedTuple):
    """The next number of a model, and the rule by which older ones expire."""

    version: int
    keep_last: int | None


class Added(NamedTuple):
    """A new version, and those that the rule of its model ends."""

    version: int
    gone: Gone
    """To be cleared once the transaction is on disk."""


def add_version(unit: Unit, root: Path, name: str, saved: Saved) -> Added:
    """Make what was saved the next version of a name, and expire older ones. Comes last: it does not raise."""
    number = next_version(unit, name)
    return Added(number.version, place(unit, root, name, number, saved))


def next_version(unit: Unit, name: str) -> Number:
    """Take the next number of a name, which nobody else gets."""
    row = unit.changed(_NEXT, {"which": name})
    if row is None:
        unit.execute(_FIRST, {"name": name, "highest": 1})
    return Number(1, None) if row is None else Number(row.highest, row.keep_last)


def place(unit: Unit, root: Path, name: str, number: Number, saved: Saved) -> Gone:
    """Make what was saved the version of this number, and expire older ones. Comes last: it does not raise.

    A file that has its place already is one that nobody knows of, left by a crash: it is put out of the way.
    """
    version, folder = number.version, root / name
    files = {aside: snapshot_file(version, kind) for kind, aside in saved.asides.items()}
    if version == 1:  # also where the folder is there: whoever made it may have died before it was synced
        unit.folders.add(root)
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        unit.folders.add(root)
    for file in (snapshot_file(version, kind) for kind in KINDS):
        if os.path.lexists(folder / file):
            rename(folder / file, folder / f"{file}.orphan-{saved.aside}")
    facts = {"sha256": saved.sha256, "bytes": saved.bytes, "created": time(), "dataset": saved.dataset}
    unit.execute(_LISTED, {"name": name, "version": version} | facts)
    gone = Gone(name, expire(unit, name, number.keep_last), version)
    for aside, file in files.items():
        unit.place(root / INCOMING / aside, folder, file)
    return gone
