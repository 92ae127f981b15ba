"""Bad input costs one clear answer: what, where, and what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app import errors
from app.api.problems import KINDS, kind_of
from app.engine.network import Architecture
from app.engine.preprocessing import Scaling
from app.engine.training import TrainingConfig
from app.main import create_app
from app.settings import Settings
from tests.conftest import ROWS, TUTORIAL

TABLE: dict[str, Any] = {"X": [[1, 2], [3, 4]], "y": [1, 2]}


async def problem(client: httpx.AsyncClient, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
    """Send a body (as it is, if bytes) and give the problem it is answered with, checked for its form."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.request(method, path, content=content)
    answer: dict[str, Any] = json.loads(response.content, parse_constant=pytest.fail)  # no NaN, no Infinity
    assert response.headers["content-type"] == "application/problem+json"
    assert answer["status"] == response.status_code
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["title"]
    assert answer["detail"]
    assert len(response.content) < 4096
    return answer


def cell(row: int, column: str, got: str, expected: str = "a number") -> dict[str, Any]:
    return {"row": row, "column": column, "got": got, "expected": expected}


FINITE = "a number between -1e100 and 1e100"


@pytest.mark.parametrize(
    ("body", "status", "slug", "faults"),
    [
        (
            {"X": [[1, 2]] * 4, "y": [1, 2, 3]},
            422,
            "table",
            [{"field": "y", "got": "3 values", "expected": "4 values"}],
        ),
        (
            {"X": [[1, 2], [3], [4, 5, 6], 7], "y": [1, 2, 3, 4]},
            422,
            "table",
            [
                {"row": 1, "got": "1 value", "expected": "2 values"},
                {"row": 2, "got": "3 values", "expected": "2 values"},
                {"row": 3, "got": "7", "expected": "a list of 2 values"},
            ],
        ),
        (
            {"rows": [{"a": 1, "b": 2, "y": 3}, {"a": 1, "y": 3}, {"a": 1, "b": 2, "bb": 1, "y": 3}], "target": "y"},
            422,
            "table",
            [
                {"row": 1, "column": "b", "got": "nothing", "expected": "a value for this column"},
                {"row": 2, "column": "bb", "expected": "no such column; is it b?"},
            ],
        ),
        (
            {"X": [["7", True], [None, [1]]], "y": [{}, 2]},
            422,
            "table",
            [
                cell(0, "x1", 'text "7"'),
                cell(1, "x1", "null"),
                cell(0, "x2", "true"),
                cell(1, "x2", "a list"),
                cell(0, "y", "an object"),
            ],
        ),
        ({"rows": [{"a": 1, "y": "x"}, {"a": 1, "y": 2}], "target": "y"}, 422, "table", [cell(0, "y", 'text "x"')]),
        (b'{"X": [[1], [NaN]], "y": [1, 2]}', 400, "not-a-number", [cell(1, "x1", "NaN", FINITE)]),
        (b'{"X": [[1], [2]], "y": [Infinity, 2]}', 400, "not-a-number", [cell(0, "y", "Infinity", FINITE)]),
        (b'{"X": [[1e999], [-1e999]], "y": [1, 2]}', 400, "not-a-number", None),
        (b'{"X": [[1e101], [2]], "y": [1, 2]}', 422, "table", [cell(0, "x1", "a number beyond 1e100", FINITE)]),
        (
            b'{"X": [[' + b"9" * 400 + b'], [2]], "y": [1, 2]}',
            422,
            "table",
            [cell(0, "x1", "a number beyond 1e100", FINITE)],
        ),
        (b'{"X": [[1]], "y": [1], "training": {"learning_rate": NaN}}', 400, "malformed-json", None),
        (
            TABLE | {"training": {"learning_rate": 0}},
            422,
            "validation",
            [{"field": "training.learning_rate", "got": "0", "expected": "greater than 0"}],
        ),
        (TABLE | {"training": {"learning_rate": -0.5}}, 422, "validation", None),
        (
            TABLE | {"training": {"learning_rte": 1}},
            422,
            "validation",
            [{"field": "training.learning_rte", "expected": "no such setting; is it learning_rate?"}],
        ),
        (
            TABLE | {"epochs": 5},
            422,
            "validation",
            [{"field": "epochs", "expected": "no such setting; is it training.epochs?"}],
        ),
        (
            TABLE | {"network": {"learning_rate": 5}},
            422,
            "validation",
            [{"field": "network.learning_rate", "expected": "no such setting; is it training.learning_rate?"}],
        ),
        (
            TABLE | {"training": {"epochs": 100.0}},
            422,
            "validation",
            [{"field": "training.epochs", "got": "100.0", "expected": "integer"}],
        ),
        (TABLE | {"tags": {"k" * 101: "v"}}, 422, "validation", None),
        (TABLE | {"columns": ["a"] * 10_002}, 422, "validation", None),
        (TABLE | {f"k{key}": 1 for key in range(101)}, 422, "validation", None),
        (TABLE | {"training": {f"k{key}": 1 for key in range(101)}}, 422, "validation", None),
        ({"X": [[1], [2]], "y": [2**53, 1], "task": "classification"}, 422, "table", None),
        ({"rows": [{f"c{column}": 1 for column in range(10_001)}], "target": "c1"}, 422, "table", None),
        (TABLE | {"qqqqq": 1}, 422, "validation", [{"field": "qqqqq", "expected": "no such setting"}]),
        (TABLE | {"network": {"activation": "reul"}}, 422, "validation", None),
        (TABLE | {"network": {"hidden": [0]}}, 422, "validation", None),
        (TABLE | {"network": {"hidden": [10**9]}}, 422, "validation", None),
        (TABLE | {"network": "deep"}, 422, "validation", None),
        (TABLE | {"training": {"epochs": 0}}, 422, "validation", None),
        (TABLE | {"training": {"epochs": 10**18}}, 422, "validation", None),
        (TABLE | {"training": {"seed": -1}}, 422, "validation", None),
        (TABLE | {"training": {"seed": 2**53}}, 422, "validation", None),
        (TABLE | {"training": {"epochs": "5"}}, 422, "validation", None),
        (TABLE | {"preset": "unknown"}, 422, "validation", None),
        (TABLE | {"preset": "tutorial", "training": {"epochs": 0}}, 422, "validation", None),
        (TABLE | {"preset": "tutorial", "training": {"optimizer": "adam"}, "target": 5}, 422, "validation", None),
        (
            TABLE | {"name": "../etc"},
            422,
            "validation",
            [{"field": "name", "expected": 'a name such as "exam" or "exam-2026"'}],
        ),
        (
            {"rows": ROWS},
            422,
            "validation",
            [{"field": "target", "expected": 'a column\'s name, as in "target": "score"'}],
        ),
        ({"rows": ROWS, "target": []}, 422, "validation", None),
        (
            {"rows": ROWS, "target": "scor"},
            422,
            "table",
            [{"column": "scor", "field": "target", "expected": "one of the columns; is it score?"}],
        ),
        ({"rows": [{"y": 1}, {"y": 2}], "target": "y"}, 422, "table", None),
        ({"rows": [], "target": "y"}, 422, "table", None),
        ({"X": [], "y": []}, 422, "table", None),
        ({"X": [[]], "y": [1]}, 422, "table", None),
        ({"X": [[1]]}, 422, "validation", None),
        ({"X": [[1]], "y": [1], "rows": ROWS}, 422, "validation", None),
        ({}, 422, "validation", None),
        ([], 422, "validation", None),
        (None, 422, "validation", None),
        ({"X": [[1, 2]], "y": [1], "columns": ["a", "a"]}, 422, "table", None),
        ({"X": [[1, 2]], "y": [1], "columns": ["a", ""]}, 422, "table", None),
        ({"X": [[1, 2]], "y": [1], "columns": ["a", "b\u202e"]}, 422, "table", None),
        ({"X": [[1, 2]], "y": [1], "columns": ["a", "y"]}, 422, "table", None),
        ({"X": [[1, 2]], "y": [1], "columns": ["a"]}, 422, "table", None),
        ({"X": [[1]], "y": [[1, 2]], "target": ["a"]}, 422, "table", None),
        ({"rows": [1, 2], "target": "y"}, 422, "table", None),
        ({"X": [[1], [2], [3]], "y": ["a", "b", 3]}, 422, "table", None),
        ({"X": [[1], [2]], "y": [["a", "b"], ["c", "d"]]}, 422, "target", None),
        ({"X": [[1], [2]], "y": ["a", "a"]}, 422, "target", None),
        ({"X": [[1], [2]], "y": ["a", "b" * 200]}, 422, "table", None),
        ({"X": [[i] for i in range(1001)], "y": [str(i) for i in range(1001)]}, 422, "target", None),
        ({"X": [[1], [2]], "y": [0.5, 1], "task": "classification"}, 422, "table", None),
        ({"X": [[1], [2]], "y": ["a", "b"], "task": "regression"}, 422, "table", None),
        (TABLE | {"network": {"output_activation": "sigmoid"}, "scaling": {"target": "standard"}}, 422, "target", None),
        (TABLE | {"network": {"hidden": [10_000, 10_000]}}, 422, "budget", None),
        (TABLE | {"network": {"hidden": [1000, 1000]}, "training": {"epochs": 10_000_000}}, 422, "budget", None),
        (
            TABLE
            | {
                "network": {"activation": "identity"},
                "training": {"optimizer": "gradient_descent", "learning_rate": 1e6},
            },
            422,
            "diverged",
            None,
        ),
    ],
)
async def test_what_cannot_be_trained_is_named(
    body: Any, status: int, slug: str, faults: list[dict[str, Any]] | None, client: httpx.AsyncClient
) -> None:
    """The status, the kind, and each fault with row, column, what was sent and what belongs there."""
    answer = await problem(client, "/train", body)

    assert (answer["status"], answer["type"]) == (status, f"/problems/{slug}")
    if faults is not None:
        assert answer["errors"] == faults
        assert answer["total_errors"] == len(faults)
    assert (await client.get("/models")).json()["models"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"X": [[1]], "y": [1]} x',
        b'{"X": [[1]],\x00 "y": [1]}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b'{"X": [[' + b"9" * 5000 + b']], "y": [1]}',
        b"hours,score\n1,2\n",
    ],
)
async def test_what_is_no_json_is_400(body: bytes, client: httpx.AsyncClient) -> None:
    """Whatever is wrong with it, on both routes, before anything else is looked at."""
    for path in ("/train", "/predict"):
        answer = await problem(client, path, body)

        assert (answer["status"], answer["type"]) == (400, "/problems/malformed-json")


@pytest.mark.parametrize(
    ("body", "status", "slug", "faults"),
    [
        (
            {"X": [4, 8]},
            422,
            "validation",
            [{"field": "model", "expected": 'one model\'s name, as in "model": "exam"'}],
        ),
        ({"model": "exam"}, 422, "validation", None),
        ({"model": "exam", "X": [4, 8], "rows": []}, 422, "validation", None),
        ({"model": "exam", "X": []}, 422, "table", None),
        ({"model": "exam", "X": [4]}, 422, "table", [{"row": 0, "got": "1 value", "expected": "2 values"}]),
        ({"model": "exam", "X": [[4, 8], [1, "x"]]}, 422, "table", [cell(1, "hours_slept", 'text "x"')]),
        ({"model": "exam", "X": [[4, 8], {}]}, 422, "table", None),
        (
            {"model": "exam", "rows": [{"hours_studied": 4, "hours_slpt": 8}]},
            422,
            "table",
            [
                {"row": 0, "column": "hours_slept", "got": "nothing", "expected": "a value for this column"},
                {"row": 0, "column": "hours_slpt", "expected": "no such column; is it hours_slept?"},
            ],
        ),
        ({"model": "exam", "rows": ROWS}, 422, "table", [{"row": 0, "column": "score", "expected": "no such column"}]),
        ({"model": "exam", "rows": [[4, 8]], "columns": ["hours_studied", "x"]}, 422, "table", None),
        ({"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8}, 5]}, 422, "table", None),
        ({"model": "exam", "X": [4, 8], "interval": 0.9}, 422, "validation", None),
        ({"model": "exam", "X": [4, 8], "proba": "yes"}, 422, "validation", None),
        (
            {"model": "exam", "X": [4, 8], "proba": True},
            422,
            "validation",
            [{"field": "proba", "got": "true", "expected": "false, or nothing"}],
        ),
        ({"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8}], "columns": ["a"]}, 422, "table", None),
        ({"model": "exam/one", "X": [4, 8]}, 404, "version-not-found", None),
        ({"model": "nothing", "X": [4, 8]}, 404, "model-not-found", None),
        ({"model": "exam/7", "X": [4, 8]}, 404, "version-not-found", None),
        ({"model": "../../etc/passwd", "X": [4, 8]}, 404, "model-not-found", None),
    ],
)
async def test_what_cannot_be_answered_is_named(
    body: Any, status: int, slug: str, faults: list[dict[str, Any]] | None, client: httpx.AsyncClient
) -> None:
    """The same for questions."""
    (await client.post("/train", json=TUTORIAL)).raise_for_status()

    answer = await problem(client, "/predict", body)

    assert (answer["status"], answer["type"]) == (status, f"/problems/{slug}")
    if faults is not None:
        assert answer["errors"] == faults


async def test_the_path_and_the_body_must_name_the_same_model(client: httpx.AsyncClient) -> None:
    """A contradiction is not decided silently."""
    (await client.post("/train", json=TUTORIAL)).raise_for_status()

    answer = await problem(client, "/models/exam/predict", {"model": "other", "X": [4, 8]})

    assert answer["status"] == 422


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
        ("GET", "/models/exam/history?max_points=0", 422),
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
    assert response.headers["allow"] == "DELETE, GET"
    assert "DELETE, GET" in response.json()["detail"]


async def test_many_faults_are_counted_and_the_first_20_told(client: httpx.AsyncClient) -> None:
    """Two thousand bad cells: one small answer."""
    answer = await problem(client, "/train", {"X": [["x" * 100]] * 2000, "y": [1] * 2000})

    assert len(answer["errors"]) == 20
    assert answer["total_errors"] == 2000


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


async def test_too_long_a_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """By its announced length, or as soon as it grows past the limit."""
    app = create_app(Settings(models=tmp_path / "models", executor="thread", train_bytes=1000, predict_bytes=500))

    async def growing() -> Any:
        for _ in range(100):
            yield b"[" * 100

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netlet") as client,
    ):
        announced = await client.post("/train", content=b" " * 1001)
        streamed = await client.post("/train", content=growing())
        question = await client.post("/predict", content=b" " * 501)
        just_fits = await client.post("/train", content=b'{"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}')

    assert announced.status_code == streamed.status_code == question.status_code == 413
    assert announced.json()["type"] == "/problems/body-too-large"
    assert just_fits.status_code == 201


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
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_json_gives_a_5xx(body: Any, client: httpx.AsyncClient) -> None:
    """Whatever is sent, the sender is told what is wrong with it, or gets what was asked for."""
    for path in ("/train", "/predict", "/models/exam/predict"):
        response = await client.post(path, content=json.dumps(body).encode(errors="replace"))

        assert response.status_code in {200, 201, 400, 404, 422}, (path, body, response.text)
        if response.status_code >= 400:
            assert len(response.content) < 4096
            assert response.headers["content-type"] == "application/problem+json"


async def test_every_setting_wrong_at_once_is_still_a_small_answer(client: httpx.AsyncClient) -> None:
    """However long the list of choices that are told."""
    wrong = {
        part: dict.fromkeys(TypeAdapter(config).json_schema()["properties"], "?")
        for part, config in {"network": Architecture, "training": TrainingConfig, "scaling": Scaling}.items()
    }

    answer = await problem(client, "/train", TABLE | wrong)

    assert answer["total_errors"] > 25
    assert len(answer["errors"]) >= 10


async def test_a_prediction_has_a_longest_answer(tmp_path: Path) -> None:
    """Rows times labels, or weights: what would be longer is refused before it is computed."""
    app = create_app(Settings(models=tmp_path / "models", executor="thread", most_answers=10))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netlet") as client,
    ):
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
    async with httpx.AsyncClient(transport=transport, base_url="http://netlet") as client:
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
