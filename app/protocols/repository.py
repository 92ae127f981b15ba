"""The model repository of Triton's extension: what there is, and what is kept in memory."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.bodies import ShortBody
from app.api.openapi import NameInPath, json_body
from app.api.parsing import parse_object
from app.api.parts import CallerOf, PartsOf
from app.api.problems import documented
from app.docstrings import Described
from app.errors import InvalidRequest
from app.faults import Fault
from app.protocols.answering import as_json
from app.store.references import Reference

LOOSE = ConfigDict(extra="ignore", strict=True, json_schema_extra=Described())

router = APIRouter(prefix="/v2/repository", tags=["v2"])


class IndexRequest(BaseModel):
    """What of the repository is to be listed."""

    model_config = LOOSE

    ready: bool = False
    """Whether only what is ready; here that is all there is."""


class LoadRequest(BaseModel):
    """How a model is to be loaded, or let go."""

    model_config = LOOSE

    parameters: dict[str, Any] = Field(default_factory=dict)


LOADED = json_body(LoadRequest, required=False)


@router.post("/index", responses=documented(400, 503), openapi_extra=json_body(IndexRequest, required=False))
async def index(parts: PartsOf, caller: CallerOf, body: ShortBody) -> Response:
    """List every version of every model: all are ready, and loaded when they are asked for."""
    parse_object(IndexRequest, body, parts.limits.bounds, required=False)
    listed = await asyncio.to_thread(parts.store.all_versions)
    return as_json(
        [
            {"name": name, "version": str(version), "state": "READY", "reason": ""}
            for name, version in listed
            if caller.sees(name)
        ]
    )


@router.post("/models/{name}/load", responses=documented(400, 404, 409, 503), openapi_extra=LOADED)
async def load(parts: PartsOf, name: NameInPath, body: ShortBody) -> Response:
    """Load a model before it is asked for."""
    asked = parse_object(LoadRequest, body, parts.limits.bounds, required=False)
    if asked.parameters:
        message = "Models are trained here, or brought as snapshots: none is made of a configuration or of files."
        raise InvalidRequest(message, [Fault("nothing", field="parameters")])
    await parts.loaded.find(name)
    return as_json({})


@router.post("/models/{name}/unload", responses=documented(400, 404, 503), openapi_extra=LOADED)
async def unload(parts: PartsOf, name: NameInPath, body: ShortBody) -> Response:
    """Give back the memory that a model takes; it is loaded again as soon as somebody asks for it."""
    parse_object(LoadRequest, body, parts.limits.bounds, required=False)
    reference = Reference.parse(name)
    await asyncio.to_thread(parts.store.versions, reference.name)
    parts.loaded.forget(reference.name)
    return as_json({})
