"""Whether the service runs, whether it can work, and what its problems mean."""

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app.api.measuring import require_ready
from app.api.parts import PartsOf
from app.api.problems import KINDS, documented

router = APIRouter(tags=["run"])


class Health(BaseModel):
    """The answer to a probe."""

    status: Literal["ok"] = "ok"


@router.get("/livez")
async def livez() -> Health:
    """Tell that the process runs and its event loop turns."""
    return Health()


@router.get("/readyz", responses=documented(503))
async def readyz(parts: PartsOf) -> Health:
    """Tell that the store and its catalogue can be used, and that its disk is not full."""
    await require_ready(parts)
    return Health()


@router.get("/problems/{slug}", include_in_schema=False)
async def problem(slug: str) -> Response:
    """Explain a kind of problem, for whoever follows its `type`."""
    for error, kind in KINDS.items():
        if kind.slug == slug:
            return PlainTextResponse(f"{kind.title} ({kind.status})\n\n{error.__doc__}\n")
    raise HTTPException(404)
