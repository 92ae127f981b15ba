"""Answers about jobs: what they are, and how far."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.api.job_schemas import Curves, JobDetail, ProgressEvent
from app.jobs.job import Job, Point


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
        request_id=job.origin.request_id or None,
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
