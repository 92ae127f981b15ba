"""The Open Inference Protocol V2, with Triton's extensions: what its clients ask of any server, asked of this one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app import __version__
from app.api.bodies import Body, OctetsBody
from app.api.measuring import require_ready
from app.api.named import meant, one_version
from app.api.openapi import json_body
from app.api.parts import CallerOf, Parts, PartsOf, work_of
from app.api.patience import LONGEST, Patience, seconds_of
from app.api.predictions import require_answerable
from app.api.problems import documented
from app.engine.control import GoOn
from app.protocols import inference
from app.protocols.answering import COMPRESSIONS, as_json, coding_of
from app.protocols.described import PLATFORM, config, metadata
from app.serving.statistics import told_of
from app.store.store import Stored
from app.tables.wanted import Wanted

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "parameters", "statistics"]
WORK_OF_COMPRESSION = 8  # bytes of JSON to read that take as long as one to compress

router = APIRouter(prefix="/v2", tags=["v2"])

READ = documented(404, 409, 503)
OCTETS = "application/octet-stream"
ANSWERED = documented(400, 403, 404, 409, 413, 415, 503, 504) | {
    200: {"description": "Answers", "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}}
}
JSON_LENGTH = {
    "name": inference.HEADER,
    "in": "header",
    "required": False,
    "description": "How many bytes of the body are JSON, where octets follow.",
    "schema": {"type": "integer", "minimum": 0},
}
TENSORS = json_body(inference.InferenceRequest) | {"parameters": [JSON_LENGTH]}


@router.get("")
@router.get("/", include_in_schema=False)
async def server() -> Response:
    """Describe the server."""
    return as_json({"name": PLATFORM, "version": __version__, "extensions": EXTENSIONS})


@router.get("/health/live")
async def live() -> Response:
    """Tell that the process runs."""
    return as_json({"live": True})


@router.get("/health/ready", responses=documented(503))
async def ready(parts: PartsOf) -> Response:
    """Tell that the service is not about to end, and the store can be used."""
    await require_ready(parts)
    return as_json({"ready": True, "live": True})


@router.get("/models", responses=documented(503))
async def models(parts: PartsOf, caller: CallerOf) -> Response:
    """List all models by name."""
    listed = await asyncio.to_thread(parts.store.all_versions)
    return as_json({"models": sorted({name for name, _ in listed if caller.sees(name)})})


@router.get("/models/stats")
async def all_statistics(parts: PartsOf, caller: CallerOf) -> Response:
    """Tell what is known of every version that this process was asked for through this protocol."""
    known = [told_of(key, numbers) for key, numbers in parts.statistics.known() if caller.sees(key[0])]
    return as_json({"model_stats": known})


def _add_routes(path: str, asked_for: Callable[..., Awaitable[Stored]]) -> None:
    """Add the routes of a model, alone or with an alias, or of one of its versions: whatever the path names."""

    @router.get(path, responses=READ)
    async def model(parts: PartsOf, stored: Annotated[Stored, Depends(asked_for)]) -> Response:
        """Describe a model's inputs and outputs."""
        versions = await asyncio.to_thread(parts.store.versions, stored.name)
        return as_json(metadata(stored.name, versions, stored.model))

    @router.get(path + "/ready", responses=READ)
    async def model_ready(stored: Annotated[Stored, Depends(asked_for)]) -> Response:
        """Tell that a model can answer: it is loaded now."""
        return as_json({"name": stored.name, "ready": True})

    @router.get(path + "/config", responses=READ)
    async def model_config(stored: Annotated[Stored, Depends(asked_for)]) -> Response:
        """Describe a model as Triton's configuration does."""
        return as_json(config(stored.name, stored.model))

    @router.get(path + "/stats", responses=READ)
    async def model_statistics(parts: PartsOf, stored: Annotated[Stored, Depends(asked_for)]) -> Response:
        """Tell how often this process was asked for a version through this protocol, and how long that took."""
        key = stored.name, stored.version
        return as_json({"model_stats": [told_of(key, parts.statistics.of(*key))]})

    @router.post(path + "/infer", responses=ANSWERED, openapi_extra=TENSORS)
    async def infer(
        parts: PartsOf, request: Request, stored: Annotated[Stored, Depends(asked_for)], body: OctetsBody
    ) -> Response:
        """Answer rows that are tensors, in JSON or as octets behind it."""
        return await _infer(parts, request, stored, body)


_add_routes("/models/{name}", meant)
_add_routes("/models/{name}/versions/{version}", one_version)


async def _infer(parts: Parts, request: Request, stored: Stored, body: Body) -> Response:
    with parts.statistics.counted(stored.name, stored.version) as counted:
        header = request.headers.get(inference.HEADER)
        asked = await parts.answer(len(body.data), inference.read, body.data, header, stored.model)
        rows = asked.tensors[0].shape[0]
        counted.has_read(rows)
        body.caller.take("rows", rows)
        stated = asked.request.parameters.get("timeout")
        seconds = min(stated, LONGEST * 10**6) / 10**6 if type(stated) is int and stated > 0 else None
        patience = Patience(seconds_of(body.timeout, seconds), body.is_left)
        work = work_of(len(body.data), rows, stored.model)
        answered = await parts.answer_patiently(patience, work, _answer, asked, stored, parts)
    length = answered.header_length
    headers = {} if length is None else {inference.HEADER: str(length)}
    media_type = "application/json" if length is None else OCTETS
    content, coding = answered.body, coding_of(request)
    if coding is not None:
        content = await parts.answer(WORK_OF_COMPRESSION * len(content), COMPRESSIONS[coding], content)
        headers["content-encoding"] = coding
    return Response(content, headers=headers, media_type=media_type)


def _answer(go_on: GoOn, asked: inference.Asked, stored: Stored, parts: Parts) -> inference.Answered:
    X = inference.cells(asked, stored.model, parts.limits.bounds)
    require_answerable(stored.model, len(X), Wanted(), parts.limits.answers)
    answered = inference.written(asked, stored, X, go_on)
    parts.count(stored, X)
    return answered
