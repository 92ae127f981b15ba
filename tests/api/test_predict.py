"""Training and asking over HTTP."""

from threading import enumerate as running_threads
from typing import Any

import httpx
import pytest

from tests.conftest import ROWS, TUTORIAL

NUMBERS = {
    "kind": "integer",
    "levels": None,
    "level_count": None,
    "frequent": None,
    "missing": False,
    "missing_share": 0.0,
}


async def trained(client: httpx.AsyncClient, **request: Any) -> dict[str, Any]:
    response = await client.post("/train", json=request)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def predictions(client: httpx.AsyncClient, path: str = "/predict", **request: Any) -> Any:
    response = await client.post(path, json=request)
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


async def test_the_tutorial_over_http(client: httpx.AsyncClient) -> None:
    """Preset tutorial, seed 0, answers 90.3533 for (4, 8) and the program's answers for its rows."""
    await trained(client, **TUTORIAL)

    answers = await predictions(client, model="exam", X=[[4, 8], [2, 9], [1, 5], [3, 6]])

    assert answers == pytest.approx([90.3533, 89.9187, 87.3125, 89.618], abs=1e-4)


async def test_a_training_answers_with_all_that_was_chosen(client: httpx.AsyncClient) -> None:
    """201, a Location that leads back, every setting filled in, metrics in the user's units."""
    response = await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "score"})

    answer = response.json()
    assert response.status_code == 201
    assert (await client.get(response.headers["location"])).json() == answer
    assert answer["reference"] == "exam/1"
    assert answer["columns"] == [
        NUMBERS | {"name": "hours_studied", "lowest": 1.0, "highest": 3.0, "example": 2.0},
        NUMBERS | {"name": "hours_slept", "lowest": 5.0, "highest": 9.0, "example": 9.0},
    ]
    assert answer["network"]["output_activation"] == "identity"
    assert answer["training"]["loss"] == "mse"
    assert answer["training"]["optimizer"] == "levenberg_marquardt"
    assert answer["report"]["choice"].startswith(
        "1 network with 3 hidden units, trained by levenberg_marquardt: 3 rows"
    )
    assert answer["report"]["metrics"]["training"]["rmse"] < 0.1
    assert answer["report"]["parameters"] == 2 * 3 + 3 + 3 + 1
    assert answer["report"]["parameters_per_row"] == pytest.approx(13 / 3)


async def test_settings_of_an_answer_can_be_sent_again(client: httpx.AsyncClient) -> None:
    """Network, training and scaling of an answer, with the same rows, give the same weights."""
    first = await trained(client, rows=ROWS, target="score")
    settings = {part: first[part] for part in ("network", "training", "scaling", "task")}

    again = await trained(client, rows=ROWS, target="score", **settings)

    weights = [(await client.get(f"/models/{made['model']}/weights")).json() for made in (first, again)]
    assert weights[0]["members"] == weights[1]["members"]
    assert again["report"]["choice"].endswith("as set.")


async def test_one_row_can_be_sent_in_many_ways(client: httpx.AsyncClient) -> None:
    """A bare list, a matrix, an object in any order, lists with columns in any order: the same answer."""
    await trained(client, **TUTORIAL)
    ways: list[dict[str, Any]] = [
        {"X": [4, 8]},
        {"X": [[4, 8]]},
        {"X": [[4.0, 8.0]]},
        {"rows": [[4, 8]]},
        {"rows": [{"hours_slept": 8, "hours_studied": 4}]},
        {"columns": ["hours_slept", "hours_studied"], "rows": [[8, 4]]},
    ]

    answers = [(await predictions(client, model="exam", **way))[0] for way in ways]

    assert set(answers) == {answers[0]}


async def test_a_table_can_be_sent_in_many_ways(client: httpx.AsyncClient) -> None:
    """Records, lists with columns, matrices, and presets with nothing changed: the same file."""
    lists = [list(row.values()) for row in ROWS]
    names = list(ROWS[0])
    ways: list[dict[str, Any]] = [
        {"rows": ROWS, "target": "score"},
        {"rows": ROWS, "target": ["score"]},
        {"rows": lists, "columns": names, "target": "score"},
        {"X": [row[:2] for row in lists], "y": [row[2] for row in lists], "columns": names[:2], "target": "score"},
        {"rows": ROWS, "target": "score", "network": "auto", "training": "auto"},
        {"rows": ROWS, "target": "score", "network": {}, "training": {}, "scaling": {}},
    ]

    files = {(await trained(client, **way))["sha256"] for way in ways}

    assert len(files) == 1


async def test_matrices_have_columns_of_their_own(client: httpx.AsyncClient) -> None:
    """x1, x2 and y where no names are given; one number a row is one column."""
    named = await trained(client, X=[[1, 2], [3, 4]], y=[[1, 5], [2, 6]])
    single = await trained(client, X=[1, 2, 3], y=[2, 4, 6])

    assert [column["name"] for column in named["columns"]] == ["x1", "x2"]
    assert named["target"] == ["y1", "y2"]
    assert [column["name"] for column in single["columns"]] == ["x1"]
    assert single["target"] == "y"


async def test_the_path_can_name_model_and_version(client: httpx.AsyncClient) -> None:
    """The newest version for a bare name, each version for its number."""
    await trained(client, **TUTORIAL)
    await trained(client, **(TUTORIAL | {"training": {"seed": 1}}))

    first, second = [
        (await predictions(client, f"/models/exam/versions/{version}/predict", X=[4, 8]))[0] for version in (1, 2)
    ]

    assert first == pytest.approx(90.3533, abs=1e-4)
    assert await predictions(client, "/models/exam/predict", X=[4, 8]) == [second]
    assert await predictions(client, model="exam/1", X=[4, 8]) == [first]
    assert await predictions(client, "/models/exam/predict", model="exam", X=[4, 8]) == [second]


async def test_a_preset_gives_way_to_what_is_set(client: httpx.AsyncClient) -> None:
    """One setting changed, also to what would be the default; the rest as the tutorial has it."""
    answer = await trained(client, **(TUTORIAL | {"network": {"bias": True}, "training": "auto"}))

    assert answer["network"]["bias"] is True
    assert answer["network"]["activation"] == "sigmoid"
    assert answer["training"]["optimizer"] == "gradient_descent"


async def test_content_type_does_not_matter(client: httpx.AsyncClient) -> None:
    """`curl -d` sends a form type; no type at all is fine too."""
    for headers in ({"content-type": "application/x-www-form-urlencoded"}, {"content-type": "text/plain"}, {}):
        response = await client.post(
            "/train", content=b'{"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}', headers=headers
        )

        assert response.status_code == 201


async def test_answers_tell_what_is_an_extrapolation(client: httpx.AsyncClient) -> None:
    """(4, 8) lies outside, (2, 9) inside; nothing else is told unasked."""
    await trained(client, **TUTORIAL)

    answer = (await client.post("/predict", json={"model": "exam", "X": [[4, 8], [2, 9]]})).json()

    assert answer["in_range"] == [False, True]
    assert set(answer) == {"model", "version", "predictions", "in_range"}


@pytest.mark.parametrize(
    ("labels", "names"), [(["no", "yes", "no"], {"no", "yes"}), ([True, False, True], {"true", "false"})]
)
async def test_classes_answer_with_labels_and_probabilities(
    labels: list[Any], names: set[str], client: httpx.AsyncClient
) -> None:
    """Labels come back as sent; probabilities on request, by label."""
    answer = await trained(client, X=[[1, 5], [2, 9], [1, 4]], y=labels, name="pass")

    response = await client.post("/models/pass/predict", json={"X": [[1, 5], [2, 9]], "proba": True})

    assert answer["labels"] == sorted(set(labels))
    assert answer["report"]["metrics"]["training"]["accuracy"] == 1.0
    assert response.json()["predictions"] == labels[:2]
    assert all(set(row) == names and sum(row.values()) == pytest.approx(1) for row in response.json()["probabilities"])


async def test_whole_numbers_are_classes_where_the_request_says_so(client: httpx.AsyncClient) -> None:
    """By the task or by the loss; otherwise they are numbers."""
    table: dict[str, Any] = {"X": [[1], [2], [3]], "y": [0, 1, 1]}

    by_task = await trained(client, **table, task="classification")
    by_loss = await trained(client, **table, training={"loss": "binary_cross_entropy"})
    plain = await trained(client, **table)

    assert by_task["labels"] == by_loss["labels"] == [0, 1]
    assert plain["labels"] is None


async def test_several_targets_answer_with_lists(client: httpx.AsyncClient) -> None:
    """One number a target, in their order."""
    rows = [{"a": value, "double": 2 * value, "minus": -value} for value in (1, 2, 3)]
    await trained(client, name="two", rows=rows, target=["minus", "double"], training={"epochs": 3000})

    answer = await client.post("/predict", json={"model": "two", "rows": [{"a": 2}]})

    assert answer.json()["predictions"][0] == pytest.approx([-2, 4], abs=0.01)


async def test_a_model_without_a_name_is_given_one(client: httpx.AsyncClient) -> None:
    """A new one each time, that can be asked for."""
    first, second = [await trained(client, rows=ROWS, target="score", training={"epochs": 1}) for _ in range(2)]

    assert first["model"] != second["model"]
    assert (await client.get(f"/models/{first['model']}")).json()["versions"] == [1]


async def test_large_bodies_are_answered_like_small_ones(client: httpx.AsyncClient) -> None:
    """Ten thousand rows, read off the event loop, in the order they were sent."""
    await trained(client, **TUTORIAL)
    X = [[1 + index % 3, 5 + index % 5] for index in range(10_000)]

    answers = await predictions(client, model="exam", X=X)

    assert len(answers) == 10_000
    assert answers[:15] == await predictions(client, model="exam", X=X[:15])
    assert answers[4:5] == await predictions(client, model="exam", X=X[4])


async def test_a_single_column_can_be_sent_as_a_list_of_values(client: httpx.AsyncClient) -> None:
    """Training and asking read it alike: one row a value."""
    await trained(client, name="single", X=[1, 2, 3], y=[2, 4, 6])

    assert len(await predictions(client, model="single", X=[1, 2, 3])) == 3
    assert len(await predictions(client, model="single", X=[1])) == 1


async def test_a_small_request_is_answered_where_it_came_in(client: httpx.AsyncClient) -> None:
    """No part of it is handed to a thread of the framework, which takes longer than the answer itself."""
    await trained(client, name="exam", rows=ROWS, target="score")

    await predictions(client, model="exam", X=[[4, 8]])

    assert not [thread.name for thread in running_threads() if thread.name.startswith("AnyIO")]
