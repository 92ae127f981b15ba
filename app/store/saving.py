"""Saving: a model's snapshot on disk, before it is a version that anyone can see."""

import logging
import os
import secrets
from pathlib import Path
from time import time
from typing import NamedTuple

from sqlalchemy import insert, select, update

from app.engine.control import CANCELLED
from app.engine.model import Model
from app.store import snapshot
from app.store.catalogue import Unit
from app.store.files import kept_aside, opened, remove, rename, storage_errors
from app.store.schema import models, versions

INCOMING = ".incoming"

log = logging.getLogger(__name__)


class Saved(NamedTuple):
    """A snapshot that was written aside and synced, and what the catalogue says of it."""

    aside: str
    sha256: str
    bytes: int
    dataset: str | None
    partial: bool
    """Whether the training was cancelled, and this is the best that it had come to."""


def save_aside(root: Path, model: Model, word: str = "") -> Saved:
    """Write a model's snapshot aside, under a name that begins with a word; raise StorageFull or StorageError."""
    data = snapshot.encode(model)
    _, document = snapshot.decode(data)  # what cannot be read again is not written
    with storage_errors(), opened(root / INCOMING) as incoming:
        aside = kept_aside(incoming, data, f"{word}-{secrets.token_hex(8)}" if word else "")
        return Saved(aside, document.sha256, len(data), model.dataset, model.report.stopped == CANCELLED)


def drop(root: Path, saved: Saved) -> None:
    """Remove a snapshot that was written aside, if it is still there; if that cannot be, the next start does it."""
    try:
        with opened(root / INCOMING) as incoming:
            remove(saved.aside, within=incoming)
    except OSError as error:
        log.warning("%s was left behind (%s)", saved.aside, error.strerror)


def drop_of(root: Path, word: str) -> None:
    """Remove what a process that was killed has written aside under names that begin with its word."""
    with storage_errors(), opened(root / INCOMING) as incoming:
        for name in os.listdir(incoming):  # noqa: PTH208 - a descriptor
            if name.startswith(f"{word}-"):
                remove(name, within=incoming)


def add_version(unit: Unit, root: Path, name: str, saved: Saved) -> int:
    """Make what was saved the next version of a name, and tell which that is. Comes last: it does not raise.

    A file that has its place already is one that nobody knows of, left by a crash: it is put out of the way.
    """
    highest = unit.connection.scalar(select(models.c.highest).where(models.c.name == name))
    if highest is None:
        unit.execute(insert(models).values(name=name, highest=0))
        unit.folders.add(root)  # also where the folder is there: whoever made it may have died before it was synced
    version = (highest or 0) + 1
    folder, file = root / name, snapshot_file(version)
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        unit.folders.add(root)
    if os.path.lexists(folder / file):
        rename(folder / file, folder / f"{file}.orphan-{saved.aside}")
    unit.execute(update(models).where(models.c.name == name).values(highest=version))
    unit.execute(
        insert(versions).values(
            name=name, version=version, sha256=saved.sha256, bytes=saved.bytes, created=time(), dataset=saved.dataset
        )
    )
    unit.place(root / INCOMING / saved.aside, folder, file)
    return version


def snapshot_file(version: int, kind: str = "safetensors") -> str:
    """Give the name of a version's file."""
    return f"{version}.{kind}"
