"""Jobs that run, for as long as a test needs them."""

from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from app.jobs.jobs import Capacity, Jobs
from app.jobs.work import Workplace
from app.store.store import ModelStore


@asynccontextmanager
async def running(store: ModelStore, executor: Executor | None = None, **capacity: Any) -> AsyncIterator[Jobs]:
    """Run jobs, in a thread and one at a time unless told otherwise."""
    terms = {"at_once": 1, "most_waiting": 10} | capacity
    jobs = Jobs(executor or ThreadPoolExecutor(1), Workplace(store.root), store.catalogue, Capacity(**terms))
    await jobs.open(alone=True)
    try:
        yield jobs
    finally:
        await jobs.close()
