"""Columns of text, of true and false, with gaps; weights of rows; several yes-or-no targets."""

import json
from typing import Any

import httpx
import pytest

from tests.api.problem import problem

JSON = {"accept": "application/json"}
QUICK: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 30, "learning_rate": 0.05}}
ROWS: list[dict[str, Any]] = [
    {"hours": float(hour), "course": course, "paid": paid, "age": None if hour == 3 else 20 + hour, "score": score}
    for hour, course, paid, score in [
        (1, "art", True, 50.0),
        (2, "law", False, 70.0),
        (3, "art", True, 60.0),
        (4, "law", True, 90.0),
        (5, "sea", False, 80.0),
        (6, "sea", True, 99.0),
    ]
]
TABLE: dict[str, Any] = {"name": "exam", "rows": ROWS, "target": "score"} | QUICK
ROW = {"hours": 2, "course": "law", "paid": False, "age": 22}


async def trained(client: httpx.AsyncClient, **table: Any) -> Any:
    return (await client.post("/train", json=table)).raise_for_status().json()


async def answered(client: httpx.AsyncClient, *rows: Any, **asked: Any) -> Any:
    return (await client.post("/predict", json={"model": "exam", "rows": rows} | asked)).raise_for_status().json()


async def test_columns_are_described_as_what_they_are(client: httpx.AsyncClient) -> None:
    """Numbers with their range, categories with their levels, and whether null is taken."""
    answer = await trained(client, **TABLE)

    hours, course, paid, age = answer["columns"]
    assert hours == {
        "name": "hours",
        "kind": "integer",
        "lowest": 1.0,
        "highest": 6.0,
        "levels": None,
        "level_count": None,
        "frequent": None,
        "missing": False,
        "missing_share": 0.0,
        "example": 1.0,
    }
    assert (course["kind"], course["levels"], course["level_count"]) == ("category", ["art", "law", "sea"], 3)
    assert (paid["kind"], paid["levels"]) == ("boolean", [False, True])
    assert course["frequent"] == [["art", 2], ["law", 2], ["sea", 2]]
    assert (age["kind"], age["missing"], age["lowest"]) == ("integer", True, 21.0)
    assert (age["missing_share"], age["example"]) == (1 / 6, 21.0)


async def test_rows_of_all_kinds_are_answered(client: httpx.AsyncClient) -> None:
    """Gaps where there were some in training, in any order of the names."""
    await trained(client, **TABLE)

    answer = await answered(client, ROW, ROW | {"age": None}, dict(reversed(ROW.items())))

    assert answer["predictions"][0] == answer["predictions"][2]
    assert answer["in_range"] == [True, True, True]


async def test_an_unseen_category_is_answered_as_none_and_out_of_range(client: httpx.AsyncClient) -> None:
    """All unseen texts are alike, and flagged."""
    await trained(client, **TABLE)

    answer = await answered(client, ROW | {"course": "tea"}, ROW | {"course": "pie"}, ROW)

    assert answer["predictions"][0] == answer["predictions"][1] != answer["predictions"][2]
    assert answer["in_range"] == [False, False, True]


async def test_many_categories_are_embedded(client: httpx.AsyncClient) -> None:
    """Above one_hot levels a category has vectors of its own, told with the weights."""
    await trained(client, **TABLE, scaling={"one_hot": 2})

    weights = (await client.get("/models/exam/weights")).json()

    assert [entry["made"] for entry in weights["inputs"]] == ["scaled", "scaled", "missing", "pair", "embedded"]
    assert len(weights["members"][0]["embeddings"][0]) == 4
    assert (await answered(client, ROW))["in_range"] == [True]


@pytest.mark.parametrize(
    ("change", "column", "expected"),
    [
        ({"course": ["law"]}, "course", "text"),
        ({"course": None}, "course", "a value: none was missing in this column when the model was trained"),
        ({"hours": None}, "hours", "a value: none was missing in this column when the model was trained"),
        ({"hours": "two"}, "hours", "a number"),
        ({"hours": "2,5"}, "hours", "a number"),
        ({"age": True}, "age", "a number"),
        ({"paid": 1}, "paid", "true or false"),
        ({"course": "x" * 200}, "course", "text of at most 128 characters"),
    ],
)
async def test_cells_of_another_kind_are_named(
    change: dict[str, Any], column: str, expected: str, client: httpx.AsyncClient
) -> None:
    """Row, column and what belongs there."""
    await trained(client, **TABLE)

    answer = await problem(client, "/predict", {"model": "exam", "rows": [ROW, ROW | change]})

    assert answer["status"] == 422
    assert [(fault["row"], fault["column"], fault["expected"]) for fault in answer["errors"]] == [(1, column, expected)]


async def test_too_many_categories_are_refused(client: httpx.AsyncClient) -> None:
    """A column of names is no category, and the answer says what to do."""
    rows = [{"id": f"id {number}", "y": number} for number in range(10_001)]

    answer = await problem(client, "/train", {"rows": rows, "target": "y"})

    assert (answer["status"], answer["errors"][0]["column"]) == (422, "id")
    assert "Leave the column out" in answer["detail"]


async def test_weights_say_how_much_rows_count(client: httpx.AsyncClient) -> None:
    """A row of weight 0 might as well not be there."""
    flat = {
        "training": {"optimizer": "lbfgs", "l2": 0.1},
        "network": {"hidden": []},
        "scaling": {"features": "maximum"},
    }
    rows = [{"x": x, "w": w, "y": y} for x, w, y in [(1, 1, 1), (2, 1, 2), (4, 2, 4), (3, 0, 90)]]
    await trained(client, name="exam", rows=rows, target="y", weight="w", **flat)

    (weighted,) = (await answered(client, {"x": 2.5}))["predictions"]

    assert weighted < 10
    as_arrays = {"X": [[row["x"]] for row in rows], "y": [row["y"] for row in rows], "columns": ["x"]}
    await trained(client, name="exam", **as_arrays, weights=[1, 1, 2, 0], **flat)
    assert (await answered(client, {"x": 2.5}))["predictions"] == [weighted]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"weight": "x"}, None),
        ({"weight": "nothing"}, {"column": "nothing", "field": "weight"}),
        ({"weight": "y"}, {"column": "y", "field": "weight"}),
        ({"weight": "bad"}, {"row": 1, "column": "bad"}),
        ({"weight": "zero"}, {"row": 0, "column": "zero"}),
        ({"weight": "text"}, {"row": 0, "column": "text"}),
    ],
)
async def test_weights_that_cannot_be_are_named(
    change: dict[str, Any], fault: dict[str, Any] | None, client: httpx.AsyncClient
) -> None:
    """Another column, a negative one, all of them 0, or text; a column of numbers of its own is fine."""
    rows = [
        {"x": 1, "z": 1, "y": 1, "bad": 1, "zero": 0, "text": "a"},
        {"x": 2, "z": 2, "y": 2, "bad": -1, "zero": 0, "text": "b"},
    ]
    response = await client.post("/train", json={"rows": rows, "target": "y", **QUICK, **change})

    if fault is None:
        assert response.status_code == 201
    else:
        assert response.status_code == 422
        assert response.json()["errors"][0].items() >= fault.items()


async def test_weights_are_a_column_or_a_list(client: httpx.AsyncClient) -> None:
    """Not both: one of them would be taken for something else in silence."""
    rows = [{"x": 1, "w": 1, "y": 1}, {"x": 2, "w": 1, "y": 2}]

    answer = await problem(client, "/train", {"rows": rows, "target": "y", "weight": "w", "weights": [1, 2]})

    assert answer["errors"] == [{"field": "weights", "expected": "exactly one of weight and weights"}]


async def test_as_many_weights_as_rows(client: httpx.AsyncClient) -> None:
    """One each."""
    answer = await problem(client, "/train", {"X": [[1], [2]], "y": [1, 2], "weights": [1]})

    assert answer["status"] == 422
    assert answer["errors"][0]["field"] == "weights"


async def test_several_yes_or_no_targets_are_learnt_at_once(client: httpx.AsyncClient) -> None:
    """Lists of true and false, with a probability for each target if asked for."""
    rows = [{"x": x, "warm": x > 0, "wet": x > 2} for x in range(-6, 8)]
    answer = await trained(client, name="exam", rows=rows, target=["warm", "wet"])

    answers = await answered(client, {"x": -5}, {"x": 7}, proba=True)

    assert answer["task"] == "multilabel"
    assert answers["predictions"] == [[False, False], [True, True]]
    assert answers["probabilities"][1]["warm"] > 0.5 > answers["probabilities"][0]["wet"]
    assert answer["report"]["metrics"]["training"]["exact_match"] > 0.8


async def test_one_yes_or_no_target_is_answered_as_a_list_if_asked(client: httpx.AsyncClient) -> None:
    """With the task, one target is like several; without it, 0 and 1 are numbers."""
    table = {"name": "exam", "X": [[1], [2], [3], [4]], "y": [0, 0, 1, 1], "target": "on"} | QUICK

    numbers = await trained(client, **table)
    answer = await trained(client, **table, task="multilabel")
    answers = (await client.post("/predict", json={"model": "exam", "X": [[1], [4]], "proba": True})).json()

    assert (numbers["task"], answer["task"], answer["target"]) == ("regression", "multilabel", "on")
    assert answers["predictions"] == [[False], [True]]
    assert [list(told) for told in answers["probabilities"]] == [["on"], ["on"]]


async def test_0_and_1_are_yes_and_no_if_asked(client: httpx.AsyncClient) -> None:
    """With the task; anything else is a fault."""
    table = {"X": [[1], [2], [3]], "y": [[0, 1], [1, 1], [1, 0]], "task": "multilabel"} | QUICK
    answer = await trained(client, **table)

    assert answer["target"] == ["y1", "y2"]
    wrong = await problem(client, "/train", table | {"y": [[0, 1], [1, 2], [1, 0]]})
    assert wrong["errors"] == [{"row": 1, "column": "y2", "got": "2", "expected": "true or false"}]


LABEL = "a class: text, true or false, or a whole number"


@pytest.mark.parametrize(
    ("y", "column", "expected"),
    [
        ([1, None, 2], "y", "a number"),
        (["a", None, "b"], "y", LABEL),
        ([True, None, False], "y", LABEL),
        ([[True, False], [None, True], [False, False]], "y1", "true or false"),
    ],
)
async def test_a_target_without_a_value_is_named(
    y: list[Any], column: str, expected: str, client: httpx.AsyncClient
) -> None:
    """The null alone, and what belongs there: other targets are what they would be without it."""
    answer = await problem(client, "/train", {"X": [[1], [2], [3]], "y": y})

    remedy = f"{expected}; leave out rows that have none"
    assert answer["errors"] == [{"row": 1, "column": column, "got": "null", "expected": remedy}]


@pytest.mark.parametrize("loss", ["quantile", "poisson", "gaussian_nll"])
async def test_other_losses_are_one_setting_away(loss: str, client: httpx.AsyncClient) -> None:
    """Each answers one number a row, finite."""
    await trained(client, name="exam", X=[[1], [2], [3]], y=[1, 2, 4], training={"loss": loss, "quantile": 0.9})

    (answer,) = (await client.post("/predict", json={"model": "exam", "X": [2]})).json()["predictions"]

    assert 0 < answer < 10


async def test_rare_classes_count_as_much_as_others_if_asked(client: httpx.AsyncClient) -> None:
    """Balanced classes make the rare one's recall as good as the other's."""
    rows = {"X": [[0.1 * n] for n in range(60)], "y": ["rare" if n > 54 else "usual" for n in range(60)]}
    flat: dict[str, Any] = {"network": {"hidden": []}, "training": {"optimizer": "lbfgs", "l2": 1.0}}

    plain = await trained(client, **rows, **flat)
    balanced = await trained(
        client, **rows, network=flat["network"], training=flat["training"] | {"class_weight": "balanced"}
    )

    accuracies = [answer["report"]["metrics"]["training"]["balanced_accuracy"] for answer in (plain, balanced)]
    assert accuracies[1] > accuracies[0]
    assert sum(map(sum, balanced["report"]["confusion_matrix"])) == 60


async def test_a_class_may_count_nothing(client: httpx.AsyncClient) -> None:
    """All its rows have weight 0, also where classes are balanced."""
    rows: dict[str, Any] = {"X": [[1], [2], [3], [4]], "y": ["a", "a", "b", "b"], "weights": [1, 1, 0, 0]}
    answer = await trained(client, **rows, training=QUICK["training"] | {"class_weight": "balanced"})

    assert answer["labels"] == ["a", "b"]


async def test_only_how_weights_compare_matters(client: httpx.AsyncClient) -> None:
    """However small they are: the smallest number above 0 is as good as 1."""
    models = [
        await trained(client, X=[[1], [2], [4]], y=[1, 2, 3], weights=[weight, 0, weight], **QUICK)
        for weight in (5e-324, 1)
    ]

    reports = [model["report"] | {"fingerprint": None} for model in models]  # which is of the weights as they are
    assert reports[0] == reports[1]


async def test_few_rows_with_embedded_categories_are_learnt(client: httpx.AsyncClient) -> None:
    """By an optimizer that can; the one that cannot is refused with the remedy."""
    table: dict[str, Any] = {"X": [["a"], ["b"], ["c"]], "y": [1, 2, 3], "scaling": {"one_hot": 2}}

    assert (await trained(client, **table))["training"]["optimizer"] == "lbfgs"
    refused = await problem(client, "/train", table | {"training": {"optimizer": "levenberg_marquardt"}})
    assert (refused["status"], refused["type"]) == (422, "/problems/target")
    assert "Raise scaling.one_hot" in refused["detail"]


async def test_texts_that_are_too_long_all_together_are_refused(client: httpx.AsyncClient) -> None:
    """Levels are kept in the model, so they are bounded; the longest column is named."""
    rows = [[f"n{row:0100}{column}" for column in range(10)] + [row] for row in range(9000)]
    columns = [f"c{column}" for column in range(10)]

    answer = await problem(client, "/train", {"rows": rows, "columns": [*columns, "y"], "target": "y"})

    assert answer["status"] == 422
    assert answer["errors"][0]["column"] == "c0"


@pytest.mark.parametrize(
    "cells", [[7], [7.0], ["7"], ["7.0"], [7, "x"], [7.0, "x"], ["7", 1], [7.0, None, True], ["7.0", "8"]]
)
async def test_a_category_that_is_a_number_is_known_however_it_is_written(
    cells: list[Any], client: httpx.AsyncClient
) -> None:
    """As 7, 7.0 or a text, alone and beside others of any kind, in JSON, NDJSON and CSV: the answer of its row."""
    rows = [{"code": code, "y": code % 3} for code in range(9)] + [{"code": None, "y": 1}]
    await trained(client, name="exam", rows=rows, target="y", kinds={"code": "category"}, **QUICK)
    sent = [{"code": cell} for cell in cells]
    place = next(index for index, cell in enumerate(cells) if cell not in {1, "x"})

    (alone,) = (await answered(client, {"code": 7}))["predictions"]
    lines = "\n".join(json.dumps(row) for row in sent)
    table = "\n".join(["code", *("NA" if cell is None else str(cell) for cell in cells)])
    answers = [
        await client.post("/models/exam/predict", content=body, headers=JSON | {"content-type": kind})
        for kind, body in {"application/x-ndjson": lines, "text/csv": table}.items()
    ]

    for answer in ((await answered(client, *sent)), *(answer.raise_for_status().json() for answer in answers)):
        assert answer["predictions"][place] == alone
        assert answer["in_range"][place]


async def test_a_category_is_read_as_it_is_written(client: httpx.AsyncClient) -> None:
    """007 is known by that name, also where a CSV holds nothing else; 1.0 that was learnt beside texts is 1."""
    rows = [{"code": code, "y": index} for index, code in enumerate(["007", 1.0, "x", "007"])]
    made = await trained(client, name="exam", rows=rows, target="y", kinds={"code": "category"}, **QUICK)

    assert made["columns"][0]["levels"] == ["007", "1", "x"]
    for body in ("code\n007\n", "code\n1\n", "code\n1.0\nx\n007\n"):
        headers = JSON | {"content-type": "text/csv"}
        answer = (await client.post("/models/exam/predict", content=body, headers=headers)).raise_for_status().json()
        assert all(answer["in_range"]), body
