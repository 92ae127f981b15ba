"""The models there are: list, look inside, delete."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.access.keyring import Caller
from app.api.alias_answers import with_aliases, with_versions
from app.api.alias_schemas import ModelVersions, OneVersion, RuleAnswer, RuleRequest
from app.api.answers import as_json, history, summary, weights
from app.api.bodies import ShortBody
from app.api.model_schema import openapi_of, row_schema
from app.api.named import meant, one_version, wanted_models
from app.api.openapi import BareNameInPath, VersionInPath, json_body
from app.api.parsing import parse_object
from app.api.parts import CallerOf, Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import HistoryAnswer, ModelList, WeightsAnswer
from app.errors import NotFound, TooManyAnswers
from app.store.listing import LONGEST_PLACE, Place, Wanted, places
from app.store.references import Reference
from app.store.store import Stored

READ = documented(404, 409, 503)
LOOK_INSIDE = documented(404, 409, 413, 422, 503)
DELETED = documented(403, 404, 409, 503, 507)

router = APIRouter(prefix="/models", tags=["models"])

MostPoints = Annotated[int, Query(ge=1, le=100_000, description="Most epochs to give.")]


@router.get("", response_model=ModelList, responses=documented(422))
async def models(
    parts: PartsOf,
    caller: CallerOf,
    wanted: Annotated[Wanted, Depends(wanted_models)],
    after: Annotated[
        str, Query(max_length=LONGEST_PLACE, description='What the page before says as "next"; by name, any name.')
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List models, a page at a time: by name or the newest first, all or those alone that are tagged so."""
    return as_json(await asyncio.to_thread(_page, parts, caller, wanted, wanted.place(after), limit))


def _page(parts: Parts, caller: Caller, wanted: Wanted, after: Place | None, limit: int) -> ModelList:
    found = places(parts.store.catalogue, wanted, caller.grant, after=after, limit=limit + 1)
    listed = []
    for place in found[:limit]:
        with suppress(NotFound):  # deleted since the names were read
            listed.append(summary(parts.store.listed(place.name)))
    return ModelList(models=listed, next=str(found[limit - 1]) if len(found) > limit else None)


@router.get("/{name}", response_model=ModelVersions, responses=READ)
async def model(parts: PartsOf, stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Describe the version that a model's name means, and list all versions and aliases."""
    return as_json(with_versions(stored, await asyncio.to_thread(parts.store.overview, stored.name)))


@router.patch(
    "/{name}",
    response_model=RuleAnswer,
    responses=documented(400, 403, 404, 413, 415, 422, 503, 507),
    openapi_extra=json_body(RuleRequest),
)
async def change_model(parts: PartsOf, name: BareNameInPath, body: ShortBody) -> Response:
    """Set how many of its newest versions a model keeps; what is older expires at once, and after each training."""
    asked = parse_object(RuleRequest, body, parts.limits.bounds)
    gone = await asyncio.to_thread(parts.store.keep, name, asked.keep_last)
    return as_json(RuleAnswer(model=name, keep_last=asked.keep_last, expired=gone.versions))


@router.delete("/{name}", status_code=204, responses=DELETED)
async def delete_model(parts: PartsOf, name: BareNameInPath, caller: CallerOf) -> None:
    """Delete a model with all its versions and aliases, for good; what its aliases were stays in their history."""
    await asyncio.to_thread(parts.store.delete, Reference.parse(name), caller.name)
    parts.loaded.forget(name)


@router.get("/{name}/versions/{version}", response_model=OneVersion, responses=READ)
async def model_version(parts: PartsOf, stored: Annotated[Stored, Depends(one_version)]) -> Response:
    """Describe one version, with the aliases that point to it."""
    return as_json(await with_aliases(parts, stored))


@router.delete("/{name}/versions/{version}", status_code=204, responses=DELETED)
async def delete_version(parts: PartsOf, name: BareNameInPath, version: VersionInPath) -> None:
    """Delete one version for good, unless an alias points to it; its number is not used again."""
    reference = Reference.parse(f"{name}/{version}")
    await asyncio.to_thread(parts.store.delete, reference)
    parts.loaded.forget(reference.name, reference.version)


@router.get("/{name}/history", response_model=HistoryAnswer, responses=LOOK_INSIDE)
async def model_history(
    parts: PartsOf, stored: Annotated[Stored, Depends(meant)], max_points: MostPoints = 1000
) -> Response:
    """Give the loss of each epoch of the version that the name means."""
    return await _curves(parts, stored, max_points)


@router.get("/{name}/versions/{version}/history", response_model=HistoryAnswer, responses=LOOK_INSIDE)
async def version_history(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], max_points: MostPoints = 1000
) -> Response:
    """Give the loss of each epoch of one version."""
    return await _curves(parts, stored, max_points)


@router.get("/{name}/weights", response_model=WeightsAnswer, responses=LOOK_INSIDE)
async def model_weights(parts: PartsOf, stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Give every weight and scale of the version that the name means: enough to compute its answers by hand."""
    return await _weights(parts, stored)


@router.get("/{name}/versions/{version}/weights", response_model=WeightsAnswer, responses=LOOK_INSIDE)
async def version_weights(parts: PartsOf, stored: Annotated[Stored, Depends(one_version)]) -> Response:
    """Give every weight and scale of one version."""
    return await _weights(parts, stored)


@router.get("/{name}/schema", responses=READ)
async def model_schema(stored: Annotated[Stored, Depends(meant)]) -> dict[str, Any]:
    """Describe, as JSON Schema, a row that the version answers which the name means."""
    return row_schema(stored)


@router.get("/{name}/versions/{version}/schema", responses=READ)
async def version_schema(stored: Annotated[Stored, Depends(one_version)]) -> dict[str, Any]:
    """Describe, as JSON Schema, a row that one version answers."""
    return row_schema(stored)


@router.get("/{name}/openapi.json", responses=READ)
async def model_openapi(stored: Annotated[Stored, Depends(meant)]) -> dict[str, Any]:
    """Give an OpenAPI document of the version that the name means alone, typed and with an example that works."""
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
