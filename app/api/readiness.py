"""Readiness: what there is to know of whether requests can be answered."""

import asyncio
import platform
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from app import __version__
from app.api.answers import as_json
from app.api.found import Found
from app.api.measuring import require_ready
from app.api.parts import Parts
from app.api.problems import kind_of
from app.docstrings import Described
from app.errors import NetletError, StorageError
from app.jobs.executors import trouble_with
from app.jobs.job import State

LIBRARIES = ("fastapi", "numpy", "pyarrow", "pydantic", "sqlalchemy", "uvicorn")
TOLD = ConfigDict(json_schema_extra=Described())


class StoreReport(BaseModel):
    """The store."""

    model_config = TOLD

    free_bytes: int | None
    """On its disk; null where that cannot be told."""
    reserve_bytes: int
    """Fewer would be too few."""
    catalogue: Literal["sqlite", "postgresql"]


class QueueReport(BaseModel):
    """The trainings."""

    model_config = TOLD

    queued: int | None
    """Null where the catalogue cannot be asked."""
    most_queued: int
    running: int | None
    running_here: int
    """In the process that answers."""
    most_here: int
    trouble: str | None
    """Why no training can begin where they run, such as a cluster that is away; predictions do without. Null else."""


class Readiness(BaseModel):
    """The answer to a probe that asks for more."""

    model_config = TOLD

    status: str
    """`ok`, or what the type of the problem ends with."""
    detail: str | None
    """What is wrong, and what to do."""
    store: StoreReport
    queue: QueueReport
    found: Found
    versions: dict[str, str]


async def reported(parts: Parts) -> Response:
    """Tell whether requests can be answered, and all that there is to know of it."""
    error = None
    try:
        await require_ready(parts)
    except NetletError as found:
        error = found
    readiness = await asyncio.to_thread(_readiness, parts, error)
    return as_json(readiness, HTTPStatus.OK if error is None else kind_of(error).status)


def _readiness(parts: Parts, error: NetletError | None) -> Readiness:
    free: int | None = None
    counts: dict[State, int] = {}
    try:
        free = parts.store.free_bytes()
        counts = parts.jobs.ledger.counts()
    except StorageError:  # which is told already, or soon will be
        pass
    jobs, catalogue = parts.jobs, parts.store.catalogue
    return Readiness(
        status="ok" if error is None else kind_of(error).slug,
        detail=None if error is None else str(error),
        store=StoreReport(
            free_bytes=free,
            reserve_bytes=parts.store.reserve,
            catalogue="sqlite" if catalogue.is_sqlite else "postgresql",
        ),
        queue=QueueReport(
            queued=counts.get(State.QUEUED),
            most_queued=jobs.capacity.most_waiting,
            running=counts.get(State.RUNNING),
            running_here=len(jobs.running),
            most_here=jobs.capacity.at_once,
            trouble=trouble_with(jobs.executor),
        ),
        found=parts.found,
        versions=_versions(),
    )


@cache
def _versions() -> dict[str, str]:
    own = {"netlet": __version__, "python": platform.python_version()}
    return own | {library: version(library) for library in LIBRARIES}
