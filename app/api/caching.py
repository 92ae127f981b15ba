"""Caching: answers about a version stay as they are as long as it is there, so that nobody need ask for them twice."""

import hashlib
import re
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from app import __version__
from app.api.conditions import ANY, TAG
from app.store.store import Stored

FIXED, CHECKED = "max-age=86400", "no-cache"  # what a name means may change, what a version is does not


async def answer_once(request: Request, stored: Stored, make: Callable[[], Awaitable[Response]]) -> Response:
    """Answer what depends on a version and the address alone: 304, where the client has it already (RFC 9110)."""
    tag = entity_tag(request, stored)
    had = tags_had(request)
    response = Response(status_code=304) if tag in had else await make()
    if ANY in had:
        response = Response(status_code=304)  # whatever it would have been, now that it is known to be something
    response.headers["etag"] = tag
    response.headers["cache-control"] = FIXED if "version" in request.path_params else CHECKED
    response.headers["vary"] = "Accept"
    return response


def tags_had(request: Request) -> set[str]:
    """Read the tags of what the client has, or that it wants nothing whatever that is; none where it says none."""
    lines = ",".join(request.headers.getlist("if-none-match"))  # which are one list, as many as they are
    return {ANY} if lines.strip() == ANY else {tag.removeprefix("W/") for tag in re.findall(TAG, lines)}


def entity_tag(request: Request, stored: Stored) -> str:
    """Name an answer by all that it depends on."""
    of = (__version__, stored.name, stored.version, stored.sha256, request.url.path.rpartition("/")[2])
    asked = (*of, str(request.query_params), request.headers.get("accept", ""))
    return f'"{hashlib.sha256(repr(asked).encode()).hexdigest()[:32]}"'
