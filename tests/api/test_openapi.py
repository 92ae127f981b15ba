"""The OpenAPI document: what it promises of every answer, and where it leads from there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.api.openapi_answers import OF_A_BODY, OF_A_KEY, OF_ANY_REQUEST
from app.main import create_app
from app.settings import Settings
from tests.conftest import TUTORIAL

Operations = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def document(settings: Settings) -> Any:
    return json.loads(json.dumps(create_app(settings).openapi()))


@pytest.fixture
def operations(document: Any) -> Operations:
    return [(path, method, told) for path, methods in document["paths"].items() for method, told in methods.items()]


def referred(told: object) -> Iterator[str]:
    match told:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for part in told.values():
                yield from referred(part)
        case list():
            for part in told:
                yield from referred(part)


def test_every_reference_leads_somewhere(document: Any) -> None:
    """None in the document, and no part of it is there for nothing."""
    references = set(referred(document))
    components = {f"#/components/{kind}/{name}" for kind, parts in document["components"].items() for name in parts}

    assert references <= components
    assert {name for name in components - references if "/securitySchemes/" not in name} == set()


def test_two_applications_say_the_same(document: Any, settings: Settings) -> None:
    """Making one document changes nothing that another is made of."""
    assert json.loads(json.dumps(create_app(settings).openapi())) == document


def test_every_way_to_be_refused_is_told(operations: Operations) -> None:
    """Any request, any body and any key may be; 422 where more than the path can be wrong, and in no `/v1`, `/v2`."""
    for path, method, operation in operations:
        told = {int(status) for status in operation["responses"]}
        assert told >= set(OF_ANY_REQUEST)
        assert told >= set(OF_A_BODY) or "requestBody" not in operation, (method, path)
        assert told >= set(OF_A_KEY) or "security" not in operation, (method, path)
        assert 404 in told or "{" not in path, (method, path)
        assert 422 not in told or not path.startswith(("/v1/", "/v2")), (method, path)
    answers = {(path, method): operation["responses"] for path, method, operation in operations}
    assert "422" not in answers["/models/{name}/versions/{version}", "get"]
    assert "422" in answers["/jobs/{job_id}", "get"]  # which takes max_points


def test_refusals_have_the_form_of_their_protocol(operations: Operations, document: Any) -> None:
    """Problems; `{"error": …}` below `/v1` and `/v2`; each says its id, and one that passes when to come back."""
    for path, method, operation in operations:
        foreign = path.startswith(("/v1/", "/v2"))
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                continue
            refusal = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert list(refusal["content"]) == ["application/json" if foreign else "application/problem+json"], path
            assert "x-request-id" in refusal["headers"]
            assert ("retry-after" in refusal["headers"]) is (status in {"429", "503"}), (method, path)


async def test_links_lead_to_what_was_made(client: httpx.AsyncClient, document: Any) -> None:
    """Followed from the answer that has them: each path names what is there, and each body is taken."""
    by_id = {
        told["operationId"]: (path, method) for path, ops in document["paths"].items() for method, told in ops.items()
    }
    job = await client.post("/train", json=TUTORIAL, params={"wait": 0})
    made = [
        (("/datasets", "post"), await client.post("/datasets", json=TUTORIAL["rows"])),
        (("/train", "post"), await client.post("/train", json=TUTORIAL)),
        (("/models/{name}/aliases/{alias}", "put"), await client.put("/models/exam/aliases/best", json={"version": 1})),
        (("/train", "post"), job),
    ]
    followed = 0

    for (path, method), answer in made:
        links = document["paths"][path][method]["responses"][str(answer.status_code)]["links"]
        for operation, reference in links.items():
            link = document["components"]["links"][reference["$ref"].rpartition("/")[2]]
            to, by = by_id[operation]
            assert link["operationId"] == operation
            names = {name: read(where, answer.json()) for name, where in link["parameters"].items()}
            assert set(names) <= set(re.findall(r"{(\w+)}", to))
            body = {name: read(where, answer.json()) for name, where in link.get("requestBody", {}).items()}
            if by == "get":
                told = await client.get(to.format(**names), params={"weights": False} if "events" in to else None)
                assert told.status_code == 200, (to, told.text)
            elif body:
                told = await client.request(by, to.format(alias="other", **names), json=body)
                assert told.status_code in {200, 201}, (to, told.text)
            followed += 1

    assert followed > 20


def read(where: str, answer: Any) -> Any:
    """Follow an expression such as `$response.body#/columns/0/name`."""
    for step in where.removeprefix("$response.body#/").split("/"):
        answer = answer[int(step) if step.isdecimal() else step]
    return answer
