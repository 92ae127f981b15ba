"""Answers about jobs: what they are, and how far."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.api.job_schemas import Curves, GroupAnswer, GroupsAnswer, JobDetail, Paged, ProgressEvent, SearchDetail
from app.jobs.grouped import listed
from app.jobs.job import Job, Point
from app.jobs.leaderboard import Leaderboard
from app.store.catalogue import Catalogue


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
        groups=job.groups,
        waits_for=job.waits_for,
        request_id=job.origin.request_id or None,
        history=_curves(job.points, most_points) if most_points else None,
        search=None if job.search is None else search_detail(job.search, 0 if most_points else None),
        error=str(job.error) if job.error else None,
        created=datetime.fromtimestamp(job.created, UTC),
        started=_time(job.started),
        ended=_time(job.ended),
        **latest[0],
    )


def groups_of(job: Job, catalogue: Catalogue, asked: Paged) -> GroupsAnswer:
    """List the models of a job, a page of them; its only one where it has no groups."""
    if job.groups is None:
        error = str(job.error) if job.error else None
        only = GroupAnswer(group=None, model=job.name, version=job.version, rows=job.rows, validation=None, error=error)
        return GroupsAnswer(job=job.id, name=job.name, models=[only], next=None)
    rows = listed(catalogue, job.id, after=asked.after, limit=asked.limit + 1)
    models = [
        GroupAnswer(
            group=row.name.removeprefix(f"{job.name}."),
            model=row.name,
            version=row.version,
            rows=row.rows,
            validation=None if row.score is None else {row.metric: row.score},
            error=row.error,
        )
        for row in rows[: asked.limit]
    ]
    following = rows[asked.limit - 1].place if len(rows) > asked.limit else None
    return GroupsAnswer(job=job.id, name=job.name, models=models, next=following)


def search_detail(board: Leaderboard, after: int | None) -> SearchDetail:
    """Describe a search, with its trials after so many; with none where it is None."""
    return SearchDetail(
        metric=board.metric,
        done=len(board.trials),
        most=board.most,
        budget_seconds=board.seconds,
        best=board.best,
        trials=None if after is None else list(board.trials[after:]),
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
