"""A model leaves: as a program, as ONNX, as one JSON document, or as the file that it is."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.caching import tags_had
from app.api.conditions import ANY
from app.api.named import meant, one_version
from app.api.parts import Parts, PartsOf
from app.api.patience import Patience, PatienceOf
from app.api.problems import documented
from app.engine.choices import OneOf
from app.export.formats import FORMATS, export
from app.store.store import Stored

TAKEN_AWAY = documented(404, 409, 413, 422, 501, 503, 504)
WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, which answered the probe rows as the server does",
        "content": {
            form.media_type: {"schema": {"type": "object" if form.media_type == "application/json" else "string"}}
            for form in FORMATS.values()
        },
        "headers": {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in {
                "x-max-difference": "How far its answers are from the server's at most",
                "x-checked-rows": "How many rows it was tried on",
                "x-checked-by": "What it ran in",
            }.items()
        },
    }
}

READ = documented(404, 409, 503)
OCTETS = "application/octet-stream"
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {"etag": {"description": "Its SHA-256, in quotes", "schema": {"type": "string"}}},
    },
    304: {"description": "It is the one that If-None-Match names"},
}

router = APIRouter(prefix="/models", tags=["export"])

FormatOf = Annotated[str, OneOf(FORMATS), Query(alias="format", description="What the file is.", examples=["python"])]


@router.get("/{name}/export", response_class=Response, responses=TAKEN_AWAY | WRITTEN)
async def export_model(
    parts: PartsOf, patience: PatienceOf, stored: Annotated[Stored, Depends(meant)], form: FormatOf
) -> Response:
    """Take the version that the name means away, as a file that answers by itself."""
    return await _exported(parts, patience, stored, form)


@router.get("/{name}/versions/{version}/export", response_class=Response, responses=TAKEN_AWAY | WRITTEN)
async def export_version(
    parts: PartsOf, patience: PatienceOf, stored: Annotated[Stored, Depends(one_version)], form: FormatOf
) -> Response:
    """Take one version away, as a file that answers by itself."""
    return await _exported(parts, patience, stored, form)


@router.get("/{name}/snapshot", response_class=Response, responses=READ | FILE)
async def model_snapshot(request: Request, parts: PartsOf, stored: Annotated[Stored, Depends(meant)]) -> Response:
    """Give the file of the version that the name means, which another netlet takes in; its ETag is its SHA-256."""
    return await _file(request, parts, stored)


@router.get("/{name}/versions/{version}/snapshot", response_class=Response, responses=READ | FILE)
async def version_snapshot(
    request: Request, parts: PartsOf, stored: Annotated[Stored, Depends(one_version)]
) -> Response:
    """Give the file of one version, which another netlet takes in; its ETag is its SHA-256."""
    return await _file(request, parts, stored)


async def _file(request: Request, parts: Parts, stored: Stored) -> Response:
    tag = f'"{stored.sha256}"'
    headers = {"etag": tag, "x-model": f"{stored.name}/{stored.version}"}
    if tags_had(request) & {tag, ANY}:
        return Response(status_code=304, headers=headers)
    data = await asyncio.to_thread(parts.store.file, stored.name, stored.version)
    headers["content-disposition"] = f'attachment; filename="{stored.name}-{stored.version}.safetensors"'
    return Response(data, headers=headers, media_type=OCTETS)


async def _exported(parts: Parts, patience: Patience, stored: Stored, form: str) -> Response:
    made = await parts.export_patiently(patience, lambda go_on: export(stored, form, parts.limits.answers, go_on))
    headers = {
        "content-disposition": f'attachment; filename="{made.name}"',
        "x-max-difference": repr(made.difference),
        "x-checked-rows": str(made.rows),
        "x-checked-by": made.by,
        "x-model": f"{stored.name}/{stored.version}",
    }
    return Response(made.data, headers=headers, media_type=made.media_type)
