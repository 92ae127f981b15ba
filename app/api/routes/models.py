"""The models there are: list, look inside, delete."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import as_json, detail, history, summary, weights, with_versions
from app.api.model_schema import openapi_of, row_schema
from app.api.named import newest, one_version
from app.api.openapi import NameInPath, VersionInPath
from app.api.parts import Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import HistoryAnswer, ModelDetail, ModelList, ModelVersions, WeightsAnswer
from app.errors import NotFound, TooManyAnswers
from app.store.references import Reference
from app.store.store import Stored

READ = documented(404, 409, 503)
LOOK_INSIDE = documented(404, 409, 413, 422, 503)
DELETED = documented(403, 404, 503, 507)

router = APIRouter(prefix="/models", tags=["models"])

MostPoints = Annotated[int, Query(ge=1, le=100_000, description="Most epochs to give.")]


@router.get("", response_model=ModelList, responses=documented(422))
async def models(
    parts: PartsOf,
    prefix: Annotated[str, Query(max_length=63)] = "",
    after: Annotated[str, Query(max_length=63)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List models by name, a page at a time."""
    return as_json(await asyncio.to_thread(_page, parts, prefix, after, limit))


def _page(parts: Parts, prefix: str, after: str, limit: int) -> ModelList:
    names = parts.store.names(prefix=prefix, after=after, limit=limit + 1)
    listed = []
    for name in names[:limit]:
        with suppress(NotFound):  # deleted since the names were read
            listed.append(summary(parts.store.listed(name)))
    return ModelList(models=listed, next=names[limit - 1] if len(names) > limit else None)


@router.get("/{name}", response_model=ModelVersions, responses=READ)
async def model(parts: PartsOf, stored: Annotated[Stored, Depends(newest)]) -> Response:
    """Describe the newest version of a model, and list them all."""
    versions = await asyncio.to_thread(parts.store.versions, stored.name)
    return as_json(with_versions(stored, versions))


@router.delete("/{name}", status_code=204, responses=DELETED)
async def delete_model(parts: PartsOf, name: NameInPath) -> None:
    """Delete a model with all its versions, for good."""
    await asyncio.to_thread(parts.store.delete, Reference.parse(name))


@router.get("/{name}/versions/{version}", response_model=ModelDetail, responses=READ)
async def model_version(stored: Annotated[Stored, Depends(one_version)]) -> Response:
    """Describe one version."""
    return as_json(detail(stored))


@router.delete("/{name}/versions/{version}", status_code=204, responses=DELETED)
async def delete_version(parts: PartsOf, name: NameInPath, version: VersionInPath) -> None:
    """Delete one version for good; its number is not used again."""
    await asyncio.to_thread(parts.store.delete, Reference.parse(f"{name}/{version}"))


@router.get("/{name}/history", response_model=HistoryAnswer, responses=LOOK_INSIDE)
async def model_history(
    parts: PartsOf, stored: Annotated[Stored, Depends(newest)], max_points: MostPoints = 1000
) -> Response:
    """Give the loss of each epoch of the newest version."""
    return await _curves(parts, stored, max_points)


@router.get("/{name}/versions/{version}/history", response_model=HistoryAnswer, responses=LOOK_INSIDE)
async def version_history(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], max_points: MostPoints = 1000
) -> Response:
    """Give the loss of each epoch of one version."""
    return await _curves(parts, stored, max_points)


@router.get("/{name}/weights", response_model=WeightsAnswer, responses=LOOK_INSIDE)
async def model_weights(parts: PartsOf, stored: Annotated[Stored, Depends(newest)]) -> Response:
    """Give every weight and scale of the newest version: enough to compute its answers by hand."""
    return await _weights(parts, stored)


@router.get("/{name}/versions/{version}/weights", response_model=WeightsAnswer, responses=LOOK_INSIDE)
async def version_weights(parts: PartsOf, stored: Annotated[Stored, Depends(one_version)]) -> Response:
    """Give every weight and scale of one version."""
    return await _weights(parts, stored)


@router.get("/{name}/schema", responses=READ)
async def model_schema(stored: Annotated[Stored, Depends(newest)]) -> dict[str, Any]:
    """Describe, as JSON Schema, a row that the newest version answers."""
    return row_schema(stored)


@router.get("/{name}/versions/{version}/schema", responses=READ)
async def version_schema(stored: Annotated[Stored, Depends(one_version)]) -> dict[str, Any]:
    """Describe, as JSON Schema, a row that one version answers."""
    return row_schema(stored)


@router.get("/{name}/openapi.json", responses=READ)
async def model_openapi(stored: Annotated[Stored, Depends(newest)]) -> dict[str, Any]:
    """Give an OpenAPI document of the newest version alone, typed and with an example that works."""
    return openapi_of(stored)


@router.get("/{name}/versions/{version}/openapi.json", responses=READ)
async def version_openapi(stored: Annotated[Stored, Depends(one_version)]) -> dict[str, Any]:
    """Give an OpenAPI document of one version alone, typed and with an example that works."""
    return openapi_of(stored)


async def _curves(parts: Parts, stored: Stored, most_points: int) -> Response:
    return await parts.answer(20 * most_points, lambda: as_json(history(stored, most_points)))


async def _weights(parts: Parts, stored: Stored) -> Response:
    size = stored.model.parameters.size
    if size > parts.limits.answers:
        raise TooManyAnswers(size, parts.limits.answers)
    return await parts.answer(20 * size, lambda: as_json(weights(stored)))
