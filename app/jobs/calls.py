"""Calls: trainings as they are handed to an executor, and what they leave when nobody wants them any more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from app.errors import Cancelled, NetletError, StorageError, TrainingTooLong, WorkerLost
from app.jobs import orders
from app.jobs.executors import GRACE_SECONDS
from app.jobs.folder import JobFolder
from app.jobs.grouping import SavedGroups
from app.jobs.orders import Order
from app.jobs.patience import patience
from app.jobs.progress import CANCEL, Note
from app.jobs.work import Workplace, train_and_save, train_groups_and_save
from app.store.files import storage_errors
from app.store.saving import Saved, drop, drop_of

FEW_NUMBERS = 2**13  # that are written into an order sooner than a thread begins


class Calls:
    """Lets processes train."""

    def __init__(self, executor: Executor, workplace: Workplace, folder: JobFolder) -> None:
        self.executor, self.workplace, self.folder = executor, workplace, folder

    def begin(
        self,
        job_id: str,
        attempt: int,
        data: bytes | Path,
        until: int | None,
        facts: dict[str, str],
        *,
        group: int | None,
    ) -> "asyncio.Future[Saved | SavedGroups]":
        """Let a process train, until it is to pause, of groups those from one on; its log tells the facts."""
        work: Callable[..., Saved | SavedGroups] = train_and_save
        if group is not None:
            work = partial(train_groups_and_save, group=group)
        note = self.folder.note(job_id, attempt)
        try:
            with storage_errors():
                note.prepare(until)
            future = asyncio.wrap_future(self.executor.submit(work, data, self.workplace, note, facts))
        except (BrokenProcessPool, StorageError) as error:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        future.add_done_callback(_take_note)  # it may end when nobody waits for it any longer
        return future

    def disown(
        self, job_id: str, future: "asyncio.Future[Saved | SavedGroups] | None", *, is_known: bool, attempt: int = 1
    ) -> None:
        """End a training that is not the one of its job, and leave nothing of it; what a known job needs stays."""

        def leave(done: "asyncio.Future[Saved | SavedGroups] | None") -> None:
            if done is not None and not done.cancelled() and done.exception() is None:
                self.drop(done.result())
            if not is_known:
                self.folder.clear(job_id)

        if future is None:
            leave(None)
        else:
            future.add_done_callback(leave)
            self.end(job_id, attempt, future)

    def drop(self, saved: Saved | SavedGroups) -> None:
        """Remove what was written aside; most often there is nothing left of it."""
        drop(self.workplace.root, *([saved] if isinstance(saved, Saved) else saved.saves))

    async def tidy(self, ending: Saved | SavedGroups | NetletError, note: Note) -> None:
        """Remove what an attempt has written aside and nobody needs, also what its process did not end."""
        if isinstance(ending, Saved | SavedGroups):
            self.drop(ending)
        elif isinstance(ending, WorkerLost | Cancelled | TrainingTooLong):
            with patience():
                await asyncio.to_thread(drop_of, self.workplace.root, note.word)

    def end(self, job_id: str, attempt: int, future: "asyncio.Future[Saved | SavedGroups]") -> None:
        """Ask a training to end with nothing; kill its process if it does not very soon."""
        self.folder.note(job_id, attempt).ask(CANCEL)
        asyncio.get_running_loop().call_later(GRACE_SECONDS, future.cancel)


async def encoded(order: Order) -> bytes:
    """Write an order, in a thread if that takes long."""
    if order.rows.X.size <= FEW_NUMBERS:
        return orders.encode(order)
    return await asyncio.to_thread(orders.encode, order)


def _take_note(future: "asyncio.Future[Saved | SavedGroups]") -> None:
    """Retrieve an error, which asyncio would complain of otherwise."""
    if not future.cancelled():
        future.exception()
