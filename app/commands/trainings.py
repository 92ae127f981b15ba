"""Jobs as a person sees and ends them."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.client import Job
from app.commands.figures import lines
from app.commands.tables import Heading, moment, written
from app.commands.talking import Talk


def _state(row: Mapping[str, Any]) -> str:
    return f"{row['status']}, paused" if row["paused"] and row["ended"] is None else str(row["status"])


def _model(row: Mapping[str, Any]) -> str:
    version = "" if row["version"] is None else f"/{row['version']}"
    return f"{row['model']}{version}{' (partial)' if row['partial'] else ''}"


JOBS: dict[str, Heading] = {
    "job": lambda row: row["job"],
    "state": _state,
    "model": _model,
    "epoch": lambda row: row["epoch"],
    "of": lambda row: row["epochs"],
    "loss": lambda row: row["loss"],
    "created": lambda row: moment(row["created"]),
    "error": lambda row: row["error"],
}


def list_jobs(talk: Talk, state: str | None, limit: int) -> None:
    """List trainings."""
    with talk.client() as client:
        talk.rows(JOBS, (job.raw for job in client.jobs(state, limit)), "job")


def show_job(talk: Talk, job: str) -> None:
    """Show a training."""
    with talk.client() as client:
        _tell(talk, client.job(job))


def cancel(talk: Talk, job: str, *, keep_best: bool) -> None:
    """End a training."""
    with talk.client() as client:
        _tell(talk, client.cancel(job, keep_best=keep_best))


def _tell(talk: Talk, job: Job) -> None:
    talk.one([job.job, *lines([*_pairs(job)])], job.raw, "job")


def _pairs(job: Job) -> Iterator[tuple[str, str]]:
    yield "state", _state(job.raw)
    yield "model", _model(job.raw)
    if job.epoch is not None:
        yield "epoch", f"{written(job.epoch)} of {written(job.epochs)}"
        yield "loss", written(job.loss)
    if job.validation_loss is not None:
        yield "validation", written(job.validation_loss)
    if job.search is not None:
        yield from _of_search(job.search)
    if job.error is not None:
        yield "error", job.error
    for name in ("created", "started", "ended"):
        if job.raw[name] is not None:
            yield name, moment(job.raw[name])
    if job.attempt > 1:
        yield "attempts", written(job.attempt)


def _of_search(search: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    most = f"{written(search['budget_seconds'])} s" if search["most"] is None else written(search["most"])
    yield "trials", f"{written(search['done'])} of {most}"
    if search["best"] is not None:
        yield "best", f"trial {search['best']['number']}, {search['metric']} {written(search['best']['value'])}"
