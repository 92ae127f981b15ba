"""Caching: answers about a version stay as they are as long as it is there, so that nobody need ask for them twice."""

import hashlib
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from app import __version__
from app.store.store import Stored

FIXED, CHECKED = "max-age=86400", "no-cache"  # what a name means may change, what a version is does not


async def answer_once(request: Request, stored: Stored, make: Callable[[], Awaitable[Response]]) -> Response:
    """Answer what depends on a version and the address alone: 304, where the client has it already (RFC 9110)."""
    tag = entity_tag(request, stored)
    has_it = tag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    response = Response(status_code=304) if has_it else await make()
    response.headers["etag"] = tag
    response.headers["cache-control"] = FIXED if "version" in request.path_params else CHECKED
    response.headers["vary"] = "Accept"
    return response


def entity_tag(request: Request, stored: Stored) -> str:
    """Name an answer by all that it depends on."""
    of = (__version__, stored.name, stored.version, stored.sha256, request.url.path.rpartition("/")[2])
    asked = (*of, str(request.query_params), request.headers.get("accept", ""))
    return f'"{hashlib.sha256(repr(asked).encode()).hexdigest()[:32]}"'
