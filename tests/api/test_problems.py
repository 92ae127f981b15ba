"""Problems: their form, their size, and that nothing a client sends is a 5xx."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import errors
from app.api.problems import KINDS, kind_of
from app.main import create_app
from app.settings import Settings
from tests.api.problem import TABLE, problem
from tests.conftest import client_of


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/models/nothing", 404),
        ("GET", "/models/..%2f..%2fetc", 404),
        ("GET", "/models/%2e%2e/versions/1", 404),
        ("GET", "/models/exam/versions/0", 404),
        ("GET", "/models/exam/versions/one", 404),
        ("GET", "/models/exam%00", 404),
        ("GET", "/models/" + "x" * 5000, 404),
        ("DELETE", "/models/nothing", 404),
        ("DELETE", "/models/nothing/versions/1", 404),
        ("GET", "/jobs/nothing", 404),
        ("GET", "/models/", 404),
        ("POST", "/train/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/problems/nothing", 404),
        ("GET", "/models?limit=0", 422),
        ("GET", "/models?limit=many", 422),
        ("POST", "/train?wait=nan", 422),
        ("POST", "/train?wait=-1", 422),
        ("GET", "/models/exam/history?max_points=0", 404),
    ],
)
async def test_paths_that_lead_nowhere_are_problems_too(
    method: str, path: str, status: int, client: httpx.AsyncClient
) -> None:
    """Unknown, malformed, hostile: never a redirect, never a 5xx."""
    assert (await problem(client, path, b"{}", method))["status"] == status


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    """405 with every method of the path, not only the first route's."""
    response = await client.put("/models/exam")

    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert "DELETE, GET, HEAD, PATCH" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"X": [["é" * 10_000 + str(row)] for row in range(50)], "y": [1] * 50},
        {"rows": [{"k" * 9000 + str(row): 1} for row in range(50)], "target": "y"},
        {"rows": [{"kk" * 60 + str(column): 1 for column in range(50)}], "target": "secret" * 2000},
        {"X": [[1] * 30], "y": [1], "columns": ["w" * 500 + str(column) for column in range(30)]},
        {f"unknown{'z' * 500}{key}": 1 for key in range(50)},
        {"training": {f"unknown{'z' * 500}{key}": 1 for key in range(50)}},
        {"name": "n" * 1_000_000, "X": [[1]], "y": [1]},
        {"tags": {"t" * 999: 5}},
        {"tags": {"k": "v" * 9999}, "description": "d" * 9999},
        {"model": "m" * 100_000, "X": [1]},
    ],
)
async def test_little_of_what_was_sent_comes_back(body: Any, client: httpx.AsyncClient) -> None:
    """An answer repeats at most 200 bytes of the request, however long and however many the faults."""
    for path in ("/train", "/predict"):
        response = await client.post(path, json=body)

        faults = response.json().get("errors", [])
        places = {fault.get(part, "") for fault in faults for part in ("column", "field")}
        quoted = [*places, *(fault.get("got", "") for fault in faults), response.json()["detail"]]
        repeated = sum(len((letter * words.count(letter)).encode()) for words in quoted for letter in "ékwzxq")
        assert response.status_code in {404, 422}
        assert len(response.content) < 4096
        assert repeated <= 200
        assert "secret" * 20 not in response.text


async def test_too_long_a_body_is_refused_before_it_is_read(settings: Settings) -> None:
    """By its announced length, or as soon as it grows past the limit."""

    async def growing() -> Any:
        for _ in range(100):
            yield b"[" * 100

    async with client_of(settings.model_copy(update={"train_bytes": 1000, "predict_bytes": 500})) as client:
        announced = await client.post("/train", content=b" " * 1001)
        streamed = await client.post("/train", content=growing())
        question = await client.post("/predict", content=b" " * 501)
        just_fits = await client.post("/train", content=b'{"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}')

    assert announced.status_code == streamed.status_code == question.status_code == 413
    assert announced.json()["type"] == "/problems/body-too-large"
    assert just_fits.status_code == 201


async def test_what_is_announced_as_too_long_is_not_read_at_all(settings: Settings) -> None:
    """Its sender learns so at once."""
    read: list[bytes] = []

    async def body() -> Any:
        read.append(b" ")
        yield read[-1]

    async with client_of(settings.model_copy(update={"train_bytes": 1000})) as client:
        response = await client.post("/train", content=body(), headers={"content-length": "1001"})

    assert response.status_code == 413
    assert not read


async def test_a_body_comes_in_a_bounded_number_of_chunks(client: httpx.AsyncClient) -> None:
    """A hundred thousand are more than a body of this size needs, however short they are."""
    body = json.dumps(TABLE | {"training": {"epochs": 1}}).encode()

    async def chunks(count: int) -> Any:
        for _ in range(count):
            yield b" "
        yield body

    many = await client.post("/train", content=chunks(50_000))
    too_many = await client.post("/train", content=chunks(100_000))

    assert many.status_code == 201
    assert too_many.status_code == 413
    assert too_many.json()["type"] == "/problems/body-too-large"
    assert "100000 chunks" in too_many.json()["detail"]


def all_errors(base: type[errors.NetletError] = errors.NetletError) -> Iterator[type[errors.NetletError]]:
    for error in base.__subclasses__():
        yield error
        yield from all_errors(error)


@pytest.mark.parametrize("error", list(all_errors()))
def test_every_error_has_a_place_in_the_table_and_in_the_tree(error: type[errors.NetletError]) -> None:
    """Errors that are raised have a status; all are drawn in the tree of app.errors."""
    assert error.__name__ in (errors.__doc__ or "")
    if not error.__subclasses__():
        assert kind_of(error.__new__(error)) is KINDS[error]


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=lambda kind: kind.slug)
async def test_every_type_of_problem_leads_to_an_explanation(kind: Any, client: httpx.AsyncClient) -> None:
    """The `type` of a problem is a page."""
    response = await client.get(f"/problems/{kind.slug}")

    assert response.status_code == 200
    assert kind.title in response.text


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=lambda kind: kind.slug)
def test_whatever_passes_says_when_to_try_again(kind: Any) -> None:
    """429 and 503 carry Retry-After; what stays wrong does not."""
    assert (kind.retry_after is not None) is (kind.status in {429, 503})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "name": JSON,
        "rows": JSON | st.lists(st.dictionaries(st.sampled_from("aby"), JSON)),
        "target": st.just("y") | JSON,
        "X": st.lists(st.lists(JSON, max_size=3), max_size=4) | JSON,
        "y": st.lists(JSON, max_size=4) | JSON,
        "columns": JSON,
        "model": st.just("exam") | JSON,
        "network": JSON,
        "training": st.just({"epochs": 1}) | JSON,
        "scaling": JSON,
        "preset": st.just("tutorial") | JSON,
        "tags": JSON,
        "proba": JSON,
    },
)


@given(body=REQUESTS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_json_gives_a_5xx(body: Any, client: httpx.AsyncClient) -> None:
    """Whatever is sent, the sender is told what is wrong with it, or gets what was asked for."""
    for path in ("/train", "/predict", "/models/exam/predict"):
        response = await client.post(path, content=json.dumps(body).encode(errors="replace"))

        assert response.status_code in {200, 201, 400, 404, 422}, (path, body, response.text)
        if response.status_code >= 400:
            assert len(response.content) < 4096
            assert response.headers["content-type"] == "application/problem+json"


async def test_a_prediction_has_a_longest_answer(settings: Settings) -> None:
    """Rows times labels, or weights: what would be longer is refused before it is computed."""
    async with client_of(settings.model_copy(update={"most_answers": 10})) as client:
        body = {"name": "abc", "X": [[1], [2], [3]], "y": ["a", "b", "c"], "training": {"epochs": 1}}
        (await client.post("/train", json=body)).raise_for_status()

        fits = await client.post("/predict", json={"model": "abc", "X": [[1]] * 3})
        too_long = await problem(client, "/predict", {"model": "abc", "X": [[1]] * 4})
        weights = await problem(client, "/models/abc/weights", b"", "GET")

    assert fits.status_code == 200
    assert too_long["status"] == weights["status"] == 413
    assert "12 numbers; this service sends 10 at most" in too_long["detail"]


async def test_what_nobody_foresaw_is_a_500_with_an_id_to_quote(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """No trace of it leaves the service; the log has it all."""
    app = create_app(settings)

    @app.get("/boom")
    async def boom() -> None:
        message = "secret detail"
        raise RuntimeError(message)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://netlet") as client,
    ):
        answer = await problem(client, "/boom", b"", "GET")

    assert answer["status"] == 500
    assert "secret" not in json.dumps(answer)
    assert answer["request_id"] in caplog.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://netlet"}, 201),
        ({"sec-fetch-site": "none"}, 201),
        ({}, 201),
    ],
)
async def test_pages_of_other_sites_change_nothing(
    headers: dict[str, str], status: int, client: httpx.AsyncClient
) -> None:
    """What a browser sends for a foreign page is refused; everybody else is served."""
    response = await client.post("/train", json=TABLE | {"training": {"epochs": 1}}, headers=headers)

    assert response.status_code == status
    assert (await client.get("/models", headers=headers)).status_code == 200
