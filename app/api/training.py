"""A request to train, from its body to the job that stands for it, waited for as long as was asked."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Annotated

from fastapi import Depends, Header, Request

from app.access.keyring import Caller
from app.api.allowances import require_model_allowed
from app.api.bodies import Body
from app.api.continuing import read_continuation
from app.api.job_schemas import Asked
from app.api.orders import read_order
from app.api.parsing import names_dataset
from app.api.parts import FELT, WORK_OF_A_TABLE, Limits, Parts
from app.errors import MalformedKey
from app.jobs import ledger
from app.jobs.job import Job, Origin
from app.jobs.ledger import Submitted
from app.jobs.orders import Order
from app.store.datasets import DatasetStore
from app.telemetry.current import tell
from app.telemetry.traces import Place

LOOK_SECONDS = 0.2
KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
Read = Callable[[Body, Limits, DatasetStore], Order]
KeySent = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Names the request: however often it is sent, even after a restart, it is done once.",
        json_schema_extra={"pattern": f"^{KEY.pattern}$"},
    ),
]


async def key_of(request: Request, _one: KeySent = None) -> str | None:
    """Give what a request is named by, if it is; raises MalformedKey."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not KEY.fullmatch(keys[0]):
        raise MalformedKey
    return keys[0]


Key = Annotated[str | None, Depends(key_of)]


async def trained(
    parts: Parts,
    body: Body,
    asked: Asked,
    key: str | None,
    request: Request,
    *,
    start: str | None = None,
    read: Read = read_order,
) -> Submitted:
    """Give the job of a request, new or known by its key, as it is when it is over or the wait is.

    `read` makes an order of the body; `start` refers to the version that is trained on, where no new model is asked
    for. Raises InputError for what cannot be trained, ModelNotFound, VersionNotFound, Busy, KeyReused.
    """
    named = None if key is None else ledger.Key(body.caller.named(key), _digest(request.url.path, body))
    known = None if named is None else await parts.jobs.find(named)
    if known is not None:
        found = Submitted(known, is_new=False)
    else:
        order = await (_order(parts, body, read) if start is None else _continuation(parts, body, start))
        found = await _submitted(parts, body.caller, asked, request, order, named=named)
        del order
    body.let_go()  # and the order with it: as many may wait as there are requests
    tell(job=found.job.id, model=found.job.name)
    request.state.is_replayed = not found.is_new
    return found._replace(job=await _waited(parts, body, asked, found))


async def _submitted(
    parts: Parts, caller: Caller, asked: Asked, request: Request, order: Order, *, named: ledger.Key | None
) -> Submitted:
    """Give the job of an order as it is at once."""
    names = (order.name,) if order.groups is None else order.groups.names
    await require_model_allowed(parts, caller, *names)
    terms = ledger.Request(
        caller=caller.name,
        grant=caller.grant,
        priority=asked.priority,
        seconds=asked.timeout_seconds,
        key=named,
        paused=asked.paused,
        origin=_origin_of(request),
    )
    return await parts.jobs.submit(replace(order, max_epochs=asked.max_epochs), terms)


def _origin_of(request: Request) -> Origin:
    place: Place | None = request.state.place
    return Origin(request.state.request_id, *(() if place is None else (place.traceparent, place.tracestate)))


async def _order(parts: Parts, body: Body, read: Read) -> Order:
    return await parts.read_table(_size(body), read, body, parts.limits, parts.datasets)


async def _continuation(parts: Parts, body: Body, start: str) -> Order:
    stored = await parts.loaded.find(start)
    return await parts.read_table(FELT, read_continuation, body, stored, parts.limits, parts.datasets, parts.store)


async def _waited(parts: Parts, body: Body, asked: Asked, found: Submitted) -> Job:
    """Wait for a job; only the request that it was made for ends it by going away."""
    job = found.job
    if asked.paused or not (asked.cancel_on_disconnect and found.is_new):
        return await parts.jobs.wait(job, 0 if asked.paused else asked.wait)
    deadline = monotonic() + asked.wait
    while not job.is_over and not parts.jobs.stopping and (left := deadline - monotonic()) > 0:
        job = await parts.jobs.wait(job, min(left, LOOK_SECONDS))
        if await body.is_left():
            return await parts.jobs.cancel(job.id, keep_best=False)
    return job


def _digest(path: str, body: Body) -> str:
    """Tell requests apart by all that says what is to be trained."""
    told = [pair for pair in sorted(body.query) if pair[0] not in {"wait", "cancel_on_disconnect"}]
    return hashlib.sha256(repr((path, body.media_type, told)).encode() + b"\0" + body.data).hexdigest()


def _size(body: Body) -> int:
    """Tell how much is to be read: a dataset is more than the event loop has time for, however short its name."""
    return FELT if names_dataset(body) else len(body.data) * WORK_OF_A_TABLE
