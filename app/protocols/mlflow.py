"""MLflow's scoring protocol: its clients know one model a server, so that a model's own address is one for them."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.access.keyring import Caller
from app.api.bodies import OctetsBody
from app.api.measuring import require_ready
from app.api.named import meant
from app.api.parts import Parts, PartsOf
from app.api.problems import documented
from app.errors import InvalidRequest
from app.faults import Fault
from app.protocols.answering import rows_as
from app.protocols.rows import predictions
from app.store.listing import places
from app.store.store import Stored

router = APIRouter(tags=["mlflow"])
ANSWERED = documented(400, 403, 404, 409, 413, 415, 422, 503, 504)


@router.get("/ping", responses=documented(503))
@router.get("/health", include_in_schema=False)
async def ping(parts: PartsOf) -> Response:
    """Tell that the store can be used."""
    await require_ready(parts)
    return Response(b"{}\n", media_type="application/json")


@router.get("/models/{name}/ping", responses=documented(404, 409, 503))
@router.get("/models/{name}/health", include_in_schema=False)
async def ping_model(stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Tell that a model can answer: it is loaded now."""
    return Response(b"{}\n", headers={"x-model": f"{stored.name}/{stored.version}"}, media_type="application/json")


@router.post("/models/{name}/invocations", responses=ANSWERED, openapi_extra=rows_as("inputs"))
async def invoke_model(parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody) -> Response:
    """Answer rows that are sent as MLflow's clients do, with the model that the path names."""
    return await predictions(parts, body, stored)


@router.post("/invocations", responses=ANSWERED, openapi_extra=rows_as("inputs"))
async def invoke(parts: PartsOf, body: OctetsBody, model: str | None = None) -> Response:
    """Answer rows that are sent as MLflow's clients do, with the model that the address names, or the only one."""
    name = await asyncio.to_thread(_only, parts, body.caller) if model is None else model
    body.caller.require_model(name)
    return await predictions(parts, body, await parts.loaded.find(name))


def _only(parts: Parts, caller: Caller) -> str:
    found = places(parts.store.catalogue, grant=caller.grant, limit=2)
    if len(found) != 1:
        message = "There is not exactly one model. Name one, as in /invocations?model=exam or /models/exam/invocations."
        raise InvalidRequest(message, [Fault("a model's name", field="model")])
    return found[0].name
