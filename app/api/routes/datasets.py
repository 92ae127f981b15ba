"""Datasets: tables that are uploaded once and trained from many times."""

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.access.keyring import Caller
from app.api.allowances import require_upload_allowed
from app.api.answers import as_json, dataset_detail, dataset_summary
from app.api.openapi import in_path, upload_body
from app.api.parts import CallerOf, Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import DatasetDetail, DatasetList, DatasetSummary
from app.api.training import Key
from app.api.uploads import keep
from app.errors import DatasetDamaged, DatasetNotFound
from app.store import api_keys
from app.store.learnt_from import models_of

router = APIRouter(prefix="/datasets", tags=["datasets"])

DatasetInPath = Annotated[str, in_path("The dataset's id.", "[0-9a-f]{32}", "0123456789abcdef" * 2)]


@router.post(
    "",
    status_code=201,
    response_model=DatasetDetail,
    responses=documented(400, 403, 409, 413, 415, 422, 503, 507)
    | {200: {"model": DatasetDetail, "description": "Kept"}},
    openapi_extra=upload_body(),
)
async def upload(parts: PartsOf, request: Request, caller: CallerOf, key: Key) -> Response:
    """Keep a table to train from: CSV, NDJSON, Parquet, Arrow or npy by its Content-Type, else JSON.

    Answers 201, or 200 if the same bytes, read the same way, are kept already.
    """
    await require_upload_allowed(parts, caller)
    dataset, is_new = await keep(request, parts, caller, key)
    models = await asyncio.to_thread(models_of, parts.store.catalogue, dataset.id)
    told = dataset_detail(dataset, [model for model in models if caller.sees(model)])
    return as_json(told, 201 if is_new else 200, f"/datasets/{dataset.id}")


@router.get("", response_model=DatasetList, responses=documented(422))
async def datasets(
    parts: PartsOf,
    caller: CallerOf,
    after: Annotated[str, Query(max_length=63)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List datasets by id, a page at a time; with a key for some models, those that were uploaded with it."""
    return as_json(await asyncio.to_thread(_page, parts, caller, after, limit))


def _page(parts: Parts, caller: Caller, after: str, limit: int) -> DatasetList:
    if caller.key is None or caller.grant.sees_all:
        ids = parts.datasets.ids(after=after, limit=limit + 1)
    else:
        ids = api_keys.datasets_of(parts.store.catalogue, caller.key.number, after=after, limit=limit + 1)
    listed = []
    for dataset in ids[:limit]:
        with suppress(DatasetNotFound):  # deleted since the ids were read
            listed.append(_listed(parts, dataset))
    return DatasetList(datasets=listed, next=ids[limit - 1] if len(ids) > limit else None)


def _listed(parts: Parts, dataset: str) -> DatasetSummary:
    try:
        return dataset_summary(parts.datasets.find(dataset))
    except DatasetDamaged as error:
        return DatasetSummary(dataset=dataset, damage=error.damage)


@router.get("/{dataset}", response_model=DatasetDetail, responses=documented(404, 503))
async def dataset(parts: PartsOf, dataset: DatasetInPath, caller: CallerOf) -> Response:
    """Describe a dataset, column by column, and list the models that were trained on it."""
    return await asyncio.to_thread(_described, parts, dataset, caller)


def _described(parts: Parts, dataset: str, caller: Caller) -> Response:
    found = parts.datasets.find(dataset)
    models = [model for model in models_of(parts.store.catalogue, found.id) if caller.sees(model)]
    return as_json(dataset_detail(found, models))


@router.delete("/{dataset}", status_code=204, responses=documented(403, 404, 409, 503, 507))
async def delete_dataset(parts: PartsOf, dataset: DatasetInPath, caller: CallerOf) -> None:
    """Delete a dataset for good, unless a training needs it; models that were trained on it stay.

    With a key for some models it stays as long as it is another key's too.
    """
    number = None if caller.key is None or caller.grant.sees_all else caller.key.number
    await asyncio.to_thread(parts.datasets.delete, dataset, number)
