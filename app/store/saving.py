"""Saving: a model's snapshot on disk, before it is a version that anyone can see."""

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from app.engine.control import CANCELLED, Checkpoint
from app.models.model import Model
from app.store import memories, snapshot
from app.store.document import Damage
from app.store.files import kept_aside, opened, remove, storage_errors, sync_disk
from app.store.layout import INCOMING

log = logging.getLogger(__name__)


class Saved(NamedTuple):
    """A snapshot that was written aside and synced, and what the catalogue says of it."""

    aside: str
    sha256: str
    bytes: int
    dataset: str | None
    partial: bool
    """Whether the training was cancelled, and this is the best that it had come to."""
    tags: Mapping[str, str]
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
        saved = Saved(aside, document.sha256, len(data), model.dataset, partial, model.tags)
        if memory is None:
            return saved
        try:
            encoded = memories.encode(memory, document.sha256)
            return saved._replace(memory=kept_aside(incoming, encoded, _name(word)))
        except OSError:
            remove(aside, within=incoming)
            raise


def save_all_aside(root: Path, models: Sequence[Model], word: str) -> list[Saved | None]:
    """Write the snapshots of many models aside, and sync them all at once; raise StorageFull or StorageError.

    What nobody could read again is not written, and is None.
    """
    saves: list[Saved | None] = []
    with storage_errors(), opened(root / INCOMING) as incoming:
        try:
            for model in models:
                try:
                    data, sha256 = snapshot.encode_sound(model)
                except (Damage, ValidationError):
                    log.exception("a model could not be read again, and is not saved")
                    saves.append(None)
                    continue
                aside = kept_aside(incoming, data, _name(word), synced=False)
                saves.append(Saved(aside, sha256, len(data), model.dataset, partial=False, tags=model.tags))
            sync_disk(incoming)
        except OSError:
            for saved in filter(None, saves):
                remove(saved.aside, within=incoming)
            raise
    return saves


def save_as_it_is(root: Path, data: bytes) -> Saved:
    """Write a snapshot aside that came from elsewhere, byte for byte.

    Raises Damage or NewerFormat if it is none, StorageFull or StorageError.
    """
    model, document = snapshot.decode(data)
    with storage_errors(), opened(root / INCOMING) as incoming:
        aside = kept_aside(incoming, data)
    partial = model.report.stopped == CANCELLED
    return Saved(aside, document.sha256, len(data), model.dataset, partial, model.tags)


def _name(word: str) -> str:
    return f"{word}-{secrets.token_hex(8)}" if word else ""


def drop(root: Path, *saves: Saved) -> None:
    """Remove what was written aside, if it is still there; if that cannot be, the next start does it."""
    try:
        with opened(root / INCOMING) as incoming:
            for aside in (aside for saved in saves for aside in saved.asides.values()):
                remove(aside, within=incoming)
    except OSError as error:
        log.warning("%s was left behind (%s)", saves[0].aside, error.strerror)


def drop_of(root: Path, word: str) -> None:
    """Remove what a process that was killed has written aside under names that begin with its word."""
    with storage_errors(), opened(root / INCOMING) as incoming:
        for name in os.listdir(incoming):  # noqa: PTH208 - a descriptor
            if name.startswith(f"{word}-"):
                remove(name, within=incoming)
