"""The folder of jobs that are not over: `.jobs/<id>.order`, `<id>.checkpoints/`, `<id>-<attempt>.note` and `.wish`."""

import logging
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from threading import Thread
from time import time

from app.errors import StorageError
from app.jobs import leaderboard
from app.jobs.job import Job, Point
from app.jobs.leaderboard import Leaderboard
from app.jobs.progress import Note
from app.store.files import kept_aside, make, opened, remove, storage_errors
from app.store.remote import NOTHING, Remote

log = logging.getLogger(__name__)

FOLDER = ".jobs"  # no model can be called this
FORGOTTEN_SECONDS = 86_400.0  # after which a bucket's file of no known job is not one that is being written down


class JobFolder:
    """What there is of jobs beside the catalogue."""

    def __init__(self, root: Path, remote: Remote = NOTHING) -> None:
        self.path, self.remote = root / FOLDER, remote

    def open(self) -> None:
        """Make the folder where it is missing."""
        with storage_errors():
            make(self.path)

    def keep_order(self, job_id: str, data: bytes) -> None:
        """Write down an order that is too long for the catalogue; leave nothing of it where a bucket refuses it."""
        with storage_errors(), opened(self.path) as folder:
            aside = kept_aside(folder, data, f"{job_id}.new")
            os.rename(aside, self.order(job_id).name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        try:
            self.remote.write(self.order(job_id))
        except StorageError:
            self.clear(job_id)
            raise

    def order(self, job_id: str) -> Path:
        """Tell where an order is that is too long for the catalogue."""
        return self.path / f"{job_id}.order"

    def bring(self, job_id: str) -> None:
        """Copy what others need of a job from a bucket, if there is one."""
        checkpoints = [file.path for file in self.remote.files(self.note(job_id, 1).checkpoints)]
        for path in (self.order(job_id), *checkpoints):
            self.remote.fetch(path)

    def note(self, job_id: str, attempt: int) -> Note:
        """Give the note of an attempt at a job."""
        return Note(self.path / f"{job_id}-{attempt}.note")

    def points(self, job: Job) -> tuple[Point, ...]:
        """Read how far a job is; whoever goes on with it tells the epochs that are repeated anew."""
        told: list[Point] = []
        for attempt in range(1, job.attempt + 1):
            for point in self.note(job.id, attempt).read():
                while told and told[-1].epoch >= point.epoch:
                    told.pop()
                told.append(point)
        return tuple(told)

    def trials(self, job: Job) -> Leaderboard | None:
        """Read how far the search of a job is, if it has one."""
        return leaderboard.read(self.note(job.id, job.attempt).trials)

    def clear(self, job: str, attempt: int = 1) -> None:
        """Remove all files of a job, of earlier attempts elsewhere too, or leave them to the next start."""
        names = self._remove(lambda own: own == job)
        if attempt > 1:  # others may have left what this folder has no copy of
            names = [self.order(job).name, self.note(job, 1).checkpoints.name]
        self._remove_behind(names)

    def sweep(self, unfinished: Collection[str]) -> None:
        """Remove all files of jobs that are over, or that nobody knows."""
        self._remove_behind(self._remove(lambda own: own not in unfinished))
        forgotten = time() - FORGOTTEN_SECONDS
        old = [file.path for file in self.remote.files(self.path) if file.written < forgotten]
        self.remote.remove(path for path in old if _job_of(path.relative_to(self.path).parts[0]) not in unfinished)

    def _remove(self, chosen: Callable[[str], bool]) -> list[str]:
        """Remove files of chosen jobs from the folder, and tell which there were."""
        names: list[str] = []
        try:
            with opened(self.path) as folder:
                names = [name for name in os.listdir(folder) if chosen(_job_of(name))]  # noqa: PTH208 - a descriptor
                for name in names:
                    remove(name, within=folder)
                    shutil.rmtree(self.path / name, ignore_errors=True)  # checkpoints
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("files of jobs stay for now (%s)", error.strerror)
        return names

    def _remove_behind(self, names: list[str]) -> None:
        """Remove from a bucket those of these files that other servers needed, while nobody waits for it."""
        shared = [self.path / name for name in names if _is_shared(name)]
        if self.remote.is_there and shared:
            Thread(target=self._clear_behind, args=(shared,), daemon=True).start()

    def _clear_behind(self, shared: list[Path]) -> None:
        """Remove files of a job from the bucket; what it refuses is left to who sweeps it."""
        try:
            for path in shared:
                self.remote.remove([path, *(file.path for file in self.remote.files(path))])
        except StorageError as error:
            log.warning("files of jobs stay in the bucket for now (%s)", error)


def _job_of(name: str) -> str:
    """Tell which job a file is of."""
    return name.partition(".")[0].partition("-")[0]


def _is_shared(name: str) -> bool:
    """Tell whether other servers need a file, or a folder's, to go on with its job."""
    return name.endswith((".order", ".checkpoints"))
