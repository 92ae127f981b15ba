"""Checkpoints on the disk: where a training stood, so that another process can go on with it when this one dies."""

import hashlib
import json
import logging
import os
import re
from pathlib import Path
from time import monotonic

import numpy as np
from safetensors.numpy import load, save

from app import __version__
from app.engine.control import Checkpoint
from app.errors import NetletError
from app.store.files import opened, read, remove, storage_errors, sync, written_aside
from app.store.remote import NOTHING, Remote
from app.store.snapshot import KEY, LENGTH_BYTES, header_end

FILE = re.compile(r"[0-9]{8,}-([0-9a-f]{64})\.safetensors", re.ASCII)
FORMAT = 1
KEPT = 2  # the last one, and the one before it, for a disk that damages the last
SECONDS_BETWEEN = 10.0
LARGEST_SHARE = 0.05  # of a training's time that may go into writing it down

log = logging.getLogger(__name__)


class Unusable(Exception):
    """A training cannot go on from this file; the text says why."""


class Checkpoints:
    """The last two checkpoints of one training, in a folder that is theirs alone.

    Each is a safetensors file, `<epoch>-<SHA-256 of the file>.safetensors`: plain data, whose name tells whether it is
    what was once written.
    """

    def __init__(self, folder: Path, order: str, seconds: float = SECONDS_BETWEEN, remote: Remote = NOTHING) -> None:
        """`order` is a digest of all that decides what the training comes to: its rows and its recipe."""
        self.folder, self.remote = folder, remote
        self.origin = {"format": FORMAT, "order": order, "netlet": __version__, "numpy": np.__version__}
        self.seconds = seconds
        self.due = monotonic() + seconds

    def is_due(self, stopped: str | None) -> bool:
        """Tell whether it is time for another one; a training that is over needs none."""
        return stopped is None and monotonic() >= self.due

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, or go on without one where the disk refuses; the next is not due at once."""
        began = monotonic()
        try:
            self.write(checkpoint)
        except NetletError as error:
            log.warning("no checkpoint after epoch %d: %s", checkpoint.epoch, error)
        ended = monotonic()
        self.due = ended + max(self.seconds, (ended - began) / LARGEST_SHARE)

    def load(self) -> Checkpoint | None:
        """Read the last checkpoint that is whole and of this training; remove those after it."""
        bring(self.folder, self.remote)
        if not self.folder.is_dir():
            return None
        with storage_errors(), opened(self.folder) as folder:
            for name in reversed(_checkpoints(folder)):
                try:
                    return self._decoded(_read(name, folder))
                except (OSError, Unusable) as error:
                    log.warning("checkpoint %s is not used: %s", name, error)
                    remove(name, within=folder)
        return None

    def clear(self) -> None:
        """Remove all, and the folder."""
        if self.folder.is_dir():
            with storage_errors():
                with opened(self.folder) as folder:
                    for name in _names(folder):
                        remove(name, within=folder)
                self.folder.rmdir()

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint that is not lost from then on; raise StorageFull or StorageError."""
        data = self._encoded(checkpoint)
        name = f"{checkpoint.epoch:08}-{hashlib.sha256(data).hexdigest()}.safetensors"
        keep(self.folder, name, data, self.remote)

    def _encoded(self, checkpoint: Checkpoint) -> bytes:
        document = self.origin | {"epoch": checkpoint.epoch, "facts": checkpoint.facts}
        data: bytes = save(checkpoint.arrays, metadata={KEY: json.dumps(document, allow_nan=False)})
        return data

    def _decoded(self, data: bytes) -> Checkpoint:
        """Read what is as it was once written; raise Unusable if another training wrote it, or another netlet."""
        document = json.loads(json.loads(data[LENGTH_BYTES : header_end(data)])["__metadata__"][KEY])
        if not self.origin.items() <= document.items():
            message = "it is of another training, or another netlet's"
            raise Unusable(message)
        return Checkpoint(document["epoch"], load(data), document["facts"])


def keep(folder: Path, name: str, data: bytes, remote: Remote = NOTHING) -> None:
    """Write a checkpoint of some training, which is not lost from then on; raise StorageFull or StorageError."""
    with storage_errors():
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(folder.parent)
        with opened(folder) as kept, written_aside(kept, data) as aside:
            os.rename(aside, name, src_dir_fd=kept, dst_dir_fd=kept)
            os.fsync(kept)
            last = {*_checkpoints(kept)[-KEPT:]}
            for other in {*_names(kept)} - last:  # also what a killed writer left
                remove(other, within=kept)
    if remote.is_there:
        remote.write(folder / name)
        remote.remove(file.path for file in remote.files(folder) if file.path.name not in last)


def bring(folder: Path, remote: Remote) -> None:
    """Copy those that another server has made, where a bucket has them; without it, a training begins anew."""
    try:
        there = [file.path for file in remote.files(folder) if FILE.fullmatch(file.path.name)]
        for path in sorted(there)[-KEPT:]:
            if not path.exists():
                remote.fetch(path)
    except NetletError as error:
        log.warning("checkpoints of other servers are not used: %s", error)


def _read(name: str, folder: int) -> bytes:
    data, _ = read(name, within=folder, most=os.stat(name, dir_fd=folder).st_size)
    if hashlib.sha256(data).hexdigest() not in name:
        message = "its SHA-256 does not match its bytes"
        raise Unusable(message)
    return data


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _checkpoints(folder: int) -> list[str]:
    """List those that were written to their end, the oldest first."""
    return [name for name in _names(folder) if FILE.fullmatch(name)]
