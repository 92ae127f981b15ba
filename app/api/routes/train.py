"""`POST /train` and the jobs it starts."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.answers import as_json, detail, job_detail
from app.api.bodies import Body, TrainingBody
from app.api.openapi import body_of
from app.api.orders import read_order
from app.api.parsing import names_dataset
from app.api.parts import FELT, PartsOf
from app.api.problems import documented
from app.api.schemas import JobDetail, JobList, ModelDetail, TrainRequest
from app.store.references import Reference

router = APIRouter(tags=["train"])


@router.post(
    "/train",
    status_code=201,
    response_model=ModelDetail,
    responses=documented(400, 403, 404, 413, 415, 422, 429, 503, 507)
    | {202: {"model": JobDetail, "description": "Still training"}},
    openapi_extra=body_of(TrainRequest),
)
async def train(parts: PartsOf, body: TrainingBody, wait: Annotated[float, Query(ge=0, le=3600)] = 30) -> Response:
    """Train a network on a table: JSON, or CSV, NDJSON, Parquet, Arrow or npy with the settings in the address.

    A dataset that was uploaded before stands for a table.

    Answers 201 with the model once it is safe on disk, or 202 with the job if that takes longer than `wait` seconds.
    """
    order = await parts.read_table(_size(body), read_order, body, parts.limits, parts.datasets)
    job = parts.jobs.submit(order)
    await parts.jobs.wait(job, wait)
    if job.error:
        raise job.error
    if job.version is None:
        return as_json(job_detail(job), 202, f"/jobs/{job.id}")
    stored = await parts.loaded.find(Reference(order.name, job.version))
    return as_json(detail(stored), 201, f"/models/{stored.name}/versions/{stored.version}")


def _size(body: Body) -> int:
    """Tell how much is to be read: a dataset is more than the event loop has time for, however short its name."""
    return FELT if len(body.data) < FELT and names_dataset(body) else len(body.data)


@router.get("/jobs", response_model=JobList, responses=documented(422))
async def jobs(parts: PartsOf, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """List trainings, the newest first."""
    return as_json(JobList(jobs=[job_detail(job) for job in parts.jobs.newest(limit)]))


@router.get("/jobs/{job_id}", response_model=JobDetail, responses=documented(404))
async def job(parts: PartsOf, job_id: str) -> Response:
    """Tell how far a training is, and how it ended."""
    return as_json(job_detail(parts.jobs.get(job_id)))
