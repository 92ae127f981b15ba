"""Whether the service runs, whether it can work, and what its problems mean."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app.api.access import require_scope
from app.api.answers import as_json
from app.api.measuring import require_ready
from app.api.parts import PartsOf
from app.api.problems import KINDS, documented
from app.api.readiness import Readiness, reported

Verbose = Annotated[
    str | None, Query(description="Whether all that is known is told, to who may read metrics: `?verbose` says so.")
]
NOT_READY = documented(401, 403, 429, 503)
NOT_READY[503]["content"] |= {"application/json": {"schema": {"$ref": "#/components/schemas/Readiness"}}}

router = APIRouter(tags=["run"])


class Health(BaseModel):
    """The answer to a probe."""

    status: Literal["ok"] = "ok"


@router.get("/livez")
async def livez() -> Health:
    """Tell that the process runs and its event loop turns."""
    return Health()


@router.get("/readyz", response_model=Health | Readiness, responses=NOT_READY)
async def readyz(parts: PartsOf, request: Request, verbose: Verbose = None) -> Response:
    """Tell that the service is not about to end, its store and catalogue can be used, and its disk is not full."""
    if verbose in {None, "false", "0"}:
        await require_ready(parts)
        return as_json(Health())
    await require_scope(request, "metrics")
    return await reported(parts)


@router.get("/problems/{slug}", include_in_schema=False)
async def problem(slug: str) -> Response:
    """Explain a kind of problem, for whoever follows its `type`."""
    for error, kind in KINDS.items():
        if kind.slug == slug:
            return PlainTextResponse(f"{kind.title} ({kind.status})\n\n{error.__doc__}\n")
    raise HTTPException(404)
