"""The trainings that this process runs, and those that others run: ordered, followed, ended."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from pebble import ProcessExpired

from app.errors import (
    Cancelled,
    LeaseLost,
    NetletError,
    OutOfMemory,
    ShuttingDown,
    StorageError,
    TrainingTooLong,
    Unforeseen,
    WorkerLost,
)
from app.jobs import orders
from app.jobs.folder import JobFolder
from app.jobs.job import Job, State, error_to
from app.jobs.ledger import Entry, Key, Ledger, Request, Submitted
from app.jobs.orders import Order
from app.jobs.work import Workplace, train_and_save
from app.store.catalogue import Catalogue, Unit
from app.store.saving import Saved, add_version, drop, drop_of

T = TypeVar("T")
LOST = (ProcessExpired, BrokenProcessPool)
SHORT_ORDER = 2**16  # bytes that the catalogue keeps itself
LOOK_SECONDS = 1.0  # between looks for what others left or wish
POLL_SECONDS = 0.1  # between looks at a job that another process runs
GRACE_SECONDS = 1.0  # that a training has to end by itself

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How much is done at once, how much may wait, and for how long."""

    at_once: int
    most_waiting: int
    lease: float = 10.0
    """Seconds after which a process that has not been heard of is taken for dead."""
    most_attempts: int = 3
    seconds: float = 600.0
    """The longest that a training may take."""


@dataclass
class _Running:
    """A job that runs here."""

    job: Job
    future: "asyncio.Future[Saved] | None" = None
    outcome: Job | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_late: bool = False
    is_left: bool = False
    """Whether its end could not be written down: it is tried again later, and needs its files then."""


class Jobs:
    """Runs jobs on an executor, some at a time; what it knows of them is in the catalogue."""

    def __init__(self, executor: Executor, workplace: Workplace, catalogue: Catalogue, capacity: Capacity) -> None:
        self.loop = asyncio.get_running_loop()
        self.executor, self.workplace, self.catalogue, self.capacity = executor, workplace, catalogue, capacity
        self.ledger = Ledger(catalogue, lease=capacity.lease, most_attempts=capacity.most_attempts)
        self.folder = JobFolder(workplace.root)
        self.running: dict[str, _Running] = {}
        self.reserved = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.settling: set[asyncio.Task[None]] = set()
        self.stopping = False

    async def open(self, *, alone: bool) -> None:
        """Begin to run what is queued, or was left by a process that died; sweep if no other process is there."""
        self.folder.open()
        if alone:
            self.folder.sweep(self.ledger.unfinished())
        await self._fill()
        self._spawn(self._tend())

    async def submit(self, order: Order, request: Request | None = None) -> Submitted:
        """Write a training down, and run it as soon as there is a place; raise Busy, KeyReused or ShuttingDown."""
        if self.stopping:
            raise ShuttingDown
        request = request or Request()
        job_id, data = secrets.token_hex(8), await asyncio.to_thread(orders.encode, order)
        is_short = len(data) <= SHORT_ORDER
        if not is_short:
            await asyncio.to_thread(self.folder.keep_order, job_id, data)
        entry = Entry(order.name, order.dataset, order.count, data if is_short else None)
        runs, most = self.free > 0, self.capacity.most_waiting
        self.reserved += runs
        try:
            found = await self._write(
                lambda unit: self.ledger.submit(unit, job_id, entry, request, runs=runs, most_queued=most)
            )
        except BaseException:
            self.folder.clear(job_id)
            raise
        finally:
            self.reserved -= runs
        if not found.is_new:
            self.folder.clear(job_id)
        elif runs:
            self._start(found.job, data if is_short else self.folder.order(job_id))
        else:  # a place may have become free meanwhile
            self._spawn(self._fill())
        return found

    @property
    def free(self) -> int:
        """How many more could run now."""
        return 0 if self.stopping else self.capacity.at_once - len(self.running) - self.reserved

    async def find(self, key: Key) -> Job | None:
        """Find the job that a key stands for; raise KeyReused where it is that of another request."""
        return await asyncio.to_thread(self.ledger.find, key)

    async def get(self, job_id: str) -> Job:
        """Read a job, and how far it is; raise JobNotFound."""
        return await asyncio.to_thread(self._get, job_id)

    async def newest(self, limit: int, state: State | None) -> list[Job]:
        """List jobs, the newest first, all or those in a state, and how far they are."""
        listed = await asyncio.to_thread(self.ledger.newest, limit, state)
        return [self._followed(job) for job in listed]

    def _get(self, job_id: str) -> Job:
        return self._followed(self.ledger.get(job_id))

    def _followed(self, job: Job) -> Job:
        return job if job.is_over else replace(job, points=self.folder.points(job))

    async def wait(self, job: Job, seconds: float) -> Job:
        """Wait until a job is over, or this process stops, but not longer than this; give it as it is then."""
        running = self.running.get(job.id)
        if running is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(running.over.wait(), seconds)
            return running.outcome or await self.get(job.id)
        deadline = monotonic() + seconds
        while not (job.is_over or job.id in self.running or self.stopping) and monotonic() < deadline:
            await asyncio.sleep(min(POLL_SECONDS, seconds))
            job = await asyncio.to_thread(self.ledger.get, job.id)
        if job.id in self.running:
            return await self.wait(job, deadline - monotonic())
        return job

    async def cancel(self, job_id: str, *, keep_best: bool) -> Job:
        """End a job as soon as that can be, if it is not over; raise JobNotFound."""
        wish = "keep" if keep_best else "cancel"
        job = await self._write(lambda unit: self.ledger.ask(unit, job_id, wish))
        if job.state == State.RUNNING and job.wish is not None:
            self.folder.note(job).ask(job.wish[0].encode())
            self._expect_end(job.id, job.wish)
        elif job.is_over:
            self.folder.clear(job.id)
        return job

    def stop(self) -> None:
        """Leave all jobs to whoever comes next, and take no more; those who wait are told at once."""
        self.stopping = True
        for running in self.running.values():
            self.folder.note(running.job).ask(b"c")
        for task in self.tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and kill the processes."""
        self.stop()
        await asyncio.gather(*self.tasks, *self.settling, return_exceptions=True)
        await asyncio.to_thread(self.executor.shutdown)
        with suppress(StorageError):  # then the lease ends by itself
            await self._write(self.ledger.release)

    async def _tend(self) -> None:
        """Keep the lease, run what waits, and look what others wish, until this process stops."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self.capacity.lease / 4))
            if running := list(self.running):
                with _patience():
                    self._heed(running, await self._write(partial(self.ledger.beat, running=running)))
            await self._fill()

    async def _fill(self) -> None:
        """Run queued jobs while there are places."""
        with _patience():
            while self.free > 0 and await asyncio.to_thread(self.ledger.has_claims):
                job = await self._claim()
                if job is None:
                    return
                data = await asyncio.to_thread(self.ledger.order, job.id)
                self._start(job, data or self.folder.order(job.id))

    async def _claim(self) -> Job | None:
        self.reserved += 1
        try:
            return await self._write(self.ledger.claim)
        finally:
            self.reserved -= 1

    def _heed(self, beaten: Sequence[str], own: dict[str, str | None]) -> None:
        """Do what is wished of the jobs that were running here, and give up those that were taken over."""
        for job_id in beaten:
            running = self.running.get(job_id)
            if running is None:  # it has ended meanwhile
                continue
            if job_id not in own:
                self.folder.note(running.job).ask(b"c")
                self._expect_end(job_id, "cancel")
            elif wish := own[job_id]:
                self.folder.note(running.job).ask(wish[0].encode())
                self._expect_end(job_id, wish)

    def _expect_end(self, job_id: str, wish: str) -> None:
        """Kill the process of a job that should end and has nothing to keep, unless it ends by itself very soon."""
        running = self.running.get(job_id)
        if running is not None and running.future is not None and wish == "cancel":
            self.loop.call_later(GRACE_SECONDS, running.future.cancel)

    def _start(self, job: Job, data: bytes | Path) -> None:
        running = self.running[job.id] = _Running(job)
        self._spawn(self._run(running, data))

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, running: _Running, data: bytes | Path) -> None:
        """Take a job through its attempts; however it ends, those who wait are told."""
        try:
            while running.outcome is None:
                await self._attempt(running, data)
        finally:
            del self.running[running.job.id]
            running.over.set()
        if running.outcome.is_over and not running.is_left:
            self.folder.clear(running.job.id)
        if not self.stopping:
            await self._fill()

    async def _attempt(self, running: _Running, data: bytes | Path) -> None:
        """Train once, and write down how it ended."""
        job, note = running.job, self.folder.note(running.job)
        limit = min(job.seconds or self.capacity.seconds, self.capacity.seconds)
        try:
            note.prepare()
            call = self.executor.submit(train_and_save, data, self.workplace, note)
            running.future = asyncio.wrap_future(call)
        except (*LOST, OSError) as error:
            running.future = self.loop.create_future()
            running.future.set_exception(error)
        running.future.add_done_callback(_take_note)  # it may end when nobody waits for it any longer
        done, _ = await asyncio.wait([running.future], timeout=limit)
        if not done:
            running.is_late = True
            note.ask(b"c")
            self._expect_end(job.id, "cancel")
            await asyncio.wait([running.future])
        settling = asyncio.create_task(self._settle(running))
        self.settling.add(settling)
        settling.add_done_callback(self.settling.discard)
        await asyncio.shield(settling)

    async def _settle(self, running: _Running) -> None:
        """Write down how an attempt ended: the version and its job's success become visible together."""
        job = replace(running.job, points=self.folder.points(running.job))
        ending = _ending_of(running)
        try:
            match ending:
                case Saved():
                    running.outcome = await self._write(lambda unit: self._succeed(unit, job, ending))
                case WorkerLost():
                    running.job = await self._write(lambda unit: self.ledger.retry(unit, job))
                    running.outcome = running.job if running.job.is_over else None
                case Cancelled():
                    running.outcome = await self._end(job, State.CANCELLED)
                case NetletError():
                    running.outcome = await self._end(job, State.FAILED, error=error_to(ending))
        except LeaseLost:
            running.outcome = job  # which is another's by now
        except StorageError as error:
            running.outcome = await self._give_up(running, job, error)
        await asyncio.to_thread(self._tidy, ending, self.folder.note(job).word)

    def _tidy(self, ending: Saved | NetletError, word: str) -> None:
        """Remove what an attempt has written aside and nobody needs, also what its process did not end."""
        if isinstance(ending, Saved):
            drop(self.workplace.root, ending)
        elif isinstance(ending, WorkerLost | Cancelled | TrainingTooLong):
            with _patience():
                drop_of(self.workplace.root, word)

    def _succeed(self, unit: Unit, job: Job, saved: Saved) -> Job:
        state = State.CANCELLED if saved.partial else State.SUCCEEDED
        self.ledger.move(unit, job, state, points=job.points, partial=saved.partial)
        return self.ledger.note_version(unit, job.id, add_version(unit, self.workplace.root, job.name, saved))

    async def _end(self, job: Job, state: State, **values: object) -> Job:
        return await self._write(lambda unit: self.ledger.move(unit, job, state, points=job.points, **values))

    async def _give_up(self, running: _Running, job: Job, error: StorageError) -> Job:
        """Let a job fail that could not be written; where even that cannot be, tell at least who waits."""
        try:
            return await self._end(job, State.FAILED, error=error_to(error))
        except (LeaseLost, StorageError) as refused:
            log.warning("the end of job %s cannot be written down (%s)", job.id, refused)
            running.is_left = True
            return replace(job, state=State.FAILED, error=error)

    async def _write(self, do: Callable[[Unit], T]) -> T:
        return await asyncio.wrap_future(self.catalogue.write(do))


@contextmanager
def _patience() -> Iterator[None]:
    """Let a catalogue that cannot be used be tried again later."""
    try:
        yield
    except StorageError as error:
        log.warning("jobs cannot be looked after now (%s)", error)


def _take_note(future: "asyncio.Future[Saved]") -> None:
    """Retrieve an error, which asyncio would complain of otherwise."""
    if not future.cancelled():
        future.exception()


def _ending_of(running: _Running) -> Saved | NetletError:
    """Say what an attempt ended with, and log it where that is nobody's input."""
    future = running.future
    if future is None or future.cancelled():
        return TrainingTooLong() if running.is_late else Cancelled()
    error = future.exception()
    return future.result() if error is None else _in_our_words(error, running)


def _in_our_words(error: BaseException, running: _Running) -> NetletError:
    match error:
        case TimeoutError():
            return TrainingTooLong()
        case MemoryError():
            return OutOfMemory()
        case Cancelled() if running.is_late:
            return TrainingTooLong()
        case NetletError():
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        case ProcessExpired() | BrokenProcessPool():
            log.warning("job %s: its process ended (%s)", running.job.id, error)
            return WorkerLost()
    log.error("job %s failed unexpectedly", running.job.id, exc_info=error)
    return Unforeseen()
