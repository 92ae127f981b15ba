"""Trainings that are not over: what another process needs to go on with them, copied while they may end."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from shutil import copyfileobj
from typing import BinaryIO, NamedTuple

from app.backup.archive import Writer
from app.backup.members import LONGEST_CHECKPOINT
from app.jobs.checkpoints import FILE as CHECKPOINT
from app.jobs.folder import FOLDER, JobFolder
from app.store.files import READ, opened, require_regular
from app.store.snapshot import LARGEST_FILE


class Unfinished(NamedTuple):
    """A training as the catalogue has it."""

    job: str
    attempt: int
    has_file: bool
    """Whether its order is too long for the catalogue."""


class Copies:
    """Files of trainings, one after the other in a file that nobody else sees."""

    def __init__(self, folder: JobFolder, spool: BinaryIO) -> None:
        self.folder, self.spool = folder, spool
        self.files: list[tuple[str, int]] = []

    def take(self, trainings: Iterable[Unfinished]) -> list[str]:
        """Copy what there is of some; name those whose order is not there, since they have ended or it is lost."""
        return [training.job for training in trainings if not self._take(training)]

    def give(self, archive: Writer) -> None:
        """Write all of it as members."""
        self.spool.seek(0)
        for name, size in self.files:
            archive.add(name, self.spool, size)

    def _take(self, training: Unfinished) -> bool:
        self.folder.bring(training.job)
        order = self.folder.order(training.job).name
        if training.has_file and not self._copy(order):
            return False
        for attempt in range(1, training.attempt + 1):
            self._copy(self.folder.note(training.job, attempt).path.name)
        any(self._copy(checkpoint, LONGEST_CHECKPOINT) for checkpoint in self._checkpoints(training.job))
        return True

    def _checkpoints(self, job: str) -> Iterator[str]:
        """Name the checkpoints of a training, the newest first: one is enough."""
        kept = self.folder.note(job, 1).checkpoints
        with suppress(OSError):
            for name in sorted((name for name in os.listdir(kept) if CHECKPOINT.fullmatch(name)), reverse=True):  # noqa: PTH208 - names
                yield f"{kept.name}/{name}"

    def _copy(self, name: str, most: int = LARGEST_FILE) -> bool:
        """Copy a file, if it is there and not too long."""
        begins = self.spool.tell()
        try:
            with opened(self.folder.path / name, READ) as descriptor:
                require_regular(descriptor)
                if os.fstat(descriptor).st_size > most:
                    return False
                with os.fdopen(os.dup(descriptor), "rb") as source:
                    copyfileobj(source, self.spool)
        except FileNotFoundError:
            return False
        self.files.append((f"{FOLDER}/{name}", self.spool.tell() - begins))
        return True
