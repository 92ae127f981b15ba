"""The trainings that this process runs, and those that others run: ordered, followed, ended."""

import asyncio
import logging
import secrets
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from app.errors import (
    BucketAway,
    Cancelled,
    LeaseLost,
    NetletError,
    ShuttingDown,
    StorageError,
    StorageFull,
    WorkerLost,
)
from app.jobs.calls import Calls, encoded
from app.jobs.capacity import Capacity
from app.jobs.endings import ending_of
from app.jobs.executors import grace_of
from app.jobs.folder import JobFolder
from app.jobs.grouping import SavedGroups
from app.jobs.job import Job, State, error_to, facts_of
from app.jobs.known import KnownJobs
from app.jobs.ledger import Claimed, Entry, Key, Ledger, Request, Submitted, Wished
from app.jobs.moves import Moves
from app.jobs.orders import Order
from app.jobs.patience import patience, until
from app.jobs.progress import LEAVE, Note
from app.jobs.running import Running
from app.jobs.transitions import Transitions
from app.jobs.work import Workplace
from app.store.catalogue import Catalogue
from app.store.deleting import clear_expired
from app.store.saving import Saved
from app.telemetry.current import telling

SHORT_ORDER = 2**16  # bytes that the catalogue keeps itself
LOOK_SECONDS = 1.0  # between looks for what others left or wish
POLL_SECONDS = {State.QUEUED: 0.3, State.RUNNING: 0.1}  # between looks at a job that does not run here

log = logging.getLogger(__name__)


class Jobs(KnownJobs):
    """Runs jobs on an executor, some at a time; what it knows of them is in the catalogue."""

    def __init__(self, executor: Executor, workplace: Workplace, catalogue: Catalogue, capacity: Capacity) -> None:
        self.loop = asyncio.get_running_loop()
        self.executor, self.root, self.catalogue, self.capacity = executor, workplace.root, catalogue, capacity
        ledger = Ledger(catalogue, lease=capacity.lease, most_attempts=capacity.most_attempts)
        super().__init__(ledger, JobFolder(workplace.root, workplace.remote))
        self.calls = Calls(executor, workplace, self.folder)
        self.running: dict[str, Running] = {}
        self.transitions = Transitions(ledger, self.root, self.running, lambda: not self.draining)
        self.moves = Moves(self.folder, self.running)
        self.awaited: dict[str, asyncio.Event] = {}  # set when a queued job begins here
        self.reserved = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.settling: set[asyncio.Task[None]] = set()
        self.draining = self.stopping = self.is_prepared = False

    async def open(self, *, alone: bool) -> None:
        """Begin to run what is queued, or was left by a process that died; sweep if no other process is there."""
        self.folder.open()
        if alone:
            self.folder.sweep(self.ledger.unfinished())
            if self.catalogue.is_sqlite:  # which nobody has elsewhere
                with patience():
                    await self.transitions.end_leases_ahead()
        await self._fill()
        self._spawn(self._tend())
        self.catalogue.when_queued(self._look_soon)

    def prepare(self) -> None:
        """Begin a process to train in where a training is likely to come: the first would wait a second for it."""
        if not self.is_prepared and not self.draining:
            self.is_prepared = True
            with suppress(RuntimeError):  # where it cannot begin, whoever trains is told
                self.executor.submit(int)

    async def submit(self, order: Order, request: Request | None = None) -> Submitted:
        """Write a training down, and run it as soon as there is a place; raise Busy or KeyReused."""
        request = request or Request()
        job_id, data = secrets.token_hex(8), await encoded(order)
        is_short = len(data) <= SHORT_ORDER
        if not is_short:
            await asyncio.to_thread(self.folder.keep_order, job_id, data)
        entry = Entry(order.name, order.dataset, order.count, data if is_short else None, order.groups)
        runs, most, first = self.free > 0, self.capacity.most_waiting, None if order.groups is None else 0
        self.reserved += runs
        # It is trained while it is written down; nobody is told before both are done.
        kept = data if is_short else self.folder.order(job_id)
        future = None
        try:
            if runs:
                facts = facts_of(job_id, order.name, request.origin)
                future = self.calls.begin(job_id, 1, kept, 0 if request.paused else None, facts, group=first)
            found = await self.transitions.submit(job_id, entry, request, runs=runs, most=most)
        except BaseException as error:
            # It may be written down nevertheless, unless it was refused; then it is run once the lease ends.
            is_refused = isinstance(error, NetletError) and type(error) is not StorageError
            self.calls.disown(job_id, future, is_known=not is_refused)
            raise
        finally:
            self.reserved -= runs
        if not found.is_new:
            self.calls.disown(job_id, future, is_known=False)
        elif future is not None:
            self._start(Running(found.job, kept, future, group=first))
        else:  # a place may have become free meanwhile
            self.moves.tell(found.job)
            self._spawn(self._fill())
        return found

    @property
    def free(self) -> int:
        """How many more jobs could be begun now."""
        return 0 if self.draining else self.places

    @property
    def places(self) -> int:
        """How many more trainings there is room for."""
        return self.capacity.at_once - len(self.running) - self.reserved

    async def reserve(self, key: Key) -> None:
        """Let a key stand for a request of which no job comes; raise KeyReused where it stands for another."""
        await self.transitions.reserve(key)

    async def wait(self, job: Job, seconds: float) -> Job:
        """Wait until a job is over, or this process stops, but not longer than this; give it as it is then."""
        deadline = monotonic() + seconds
        while not (job.is_over or job.id in self.running or self.stopping) and (left := deadline - monotonic()) > 0:
            begins = self.awaited.setdefault(job.id, asyncio.Event())
            await until(begins, min(POLL_SECONDS[job.state], left))
            self.awaited.pop(job.id, None)
            if job.id not in self.running:
                job = await asyncio.to_thread(self.ledger.get, job.id)
        running = self.running.get(job.id)
        if running is None:
            return job
        await until(running.over, deadline - monotonic())
        return running.outcome or await self.get(job.id)

    async def cancel(self, job_id: str, *, keep_best: bool) -> Job:
        """End a job as soon as that can be, if it is not over; raise JobNotFound."""
        wish = "keep" if keep_best else "cancel"
        job = await self.transitions.ask(job_id, wish)
        if job.state == State.RUNNING and job.wish is not None:
            self._ask(job, job.wish)
        elif job.is_over:
            self.moves.tell(job)
            self.folder.clear(job.id, job.attempt)
        return self._followed(job)

    def drain(self) -> None:
        """Begin no more: jobs that come wait for whoever comes next, or for another server that is there already."""
        self.draining = True

    def stop(self) -> None:
        """Leave all jobs to others, which go on where these are put down; those who wait are told at once."""
        self.draining = self.stopping = True
        for running in self.running.values():
            self._leave(running)
        for begins in self.awaited.values():
            begins.set()

    async def close(self) -> None:
        """Stop, and kill the processes that do not end by themselves very soon."""
        self.stop()
        self.catalogue.when_queued(None)
        if leaving := [running.task for running in self.running.values() if running.task is not None]:
            await asyncio.wait(leaving, timeout=grace_of(self.executor))
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, *self.settling, return_exceptions=True)
        await asyncio.to_thread(self.executor.shutdown)
        with suppress(StorageError):  # then the lease ends by itself
            await self.transitions.leave()

    async def _tend(self) -> None:
        """Keep the lease, run what waits, and look what others wish, until this process stops."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self.capacity.lease / 4))
            with patience():
                await self.beat()
            await self._fill()

    async def beat(self) -> None:
        """Keep the lease of what runs here, do what is wished of it, and give up what was taken over."""
        running = dict(self.running)  # others may begin while this is written
        if running:
            own = await self.transitions.beat(list(running), self._told(running))
            self._heed(running, own)

    def _look_soon(self) -> None:
        """Run what others left, if there are places; called in whatever thread is told that they did."""
        with suppress(RuntimeError):  # of a loop that has ended
            self.loop.call_soon_threadsafe(lambda: self._spawn(self._fill()) if self.free > 0 else None)

    async def _fill(self) -> None:
        """Run queued jobs while there are places."""
        with patience():
            while self.free > 0 and await asyncio.to_thread(self.ledger.has_claims):
                self.reserved += 1
                try:
                    claimed = await self.transitions.claim()
                finally:
                    self.reserved -= 1
                if claimed is None:
                    return
                self._start_claimed(claimed)

    def _heed(self, begun: dict[str, Running], own: dict[str, Wished]) -> None:
        for job_id, running in begun.items():
            wish, pause = own.get(job_id, Wished("cancel", None))
            if wish:
                self._ask(running.job, wish)
            elif pause != running.job.until:
                running.job = replace(running.job, until=pause)
                self._note(running.job).hold(pause)

    def _ask(self, job: Job, wish: str) -> None:
        """Ask a training to end, wherever it runs."""
        running = self.running.get(job.id)
        if running is not None and wish == "cancel":
            self.calls.end(job.id, job.attempt, running.future)
        else:
            self._note(job).ask(wish[0].encode())

    def _note(self, job: Job) -> Note:
        return self.folder.note(job.id, job.attempt)

    def _start_claimed(self, claimed: Claimed) -> None:
        job, data = claimed.job, claimed.data or self.folder.order(claimed.job.id)
        if job.is_over:
            self.moves.tell(job)
            self.folder.clear(job.id, job.attempt)
            self._spawn(self._fill())
            return
        self._start(Running(job, data, self._called(job, data, claimed.group), group=claimed.group))

    def _called(self, job: Job, data: bytes | Path, group: int | None) -> "asyncio.Future[Saved | SavedGroups]":
        return self.calls.begin(job.id, job.attempt, data, job.until, job.facts(), group=group)

    def _start(self, running: Running) -> None:
        self.moves.tell(running.job)
        self.running[running.job.id] = running
        if begins := self.awaited.pop(running.job.id, None):
            begins.set()
        if self.stopping:
            self._leave(running)
        running.task = self._spawn(self._run(running))

    def _leave(self, running: Running) -> None:
        """Ask a training to put its state down and end; tell those who wait."""
        self._note(running.job).ask(LEAVE)
        running.over.set()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _run(self, running: Running) -> None:
        """Take a job through its attempts; however it ends, those who wait are told."""
        try:
            with telling(**running.job.facts()):
                while running.outcome is None:
                    await self._attempt(running)
        finally:
            del self.running[running.job.id]
            running.over.set()
        if running.next is not None:
            self._start_claimed(running.next)
        if running.outcome.is_over and not running.is_left:
            self.moves.tell(running.outcome)
            self.folder.clear(running.job.id, running.job.attempt)
        else:
            self.moves.leave(running.job)
        if not (running.has_looked or self.draining):
            await self._fill()

    async def _attempt(self, running: Running) -> None:
        """Wait until a training ends, and write down how."""
        limit = min(running.job.seconds or self.capacity.seconds, self.capacity.seconds)
        if not await running.ends_within(limit, self._note(running.job).waits):
            running.is_late = True
            self._ask(running.job, "cancel")
            await asyncio.wait([running.future])
        settling = asyncio.create_task(self._settle(running))
        self.settling.add(settling)
        settling.add_done_callback(self.settling.discard)
        await asyncio.shield(settling)

    async def _settle(self, running: Running) -> None:
        """Write down how an attempt ended: the version and its job's success become visible together."""
        job = replace(running.job, points=self.folder.points(running.job))
        ending = ending_of(job.id, running.future, is_late=running.is_late)
        try:
            await self._conclude(running, job, ending)
        except LeaseLost:
            running.outcome = job  # which is another's by now
        except StorageError as error:
            await self._give_up(running, job, error)
        await self.calls.tidy(ending, self._note(job))

    async def _conclude(self, running: Running, job: Job, ending: Saved | SavedGroups | NetletError) -> None:
        try:
            match ending:
                case Saved():
                    await self._succeed(running, job, ending)
                case SavedGroups():
                    await self._publish(running, job, ending)
                case WorkerLost() if not self.stopping:
                    await self._retry(running, job)
                case ShuttingDown() | WorkerLost():
                    await self._leave_to_others(running, job)
                case Cancelled() | BucketAway():
                    raise ending
                case NetletError():
                    running.end(*await self.transitions.end(job, State.FAILED, error=error_to(ending)))
        except Cancelled:
            running.end(*await self.transitions.end(job, State.CANCELLED))

    async def _publish(self, running: Running, job: Job, saved: SavedGroups) -> None:
        """Make what was saved of some groups versions, in one commit, while the next groups learn already."""
        ahead = None if saved.is_last or self.stopping else self._called(running.job, running.data, saved.end)
        try:
            ended, all_gone = await self.transitions.publish(job, saved, self._note(job))
        except NetletError:
            if ahead is not None:
                self.calls.disown(job.id, ahead, is_known=True, attempt=job.attempt)
            raise
        if ended is not None:
            running.end(*ended)
        elif ahead is None:
            await self._leave_to_others(running, job)
        else:
            running.future, running.group = ahead, saved.end
        for gone in all_gone:
            await asyncio.to_thread(clear_expired, self.catalogue, gone)

    async def _succeed(self, running: Running, job: Job, saved: Saved) -> None:
        """Make what was saved a version, and the job's success; then clear the versions that expired."""
        ended, gone = await self.transitions.succeed(job, saved, self._note(job))
        running.end(*ended)
        if gone.versions:
            await asyncio.to_thread(clear_expired, self.catalogue, gone)

    async def _leave_to_others(self, running: Running, job: Job) -> None:
        await self.transitions.leave(job.id)
        running.outcome = job

    async def _retry(self, running: Running, job: Job) -> None:
        """Begin another attempt, unless there were too many."""
        running.job = await self.transitions.retry(job)
        if running.job.is_over:
            running.outcome = running.job
        else:
            self.moves.tell(running.job)
            running.since = monotonic()
            running.future = self._called(running.job, running.data, running.group)

    async def _give_up(self, running: Running, job: Job, error: StorageError) -> None:
        """Let a job fail for which there is no space; where the catalogue is away, another attempt may find it back.

        Whoever waits is told at once.
        """
        with suppress(LeaseLost, StorageError):
            if isinstance(error, StorageFull):
                running.end(*await self.transitions.end_for_want_of_space(job, error))
                return
            if isinstance(error, BucketAway):  # maybe for long: that counts as no attempt
                await self.transitions.leave(job.id, after=self.capacity.lease)
        log.warning("job %s was not brought to its end (%s): it is tried again", job.id, error)
        running.is_left = True
        running.outcome = replace(job, state=State.FAILED, error=error)
