"""Answering as other servers do: JSON of any shape, compressed as it is asked for."""

import gzip
import zlib
from collections.abc import Callable, Mapping
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


def compressed(request: Request, body: bytes, headers: Mapping[str, str], media_type: str) -> Response:
    """Compress an answer where exactly one way is asked for: clients that list several take it as it is, too."""
    asked = request.headers.get("accept-encoding", "").strip().lower()
    compress = COMPRESSIONS.get(asked)
    if compress is None:
        return Response(body, headers=dict(headers), media_type=media_type)
    return Response(compress(body), headers={**headers, "content-encoding": asked}, media_type=media_type)
