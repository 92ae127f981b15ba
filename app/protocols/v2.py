"""The Open Inference Protocol V2, with Triton's extensions: what its clients ask of any server, asked of this one."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app import __version__
from app.api.bodies import Body, octets_body
from app.api.openapi import NameInPath
from app.api.parts import PartsOf, work_of
from app.api.patience import Patience, seconds_of
from app.api.problems import documented
from app.engine.control import GoOn
from app.protocols import inference
from app.protocols.answering import as_json, compressed
from app.protocols.described import PLATFORM, config, metadata
from app.serving.statistics import told_of
from app.store.store import Stored
from app.tables.bounds import Bounds

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "parameters", "statistics"]
MICROSECONDS = 1e-6

router = APIRouter(prefix="/v2", tags=["v2"])


async def asked_for(parts: PartsOf, request: Request, name: NameInPath) -> Stored:
    """Find what the path names: a model, alone or with an alias, or one of its versions."""
    version = request.path_params.get("version")
    return await parts.loaded.find(name if version is None else f"{name}/{version}")


AskedFor = Annotated[Stored, Depends(asked_for)]
OctetsBody = Annotated[Body, Depends(octets_body)]


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
    """Tell that the store can be used."""
    await asyncio.to_thread(parts.store.require_usable)
    return as_json({"ready": True, "live": True})


@router.get("/models", responses=documented(503))
async def models(parts: PartsOf) -> Response:
    """List all models by name."""
    listed = await asyncio.to_thread(parts.store.all_versions)
    return as_json({"models": sorted({name for name, _ in listed})})


@router.get("/models/stats")
async def all_statistics(parts: PartsOf) -> Response:
    """Tell what is known of every version that this process was asked for through this protocol."""
    return as_json({"model_stats": [told_of(*known) for known in parts.statistics.known()]})


@router.get("/models/{name}", responses=documented(404, 409, 503))
@router.get("/models/{name}/versions/{version}", responses=documented(404, 409, 503))
async def model(parts: PartsOf, stored: AskedFor) -> Response:
    """Describe a model's inputs and outputs."""
    versions = await asyncio.to_thread(parts.store.versions, stored.name)
    return as_json(metadata(stored.name, versions, stored.model))


@router.get("/models/{name}/ready", responses=documented(404, 409, 503))
@router.get("/models/{name}/versions/{version}/ready", responses=documented(404, 409, 503))
async def model_ready(stored: AskedFor) -> Response:
    """Tell that a model can answer: it is loaded now."""
    return as_json({"name": stored.name, "ready": True})


@router.get("/models/{name}/config", responses=documented(404, 409, 503))
@router.get("/models/{name}/versions/{version}/config", responses=documented(404, 409, 503))
async def model_config(stored: AskedFor) -> Response:
    """Describe a model as Triton's configuration does."""
    return as_json(config(stored.name, stored.model))


@router.get("/models/{name}/stats", responses=documented(404, 409, 503))
@router.get("/models/{name}/versions/{version}/stats", responses=documented(404, 409, 503))
async def model_statistics(parts: PartsOf, stored: AskedFor) -> Response:
    """Tell how often this process was asked for a version through this protocol, and how long that took."""
    key = stored.name, stored.version
    return as_json({"model_stats": [told_of(key, parts.statistics.of(*key))]})


@router.post("/models/{name}/infer", responses=documented(400, 403, 404, 409, 413, 415, 503, 504))
@router.post("/models/{name}/versions/{version}/infer", responses=documented(400, 403, 404, 409, 413, 415, 503, 504))
async def infer(parts: PartsOf, request: Request, stored: AskedFor, body: OctetsBody) -> Response:
    """Answer rows that are tensors, in JSON or as octets behind it."""
    with parts.statistics.counted(stored.name, stored.version) as counted:
        header = request.headers.get(inference.HEADER)
        asked = await parts.answer(len(body.data), inference.read, body.data, header, stored.model)
        rows = asked.tensors[0].shape[0]
        counted.has_read(rows)
        stated = asked.request.parameters.get("timeout")
        seconds = stated * MICROSECONDS if type(stated) is int and stated > 0 else None
        patience = Patience(seconds_of(body.timeout, seconds), body.is_left)
        work = work_of(len(body.data), rows, stored.model)
        answered = await parts.answer_patiently(patience, work, _answer, asked, stored, parts.limits.bounds)
    length = answered.header_length
    headers = {} if length is None else {inference.HEADER: str(length)}
    media_type = "application/json" if length is None else "application/octet-stream"
    return compressed(request, answered.body, headers, media_type)


def _answer(go_on: GoOn, asked: inference.Asked, stored: Stored, bounds: Bounds) -> inference.Answered:
    X = inference.cells(asked, stored.model, bounds)
    return inference.written(asked, stored, X, go_on)
