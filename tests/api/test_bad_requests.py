"""Bad requests: each fault named by row, column and what belongs there."""

from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.preprocessing import Scaling
from tests.api.problem import TABLE, problem
from tests.conftest import ROWS, TUTORIAL


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
                {"row": 2, "column": "bb", "expected": "no such column"},
            ],
        ),
        (
            {"X": [[7, True, "a"], ["7", [1], 2], [None, None, None]], "y": [{}, 2, None]},
            422,
            "table",
            [
                cell(1, "x1", 'text "7"'),
                cell(1, "x2", "a list", "true or false"),
                cell(1, "x3", "2", "text"),
                cell(0, "y", "an object"),
                cell(2, "y", "null", "a number; leave out rows that have none"),
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
            TABLE | {"training": {"epochs": 100.5}},
            422,
            "validation",
            [{"field": "training.epochs", "got": "100.5", "expected": "a whole number"}],
        ),
        (TABLE | {"tags": {"k" * 101: "v"}}, 422, "validation", None),
        (TABLE | {"columns": ["a"] * 10_002}, 422, "validation", None),
        (TABLE | {f"k{key}": 1 for key in range(101)}, 422, "too-many-keys", None),
        (TABLE | {"training": {f"k{key}": 1 for key in range(101)}}, 422, "too-many-keys", None),
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
        ({"model": "exam", "X": [4, 8], "intervals": 0.9}, 422, "validation", None),
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


async def test_many_faults_are_counted_and_the_first_20_told(client: httpx.AsyncClient) -> None:
    """Two thousand bad cells: one small answer."""
    answer = await problem(client, "/train", {"X": [[1]] * 2001 + [["x" * 100]] * 2000, "y": [1] * 4001})

    assert len(answer["errors"]) == 20
    assert answer["total_errors"] == 2000


async def test_every_setting_wrong_at_once_is_still_a_small_answer(client: httpx.AsyncClient) -> None:
    """However long the list of choices that are told."""
    wrong = {
        part: dict.fromkeys(TypeAdapter(config).json_schema()["properties"], "?")
        for part, config in {"network": Architecture, "training": TrainingConfig, "scaling": Scaling}.items()
    }

    answer = await problem(client, "/train", TABLE | wrong)

    assert answer["total_errors"] > 25
    assert len(answer["errors"]) >= 10
