"""`POST /train`, and the same to train a model on."""

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.alias_answers import with_aliases
from app.api.alias_schemas import OneVersion
from app.api.answers import as_json, detail
from app.api.bodies import TrainingBody
from app.api.groups import read_groups
from app.api.job_answers import groups_of, job_detail
from app.api.job_schemas import Asked, GroupsAnswer, JobDetail, Paged
from app.api.openapi import BareNameInPath, NameInPath, VersionInPath, body_of
from app.api.parts import Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import ContinueRequest, GroupsRequest, TrainRequest
from app.api.training import Key, trained
from app.errors import Cancelled, NotFound
from app.jobs.job import Job, State
from app.jobs.ledger import Submitted

router = APIRouter(
    tags=["train"],
    responses=documented(400, 403, 404, 409, 413, 415, 422, 429, 503, 507)
    | {202: {"model": JobDetail, "description": "Still training"}},
)

Terms = Annotated[Asked, Query()]


@router.post("/train", status_code=201, response_model=OneVersion, openapi_extra=body_of(TrainRequest))
async def train(parts: PartsOf, request: Request, body: TrainingBody, asked: Terms, key: Key) -> Response:
    """Train a network on a table: JSON, or CSV, NDJSON, Parquet, Arrow or npy with the settings in the address.

    A dataset that was uploaded before stands for a table.

    Answers 201 with the model once it is safe on disk, or 202 with the job, which is safe too, if that takes longer
    than `wait` seconds.
    """
    return await _answer(parts, await trained(parts, body, asked, key, request))


@router.post("/train/batch", status_code=201, response_model=GroupsAnswer, openapi_extra=body_of(GroupsRequest))
async def train_batch(parts: PartsOf, request: Request, body: TrainingBody, asked: Terms, key: Key) -> Response:
    """Train a model for each group of a table: those of a column `group_by`, called as the group after a dot.

    Answers 201 with all models once they are safe on disk, or 202 with the job, which is safe too, if that takes longer
    than `wait` seconds. A group that cannot be learnt has its error in the answer.
    """
    job = (await trained(parts, body, asked, key, request, read=read_groups)).job
    _require_good(job)
    if not job.is_over:
        return as_json(job_detail(job), 202, f"/jobs/{job.id}")
    made = await asyncio.to_thread(groups_of, job, parts.store.catalogue, Paged())
    return as_json(made, 201, f"/jobs/{job.id}/models")


@router.post("/models/{name}/train", status_code=201, response_model=OneVersion, openapi_extra=body_of(ContinueRequest))
async def train_on(
    parts: PartsOf, request: Request, body: TrainingBody, *, asked: Terms, name: NameInPath, key: Key
) -> Response:
    """Train the version of a model on that its name means, with more rows, to be the next version.

    It begins with the weights and what the optimizer remembers; columns, scaling and network stay as they are.
    """
    return await _answer(parts, await trained(parts, body, asked, key, request, start=name))


@router.post(
    "/models/{name}/versions/{version}/train",
    status_code=201,
    response_model=OneVersion,
    openapi_extra=body_of(ContinueRequest),
)
async def train_version_on(
    parts: PartsOf,
    request: Request,
    body: TrainingBody,
    *,
    asked: Terms,
    name: BareNameInPath,
    version: VersionInPath,
    key: Key,
) -> Response:
    """Train one version of a model on, with more rows, to be the model's next version."""
    return await _answer(parts, await trained(parts, body, asked, key, request, start=f"{name}/{version}"))


async def _answer(parts: Parts, found: Submitted) -> Response:
    _require_good(found.job)
    return await _told(parts, found)


def _require_good(job: Job) -> None:
    """Raise what a job failed with, or Cancelled where it was and left no version."""
    if job.error or (job.state == State.CANCELLED and job.version is None):
        raise job.error or Cancelled


async def _told(parts: Parts, found: Submitted) -> Response:
    """Give the version that a job made; the job itself where there is none yet, or none any more."""
    job = found.job
    if job.version is not None:
        with suppress(NotFound):
            stored = await parts.loaded.version(job.name, job.version)
            made = OneVersion(**dict(detail(stored)), aliases=[]) if found.is_new else await with_aliases(parts, stored)
            return as_json(made, 201, f"/models/{stored.name}/versions/{stored.version}")
    return as_json(job_detail(job), 202, f"/jobs/{job.id}")
