"""TensorFlow Serving's V1 protocol, as KServe has it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from starlette.convertors import Convertor, register_url_convertor

from app.api.bodies import OctetsBody
from app.api.named import meant
from app.api.parts import CallerOf, PartsOf
from app.api.problems import documented
from app.protocols.answering import as_json, rows_as
from app.protocols.rows import explanations, predictions
from app.store.store import Stored

router = APIRouter(prefix="/v1/models", tags=["v1"])
NAMES = ("instances", "inputs")  # that rows are sent by
INSTANCES = rows_as("instances")
ANSWERED = documented(400, 403, 404, 409, 413, 415, 503, 504)


@router.get("", responses=documented(503))
async def models(parts: PartsOf, caller: CallerOf) -> Response:
    """List all models by name."""
    listed = await asyncio.to_thread(parts.store.all_versions)
    return as_json({"models": sorted({name for name, _ in listed if caller.sees(name)})})


@router.post("/{name}:predict", responses=ANSWERED, openapi_extra=INSTANCES)
async def predict(parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody) -> Response:
    """Answer rows that are sent as `instances`: lists in the order of the columns, or objects."""
    return await predictions(parts, body, stored, NAMES)


@router.post("/{name}:explain", responses=ANSWERED, openapi_extra=INSTANCES)
async def explain(parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody) -> Response:
    """Tell what each column adds to the answers, against a row in the middle of what the model was trained on."""
    return await explanations(parts, body, stored, NAMES)


class WithoutColon(Convertor[str]):
    """The last word of a path that asks for nothing else behind a colon."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """Take it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Write it as it is."""
        return value


register_url_convertor("without_colon", WithoutColon())


@router.get("/{name:without_colon}", responses=documented(404, 409, 503))
async def model(stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Tell that a model can answer: it is loaded now."""
    return as_json({"name": stored.name, "ready": True})
