"""The trainings of this process: queued, running, succeeded or failed."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from app.engine.training import Progress
from app.errors import Busy, JobNotFound, NetletError, OutOfMemory, TrainingTooLong, WorkerLost
from app.jobs.progress import ProgressNote
from app.jobs.work import Order, train_and_publish

MOST_REMEMBERED = 1000

log = logging.getLogger(__name__)


@dataclass
class Job:
    """One training, from its order to its end: queued, running, succeeded or failed."""

    id: str
    name: str
    note: ProgressNote
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

    def __init__(self, executor: Executor, root: Path, *, at_once: int, most_waiting: int) -> None:
        self.executor = executor
        self.root = root
        self.places = asyncio.Semaphore(at_once)
        self.most_unfinished = at_once + most_waiting
        self.jobs: OrderedDict[str, Job] = OrderedDict()
        self.tasks: set[asyncio.Task[None]] = set()
        self.notes = TemporaryDirectory(prefix="netlet-")

    def submit(self, order: Order) -> Job:
        """Queue a training; raise Busy if too many wait already."""
        if len(self.tasks) >= self.most_unfinished:
            raise Busy(len(self.tasks))
        job_id = secrets.token_hex(8)
        job = Job(job_id, order.name, ProgressNote(Path(self.notes.name) / job_id))
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

    async def wait(self, job: Job, seconds: float) -> None:
        """Wait until a job has ended, but not longer than this."""
        try:
            await asyncio.wait_for(job.done.wait(), seconds)
        except TimeoutError:
            return

    async def close(self) -> None:
        """Stop all trainings, at once."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.to_thread(self.executor.shutdown)
        self.notes.cleanup()

    async def _run(self, job: Job, order: Order) -> None:
        """Take a job through its states."""
        async with self.places:
            job.status = "running"
            try:
                future = self.executor.submit(train_and_publish, order, self.root, job.note)
                job.version = await asyncio.wrap_future(future)
                job.status = "succeeded"
            except Exception as error:
                job.error, job.status = _in_our_words(error), "failed"
                if isinstance(job.error, WorkerLost):
                    log.warning("job %s: its training was lost", job.id, exc_info=error)
            job.progress = job.note.read()
            job.note.remove()
            job.ended = datetime.now(UTC)
            job.done.set()

    def _forget_oldest(self) -> None:
        for job_id, job in list(self.jobs.items()):
            if len(self.jobs) <= MOST_REMEMBERED:
                return
            if job.ended:
                del self.jobs[job_id]


def _in_our_words(error: Exception) -> NetletError:
    """Say what ended a training."""
    match error:
        case NetletError():
            return error
        case TimeoutError():
            return TrainingTooLong()
        case MemoryError():
            return OutOfMemory()
    return WorkerLost()
