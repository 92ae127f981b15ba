"""Retraining: what was trained before is trained again, to be compared; nothing is written down or saved."""

import asyncio
import secrets
from collections.abc import Coroutine
from math import inf
from typing import Any

from app.errors import Busy, NetletError
from app.jobs.calls import encoded
from app.jobs.endings import ending_of
from app.jobs.jobs import Jobs
from app.jobs.orders import Order
from app.jobs.work import retrain
from app.models.model import Model
from app.store import snapshot
from app.store.files import storage_errors


async def retrained(jobs: Jobs, order: Order, nobody_waits: Coroutine[Any, Any, None], seconds: float | None) -> Model:
    """Train in a place that a job would have, for as long as somebody waits, and give the model.

    Raises Busy where there is no place, and as a job would end otherwise; Cancelled where nobody waits any longer.
    """
    if jobs.places <= 0:
        raise Busy(jobs.capacity.at_once)
    jobs.reserved += 1
    word, waiting = secrets.token_hex(8), asyncio.create_task(nobody_waits)
    future: asyncio.Future[bytes] | None = None
    try:
        data, note = await encoded(order), jobs.folder.note(word, 1)
        with storage_errors():
            note.prepare(None)
        future = asyncio.wrap_future(jobs.executor.submit(retrain, data, jobs.calls.workplace, note))
        either: set[asyncio.Future[Any]] = {future, waiting}
        most = min(jobs.capacity.seconds, seconds or inf)
        done, _ = await asyncio.wait(either, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        future.cancel()  # where it is not over, its process is killed
        await asyncio.wait({future})
        ending = ending_of(word, future, is_late=not done)
    finally:
        if future is not None:
            future.cancel()  # also where whoever waits here is told to stop
        waiting.cancel()
        jobs.reserved -= 1
        jobs.folder.clear(word)
    if isinstance(ending, NetletError):
        raise ending
    return (await asyncio.to_thread(snapshot.decode, ending))[0]
