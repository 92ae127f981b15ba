"""Measuring: what the service is like at the moment that somebody asks, beside what it has counted."""

import asyncio
from collections.abc import Iterator

from app.api.parts import Parts
from app.errors import NetletError, StorageError
from app.telemetry.metrics import Figure


async def figures_of(parts: Parts) -> list[Figure]:
    """Tell all there is to tell; where the store cannot be asked, what it would have told is left out."""
    of_store = await asyncio.to_thread(lambda: [*_of_store(parts)])
    return [*parts.account.everything(), *of_store]  # asked last: what was answered before has been counted by now


async def require_ready(parts: Parts) -> None:
    """Raise ShuttingDown or StorageError unless requests of every kind can be answered."""
    parts.require_serving()
    await asyncio.to_thread(parts.store.require_usable)


def _of_store(parts: Parts) -> Iterator[Figure]:
    try:
        parts.require_serving()
        parts.store.require_usable()
    except NetletError:
        yield Figure("netlet_ready", (), [0])
    else:
        yield Figure("netlet_ready", (), [1])
    try:
        yield Figure("netlet_store_free_bytes", (), [parts.store.free_bytes()])
        for state, count in parts.jobs.ledger.counts().items():
            yield Figure("netlet_jobs", (state,), [count])
    except StorageError:
        return
