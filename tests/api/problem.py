"""What tests of errors share: sending something and checking the form of the problem it is answered with."""

import json
from typing import Any

import httpx
import pytest

TABLE: dict[str, Any] = {"X": [[1, 2], [3, 4]], "y": [1, 2]}


async def problem(
    client: httpx.AsyncClient, path: str, body: Any, method: str = "POST", *, kind: str = ""
) -> dict[str, Any]:
    """Send a body (as it is, if bytes; of a kind, if one is said) and give the problem it is answered with.

    It is checked for its form.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": kind} if kind else {}
    response = await client.request(method, path, content=content, headers=headers)
    answer: dict[str, Any] = json.loads(response.content, parse_constant=pytest.fail)  # no NaN, no Infinity
    assert response.headers["content-type"] == "application/problem+json"
    assert answer["status"] == response.status_code
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["title"]
    assert answer["detail"]
    assert len(response.content) < 4096
    return answer
