"""Answering as other servers do: JSON of any shape, compressed as it is asked for."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def rows_as(name: str) -> dict[str, Any]:
    """Describe for OpenAPI rows that are sent under a name."""
    schema = {"type": "object", "properties": {name: {"type": "array", "items": {}}}}
    content = {"application/json": {"schema": schema, "example": {name: [[4, 8]]}}}
    return {"requestBody": {"required": True, "content": content}}


def as_json(content: object) -> Response:
    """Write anything as JSON."""
    return Response(to_json(content), media_type="application/json")


def coding_of(request: Request) -> str | None:
    """Tell how an answer is to be compressed: where exactly one way is asked for, since lists say what may be."""
    asked = request.headers.get("accept-encoding", "").strip().lower()
    return asked if asked in COMPRESSIONS else None
