"""The trainings of this process: queued, running, succeeded or failed."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pebble import ProcessExpired

from app.engine.control import Progress
from app.errors import (
    Busy,
    DatasetInUse,
    JobNotFound,
    NetletError,
    OutOfMemory,
    ShuttingDown,
    TrainingTooLong,
    Unforeseen,
    WorkerLost,
)
from app.jobs.progress import ProgressNote
from app.jobs.work import Order, Workplace, train_and_publish

log = logging.getLogger(__name__)


@dataclass
class Job:
    """One training, from its order to its end: queued, running, succeeded or failed."""

    id: str
    name: str
    note: ProgressNote
    dataset: str | None = None
    """What it learns from, if that is kept."""
    status: str = "queued"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    version: int | None = None
    error: NetletError | None = None
    progress: Progress | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def latest_progress(self) -> Progress | None:
        """Tell how far the training is."""
        return self.progress or self.note.read()


class Jobs:
    """Runs trainings on an executor, some at a time, and remembers how they ended until the process stops."""

    def __init__(
        self, executor: Executor, workplace: Workplace, *, at_once: int, most_waiting: int, remembered: int = 1000
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.executor = executor
        self.workplace = workplace
        self.remembered = remembered
        self.places = asyncio.Semaphore(at_once)
        self.most_unfinished = at_once + most_waiting
        self.jobs: OrderedDict[str, Job] = OrderedDict()
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = False
        self.notes = TemporaryDirectory(prefix="netlet-")

    def submit(self, order: Order) -> Job:
        """Queue a training; raise Busy if too many wait already, ShuttingDown if it is too late."""
        if self.stopping:
            raise ShuttingDown
        if len(self.tasks) >= self.most_unfinished:
            raise Busy(len(self.tasks))
        job_id = secrets.token_hex(8)
        job = Job(job_id, order.name, ProgressNote(Path(self.notes.name) / job_id), order.dataset)
        self.jobs[job_id] = job
        self._forget_oldest()
        task = asyncio.create_task(self._run(job, order))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return job

    def get(self, job_id: str) -> Job:
        """Find a job; raise JobNotFound."""
        try:
            return self.jobs[job_id]
        except KeyError:
            raise JobNotFound(job_id) from None

    def newest(self, limit: int) -> list[Job]:
        """List jobs, the newest first."""
        return list(reversed(self.jobs.values()))[:limit]

    def require_unused(self, dataset: str) -> None:
        """Raise DatasetInUse while a job that is queued or running learns from a dataset."""
        for job in self.jobs.values():
            if job.dataset == dataset and job.ended is None:
                raise DatasetInUse(dataset, job.id)

    async def wait(self, job: Job, seconds: float) -> None:
        """Wait until a job has ended, but not longer than this."""
        try:
            await asyncio.wait_for(job.done.wait(), seconds)
        except TimeoutError:
            return

    def stop(self) -> None:
        """End all trainings as failed, so that nobody waits for them any longer, and take no more."""
        self.stopping = True
        for task in self.tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and kill the processes."""
        self.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.to_thread(self.executor.shutdown)
        self.notes.cleanup()

    async def _run(self, job: Job, order: Order) -> None:
        """Take a job through its states; however it ends, those who wait are told."""
        try:
            async with self.places:
                job.status = "running"
                job.version = await self._train(order, job.note)
                job.status = "succeeded"
        except asyncio.CancelledError:
            job.error, job.status = ShuttingDown(), "failed"
        except Exception as error:  # noqa: BLE001 - the job boundary: whatever it is ends this job and nothing else
            # Without its traceback, which would keep the order's rows for as long as the job is remembered.
            job.error, job.status = _in_our_words(error, job.id).with_traceback(None), "failed"
        job.progress = job.note.read()
        job.note.remove()
        job.ended = datetime.now(UTC)
        job.done.set()

    async def _train(self, order: Order, note: ProgressNote) -> int:
        try:
            return await asyncio.wrap_future(self.executor.submit(train_and_publish, order, self.workplace, note))
        except BrokenProcessPool:  # the process had died before it was given this training
            return await asyncio.wrap_future(self.executor.submit(train_and_publish, order, self.workplace, note))

    def _forget_oldest(self) -> None:
        for job_id, job in list(self.jobs.items()):
            if len(self.jobs) <= self.remembered:
                return
            if job.ended:
                del self.jobs[job_id]


def _in_our_words(error: Exception, job_id: str) -> NetletError:
    """Say what ended a training, and log it where that is nobody's input."""
    match error:
        case NetletError():
            error.__cause__ = error.__context__ = None
            return error
        case TimeoutError():
            return TrainingTooLong()
        case MemoryError():
            return OutOfMemory()
        case ProcessExpired() | BrokenProcessPool():
            log.warning("job %s: its process ended (%s)", job_id, error)
            return WorkerLost()
    log.error("job %s failed unexpectedly", job_id, exc_info=error)
    return Unforeseen()
