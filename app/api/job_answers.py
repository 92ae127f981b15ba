"""Answers about jobs: what they are, how far, and as it happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from fastapi.sse import ServerSentEvent

from app.api.job_schemas import Curves, JobDetail, ProgressEvent
from app.errors import StorageError
from app.jobs.job import Job, Point
from app.jobs.jobs import Jobs

LOOK_SECONDS = 0.1


def job_detail(job: Job, most_points: int = 0) -> JobDetail:
    """Describe a job, with so many points of its curves at most."""
    latest = [dict(event) for event in progress(job, job.epoch - 1)] or [dict.fromkeys(ProgressEvent.model_fields)]
    return JobDetail(
        job=job.id,
        status=job.state,
        model=job.name,
        paused=job.paused,
        version=job.version,
        partial=job.partial,
        priority=job.priority,
        attempt=job.attempt,
        history=_curves(job.points, most_points) if most_points else None,
        error=str(job.error) if job.error else None,
        created=datetime.fromtimestamp(job.created, UTC),
        started=_time(job.started),
        ended=_time(job.ended),
        **latest[0],
    )


def thinned(count: int, most: int) -> list[int]:
    """Choose so many of a number of things at most, evenly; the first and the last are always among them."""
    chosen = min(count, most)
    return [round(step * (count - 1) / max(1, chosen - 1)) for step in range(chosen)]


def progress(job: Job, after: int = 0) -> list[ProgressEvent]:
    """Tell a job's points after an epoch, with its speed. A later attempt counts its seconds anew, its epochs on."""
    told = []
    before: list[Point] = []  # those that took longer than all after them: the last is where this attempt began
    for point in job.points:
        while before and before[-1].seconds <= point.seconds:
            before.pop()
        done = point.epoch - (before[-1].epoch if before else 0)
        before.append(point)
        if point.epoch > after:
            told.append(
                ProgressEvent(
                    epoch=point.epoch,
                    epochs=point.epochs,
                    loss=point.loss,
                    validation_loss=point.validation_loss,
                    rows_per_second=job.rows * done / point.seconds if point.seconds > 0 else None,
                    eta_seconds=(point.epochs - point.epoch) * point.seconds / done,
                )
            )
    return told


async def events(jobs: Jobs, job: Job, after: int) -> AsyncIterator[ServerSentEvent]:
    """Tell each state of a job, paused or not, and its progress after an epoch, until it is over or the service stops.

    The id of an event of progress is its epoch.
    """
    state = None
    while True:
        if (job.state, job.paused) != state and not job.is_over:
            state = job.state, job.paused
            yield ServerSentEvent(event=job.state, data=job_detail(job))
        for event in progress(job, after):
            after = event.epoch
            await asyncio.sleep(0)  # there may be many, and others are to be answered meanwhile
            yield ServerSentEvent(event="progress", id=str(after), data=event)
        if job.is_over or jobs.stopping:
            break
        await asyncio.sleep(LOOK_SECONDS)
        try:
            job = await jobs.get(job.id)
        except StorageError:  # whoever follows connects again, and goes on after the last event
            return
    if job.is_over:
        yield ServerSentEvent(event=job.state, data=job_detail(job))


def _curves(points: Sequence[Point], most: int) -> Curves:
    chosen = [points[index] for index in thinned(len(points), most)]
    validation = [point.validation_loss for point in chosen if point.validation_loss is not None]
    return Curves(
        epochs=[point.epoch for point in chosen],
        loss=[point.loss for point in chosen],
        validation_loss=validation or None,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
