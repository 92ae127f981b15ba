"""Jobs that run, for as long as a test needs them."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import update

from app.jobs.capacity import Capacity
from app.jobs.folder import JobFolder
from app.jobs.jobs import Jobs
from app.jobs.orders import Order
from app.jobs.work import Workplace
from app.store.schema import jobs as jobs_table
from app.store.store import ModelStore
from tests.models.tables import EXAM, recipe

ORDER = Order(name="exam", rows=EXAM, recipe=recipe(epochs=3))
LEASES_ENDED = update(jobs_table).values(lease=0.0)


class Broken(Executor):
    """An executor whose calls end as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """End at once."""
        self.calls += 1
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


class Held(Executor):
    """An executor whose calls end when they are told to, or are cancelled."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.begun: asyncio.Queue[Future[Any]] = asyncio.Queue()

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """Begin."""
        self.futures.append(Future())
        self.begun.put_nowait(self.futures[-1])
        return self.futures[-1]


@asynccontextmanager
async def running(store: ModelStore, executor: Executor | None = None, **capacity: Any) -> AsyncIterator[Jobs]:
    """Run jobs, in a thread and one at a time unless told otherwise."""
    terms = {"at_once": 1, "most_waiting": 10} | capacity
    jobs = Jobs(
        executor or ThreadPoolExecutor(1),
        Workplace(store.root, remote=store.remote),
        store.catalogue,
        Capacity(**terms),
    )
    await jobs.open(alone=True)
    try:
        yield jobs
    finally:
        await jobs.close()


def files(store: ModelStore) -> list[str]:
    """List what there is of jobs beside the catalogue."""
    return sorted(path.name for path in JobFolder(store.root).path.iterdir())
