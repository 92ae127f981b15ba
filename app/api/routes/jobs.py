"""The jobs that trainings are: list, follow, cancel."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.api import job_answers
from app.api.answers import as_json
from app.api.job_answers import job_detail
from app.api.job_schemas import JobDetail, JobList
from app.api.parts import PartsOf
from app.api.problems import documented
from app.jobs.job import Job, State

router = APIRouter(prefix="/jobs", tags=["train"])

EPOCH = re.compile(r"[0-9]{1,18}", re.ASCII)
JobInPath = Annotated[str, Path(description="The job's id.")]
Waits = Annotated[bool, Query(description="Keep the best so far as a version that is marked partial.")]


async def one_job(parts: PartsOf, job_id: JobInPath) -> Job:
    """Find the job that a path names; raises JobNotFound."""
    return await parts.jobs.get(job_id)


@router.get("", response_model=JobList, responses=documented(422))
async def jobs(
    parts: PartsOf, state: State | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """List trainings, the newest first, all or those in a state."""
    newest = await parts.jobs.newest(limit, state)
    return as_json(JobList(jobs=[job_detail(job) for job in newest]))


@router.get("/{job_id}", response_model=JobDetail, responses=documented(404))
async def job(
    job: Annotated[Job, Depends(one_job)], max_points: Annotated[int, Query(ge=1, le=1000)] = 1000
) -> Response:
    """Tell how far a training is, and how it ended."""
    return as_json(job_detail(job, max_points))


@router.delete("/{job_id}", response_model=JobDetail, responses=documented(403, 404))
async def cancel(parts: PartsOf, job_id: JobInPath, *, keep_best: Waits = False) -> Response:
    """End a training as soon as that can be; one that is over stays as it is."""
    job = await parts.jobs.cancel(job_id, keep_best=keep_best)
    return as_json(job_detail(job))


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=documented(404))
async def events(
    parts: PartsOf,
    job: Annotated[Job, Depends(one_job)],
    last_event_id: Annotated[str, Header(alias="Last-Event-ID")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Follow a training as Server-Sent Events: its states, and its progress after the epoch that was seen last."""
    after = int(last_event_id) if EPOCH.fullmatch(last_event_id) else 0
    async for event in job_answers.events(parts.jobs, job, after):
        yield event
