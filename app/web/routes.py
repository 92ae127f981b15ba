"""The routes of the page: the page itself, its files, and a plain one that needs neither a build nor JavaScript."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from app.api.bodies import ShortBody
from app.api.parts import PartsOf
from app.web.files import DOCS, INDEX, BuiltFile, built
from app.web.plain import UNDOCUMENTED, PlainPage, answered, document

router = APIRouter(include_in_schema=False)

NOTHING_ELSE = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
OWN_ONLY = f"{NOTHING_ELSE}; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
HEADERS = {"referrer-policy": "same-origin", "cache-control": "no-cache", "vary": "Accept, Accept-Encoding"}
GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")  # taken, unless it is said not to be
FOREVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "Accept-Encoding"}  # its name has its hash


@router.get("/")
async def home(request: Request, parts: PartsOf) -> Response:
    """Show people the page, or the plain one where it was not built; tell programs that the service is there."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"status": "alive"}, headers={"vary": "Accept"})
    parts.jobs.prepare()
    return _page(request, INDEX)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show all routes, to be tried out."""
    return _page(request, DOCS, UNDOCUMENTED)


@router.get("/assets/{file}")
async def asset(request: Request, file: Annotated[str, Path()]) -> Response:
    """Send a file of the page, which never changes under its name."""
    found = built(f"assets/{file}")
    if found is None:
        raise HTTPException(404)
    return _sent(request, found, FOREVER)


@router.get("/plain")
async def plain() -> Response:
    """Show a form that trains and asks without JavaScript."""
    return _plain(document())


@router.post("/plain")
async def plain_answer(request: Request, body: ShortBody) -> Response:
    """Do what the form says: train on a table, or ask a model."""
    return _plain(await answered(request, body.data))


def _page(request: Request, name: str, missing: str = "") -> Response:
    """Send a page, or the plain one, which says what is missing and how to build it."""
    page = built(name)
    if page is None:
        return _plain(document(missing))
    return _sent(request, page, HEADERS | {"content-security-policy": OWN_ONLY})


def _sent(request: Request, file: BuiltFile, headers: dict[str, str]) -> Response:
    if GZIP.search(request.headers.get("accept-encoding", "")):
        return Response(file.compressed, headers=headers | {"content-encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _plain(page: PlainPage) -> Response:
    policy = f"{NOTHING_ELSE}; style-src 'sha256-{page.style_hash}'"
    return HTMLResponse(page.html, page.status, headers=HEADERS | {"content-security-policy": policy})
