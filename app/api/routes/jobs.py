"""The jobs that trainings are: list, follow, pause, cancel."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.api.access import is_admitted
from app.api.answers import as_json
from app.api.bodies import ShortBody
from app.api.job_answers import groups_of, job_detail
from app.api.job_events import events as events_of
from app.api.job_schemas import Ending, Following, GroupsAnswer, JobDetail, JobList, Paged, Steps
from app.api.openapi import in_path
from app.api.parts import CallerOf, PartsOf
from app.api.problems import documented
from app.errors import InvalidRequest
from app.faults import Fault
from app.jobs import pausing
from app.jobs.job import Job, State

router = APIRouter(prefix="/jobs", tags=["train"])

EPOCH = re.compile(r"[0-9]{1,18}", re.ASCII)
NOTHING = {"requestBody": {"required": False, "content": {"application/json": {"schema": {"enum": [{}]}}}}}
JobInPath = Annotated[str, in_path("The job's id.", "[0-9a-f]{16}", "0123456789abcdef")]


async def one_job(parts: PartsOf, job_id: JobInPath) -> Job:
    """Find the job that a path names; raises JobNotFound."""
    return await parts.jobs.get(job_id)


@router.get("", response_model=JobList, responses=documented(422, 503))
async def jobs(
    parts: PartsOf,
    caller: CallerOf,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List trainings, the newest first, all or those in a state; with a key for some models, its own."""
    newest = await parts.jobs.newest(limit, state, None if caller.grant.sees_all else caller.name)
    return as_json(JobList(jobs=[job_detail(job) for job in newest]))


@router.get("/{job_id}", response_model=JobDetail, responses=documented(404, 503))
async def job(
    job: Annotated[Job, Depends(one_job)], max_points: Annotated[int, Query(ge=1, le=1000)] = 1000
) -> Response:
    """Tell how far a training is, and how it ended."""
    return as_json(job_detail(job, max_points))


@router.get("/{job_id}/models", response_model=GroupsAnswer, responses=documented(404, 422, 503))
async def models(parts: PartsOf, job: Annotated[Job, Depends(one_job)], asked: Annotated[Paged, Query()]) -> Response:
    """List the models that a training makes of groups, as far as it is, a page of `limit` at a time."""
    return as_json(await asyncio.to_thread(groups_of, job, parts.store.catalogue, asked))


@router.delete("/{job_id}", response_model=JobDetail, responses=documented(403, 404, 422, 503, 507))
async def cancel(parts: PartsOf, job_id: JobInPath, asked: Annotated[Ending, Query()]) -> Response:
    """End a training as soon as that can be; one that is over stays as it is."""
    job = await parts.jobs.cancel(job_id, keep_best=asked.keep_best)
    return as_json(job_detail(job))


@router.post("/{job_id}/pause", response_model=JobDetail, responses=documented(403, 404, 409, 503, 507))
async def pause(parts: PartsOf, job_id: JobInPath) -> Response:
    """Let a training wait after the epoch that is under way, or before its first; it keeps its place meanwhile."""
    return as_json(job_detail(await pausing.pause(parts.jobs, job_id)))


@router.post("/{job_id}/resume", response_model=JobDetail, responses=documented(403, 404, 409, 503, 507))
async def resume(parts: PartsOf, job_id: JobInPath) -> Response:
    """Let a training that is paused go on."""
    return as_json(job_detail(await pausing.resume(parts.jobs, job_id)))


@router.post(
    "/{job_id}/step",
    response_model=JobDetail,
    responses=documented(403, 404, 409, 422, 503, 507),
    openapi_extra=NOTHING,
)
async def step(parts: PartsOf, job_id: JobInPath, asked: Annotated[Steps, Query()], body: ShortBody) -> Response:
    """Let a training that is paused take one epoch, or some, and pause again; answers when it has, or in 5 seconds."""
    if body.data.strip() not in {b"", b"{}"}:
        message = "How many epochs is said in the address, as in /step?epochs=5, and the body is empty."
        raise InvalidRequest(message, [Fault("nothing", field="body")])
    return as_json(job_detail(await pausing.step(parts.jobs, job_id, asked.epochs)))


async def place_of_stream(parts: PartsOf) -> AsyncIterator[None]:
    """Hold a place for a stream; raises TooManyStreams."""
    with parts.streams.place():
        yield


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses=documented(404, 422, 429, 503),
    dependencies=[Depends(place_of_stream)],
)
async def events(
    parts: PartsOf,
    job: Annotated[Job, Depends(one_job)],
    asked: Annotated[Following, Query()],
    request: Request,
    last_event_id: Annotated[str, Header(alias="Last-Event-ID")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Follow a training as Server-Sent Events: its states, and its progress after the epoch that was seen last.

    Of a search, `search` tells the trials that are over, each once on a connection.
    With `weights`, also the network: `network` says once what it is, `weights` how it is after an epoch. It
    ends with the key that it was asked for with.
    """
    after = int(last_event_id) if EPOCH.fullmatch(last_event_id) else 0
    async for event in events_of(parts.jobs, job, after, shows_weights=asked.weights):
        if not await is_admitted(request):
            return
        yield event
