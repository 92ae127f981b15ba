"""TensorFlow Serving's V1 protocol, as KServe has it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.api.bodies import Body, octets_body
from app.api.named import meant
from app.api.openapi import NameInPath
from app.api.parts import PartsOf
from app.api.problems import documented
from app.protocols.answering import as_json, rows_as
from app.protocols.rows import explanations, predictions
from app.store.store import Stored

router = APIRouter(prefix="/v1/models", tags=["v1"])


@router.get("", responses=documented(503))
async def models(parts: PartsOf) -> Response:
    """List all models by name."""
    listed = await asyncio.to_thread(parts.store.all_versions)
    return as_json({"models": sorted({name for name, _ in listed})})


@router.post(
    "/{name}:predict",
    responses=documented(400, 403, 404, 409, 413, 415, 503, 504),
    openapi_extra=rows_as("instances"),
)
async def predict(parts: PartsOf, name: NameInPath, body: Annotated[Body, Depends(octets_body)]) -> Response:
    """Answer rows that are sent as `instances`: lists in the order of the columns, or objects."""
    return await predictions(parts, body, await parts.loaded.find(name), ("instances", "inputs"))


@router.post(
    "/{name}:explain",
    responses=documented(400, 403, 404, 409, 413, 415, 503, 504),
    openapi_extra=rows_as("instances"),
)
async def explain(parts: PartsOf, name: NameInPath, body: Annotated[Body, Depends(octets_body)]) -> Response:
    """Tell what each column adds to the answers, against a row in the middle of what the model was trained on."""
    return await explanations(parts, body, await parts.loaded.find(name), ("instances", "inputs"))


@router.get("/{name}", responses=documented(404, 409, 503))
async def model(stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Tell that a model can answer: it is loaded now."""
    return as_json({"name": stored.name, "ready": True})
