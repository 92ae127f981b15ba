"""What may be asked for beside an answer: intervals, sets, applicability, none of these, explanations."""

import io
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from tests.api.problem import problem
from tests.conftest import TUTORIAL
from tests.models.letters import ALMOST_E, LETTERS, NAMES, UNKNOWN, pixels

QUICK = {"optimizer": "adam", "members": 4, "epochs": 5}


async def trained(client: httpx.AsyncClient, **request: Any) -> None:
    (await client.post("/train", json=request)).raise_for_status()


async def asked(client: httpx.AsyncClient, **request: Any) -> Any:
    response = await client.post("/predict", json=request)
    assert response.status_code == 200, response.text
    return response.json()


def noisy(rows: int = 200, targets: int = 1) -> dict[str, Any]:
    """A table of numbers with noise."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (rows, 2))
    y = X.sum(axis=1, keepdims=True) + 0.3 * rng.standard_normal((rows, targets))
    return {"X": X.tolist(), "y": (y[:, 0] if targets == 1 else y).tolist(), "training": QUICK}


@pytest.fixture
async def wave(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A service with a model of numbers, `wave`, and one of classes, `side`."""
    await trained(client, name="wave", **noisy())
    classes = noisy()
    await trained(client, name="side", **classes | {"y": ["up" if y > 0 else "down" for y in classes["y"]]})
    return client


async def test_an_interval_lies_around_its_answer_and_a_surer_one_around_it(wave: httpx.AsyncClient) -> None:
    """One pair of numbers a row; the same rows have the same answers without."""
    rows = [[0.1, 0.2], [0.5, -0.9], [7, 7]]
    plain = await asked(wave, model="wave", X=rows)

    half, most = [await asked(wave, model="wave", X=rows, interval=level) for level in (0.5, 0.9)]

    assert most["predictions"] == plain["predictions"]
    for answer, (low, high), (lower, upper) in zip(
        plain["predictions"], half["intervals"], most["intervals"], strict=True
    ):
        assert lower < low < answer < high < upper
    widths = [upper - lower for lower, upper in most["intervals"]]
    assert widths[2] > 3 * widths[0]
    assert "interval_reason" not in most


async def test_nothing_honest_can_be_said_of_three_rows(client: httpx.AsyncClient) -> None:
    """Null for each row, and the reason."""
    await trained(client, **TUTORIAL)

    answer = await asked(client, model="exam", X=[[4, 8], [2, 9]], interval=0.9)

    assert answer["intervals"] == [None, None]
    assert "takes 9 rows" in answer["interval_reason"]
    assert "there are 0" in answer["interval_reason"]


async def test_several_targets_have_an_interval_each(client: httpx.AsyncClient) -> None:
    """A list of pairs a row."""
    await trained(client, name="two", **noisy(targets=2))

    answer = await asked(client, model="two", X=[[0.1, 0.2]], interval=0.8)

    assert len(answer["intervals"][0]) == 2
    for (lower, upper), one in zip(answer["intervals"][0], answer["predictions"][0], strict=True):
        assert lower < one < upper


async def test_classes_have_sets_of_labels(wave: httpx.AsyncClient) -> None:
    """The answer is in its set; on the border both labels are; far from it one is."""
    answer = await asked(wave, model="side", X=[[0.9, 0.9], [0.01, 0.0], [-0.9, -0.9]], interval=0.9)

    for label, kept in zip(answer["predictions"], answer["label_sets"], strict=True):
        assert label in kept
    assert [len(kept) for kept in answer["label_sets"]] == [1, 2, 1]


async def test_several_yes_or_no_have_a_set_each(client: httpx.AsyncClient) -> None:
    """Of false and true."""
    table = noisy(targets=2)
    y = [[bool(one > 0) for one in row] for row in table["y"]]
    await trained(client, name="flags", **table | {"y": y, "task": "multilabel"})

    answer = await asked(client, model="flags", X=[[0.9, 0.9]], interval=0.9)

    assert all(one in kept for one, kept in zip(answer["predictions"][0], answer["label_sets"][0], strict=True))


async def test_the_tutorials_question_is_flagged_on_hours_studied_only(client: httpx.AsyncClient) -> None:
    """By name, with its value and what was trained on."""
    await trained(client, **TUTORIAL)

    answer = await asked(client, model="exam", X=[[4, 8], [2, 9]], applicability=True)

    outside = {"column": "hours_studied", "value": 4.0, "lowest": 1.0, "highest": 3.0}
    assert answer["applicability"][0]["outside"] == [outside]
    assert answer["applicability"][0]["in_range"] is False
    assert answer["applicability"][1] == {"in_range": True, "outside": [], "distance": 0.0}


async def test_a_category_that_was_not_there_is_outside(client: httpx.AsyncClient) -> None:
    """Null is its value, and its range."""
    rows = [{"course": course, "hours": hours, "score": hours} for course in ("law", "art") for hours in range(5)]
    await trained(client, name="courses", rows=rows, target="score")

    answer = await asked(client, model="courses", rows=[{"course": "golf", "hours": 2}], applicability=True)

    assert answer["applicability"][0]["outside"] == [{"column": "course"}]


async def test_an_unknown_letter_is_none_of_those_that_were_learnt(client: httpx.AsyncClient) -> None:
    """Null, and why; an E without a corner is an E."""
    await trained(client, name="letters", X=LETTERS.X.tolist(), y=list(LETTERS.y), columns=list(NAMES))

    pictures = [pixels(ALMOST_E).tolist(), pixels(UNKNOWN).tolist()]
    answer = await asked(client, model="letters", X=pictures, abstain=True, proba=True)

    assert answer["predictions"] == ["E", None]
    assert answer["none_because"] == [None, "distance"]
    assert len(answer["probabilities"]) == 2


async def test_contributions_and_baseline_are_the_answer(wave: httpx.AsyncClient) -> None:
    """To 1e-9, for numbers and for the probability of each label."""
    answer = await asked(wave, model="wave", X=[[0.3, -0.2]], explain=True)

    (told,) = answer["explanations"]
    assert told["baseline"] + sum(told["contributions"].values()) == pytest.approx(answer["predictions"][0], abs=1e-9)

    answer = await asked(wave, model="side", X=[[0.3, -0.2]], explain=True, proba=True)
    (told,) = answer["explanations"]
    for label, probability in answer["probabilities"][0].items():
        total = told["baseline"][label] + sum(share[label] for share in told["contributions"].values())
        assert total == pytest.approx(probability, abs=1e-9)


async def test_a_table_has_columns_for_all_of_it(wave: httpx.AsyncClient) -> None:
    """Asked for in the address, answered as CSV with the same numbers."""
    body = "x1,x2\n0.1,0.2\n50,60\n"
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    params = {"model": "wave", "interval": "0.9", "applicability": "true"}
    response = await wave.post("/predict", params=params, content=body, headers=headers)
    found = pyarrow.csv.read_csv(io.BytesIO(response.content)).to_pydict()
    json = await asked(wave, model="wave", X=[[0.1, 0.2], [50, 60]], interval=0.9, applicability=True)

    assert list(found) == ["y", "in_range", "y_lower", "y_upper", "distance"]
    assert list(zip(found["y_lower"], found["y_upper"], strict=True)) == [*map(tuple, json["intervals"])]
    assert found["distance"] == [each["distance"] for each in json["applicability"]]

    response = await wave.post(
        "/predict", params=params | {"model": "side", "abstain": "true"}, content=body, headers=headers
    )
    found = pyarrow.csv.read_csv(
        io.BytesIO(response.content), convert_options=pa.csv.ConvertOptions(strings_can_be_null=True)
    )
    assert found["y"].to_pylist()[1] is None
    assert found["none_because"].to_pylist() == [None, "distance"]
    assert found["y_set"].to_pylist()[0] in {'["up"]', '["down"]', '["down","up"]'}


async def test_a_table_without_honest_intervals_has_empty_columns(client: httpx.AsyncClient) -> None:
    """Of numbers and of classes."""
    await trained(client, **TUTORIAL)
    rows = [{"a": 1, "y": "no"}, {"a": 2, "y": "yes"}]
    await trained(client, name="pair", rows=rows, target="y")

    for model, body, names in (
        ("exam", "hours_studied,hours_slept\n4,8\n", ["score_lower", "score_upper"]),
        ("pair", "a\n1.5\n", ["y_set"]),
    ):
        headers = {"content-type": "text/csv", "accept": "application/vnd.apache.arrow.stream"}
        response = await client.post(f"/predict?model={model}&interval=0.9", content=body, headers=headers)
        table = pa.ipc.open_stream(response.content).read_all()
        assert [table[name].to_pylist() for name in names] == [[None]] * len(names)


async def test_an_array_has_nan_where_there_is_nothing(client: httpx.AsyncClient) -> None:
    """For a row that is of none of the classes, and for ends of an interval that nothing tells."""
    rows = [{"a": a, "y": a > 3} for a in range(8)]
    await trained(client, name="truths", rows=rows, target="y")
    await trained(client, name="few", rows=[{"a": 1, "y": 1.5}, {"a": 2, "y": 2.5}], target="y")
    headers = {"content-type": "text/csv", "accept": "application/x-npy"}

    response = await client.post("/predict?model=truths&abstain=true", content="a\n6\n99\n", headers=headers)
    found = np.load(io.BytesIO(response.content))
    np.testing.assert_array_equal(found, [[1.0, 1.0], [np.nan, 0.0]])

    response = await client.post("/predict?model=few&interval=0.9", content="a\n1\n", headers=headers)
    assert np.isnan(np.load(io.BytesIO(response.content))[0]).tolist() == [False, False, True, True]


async def test_a_target_may_be_called_like_a_column_of_the_answer(client: httpx.AsyncClient) -> None:
    """No column of an answer takes another's place."""
    table = noisy(targets=2)
    rows = [{"x": x[0], "y": y[0], "y_lower": y[1]} for x, y in zip(table["X"], table["y"], strict=True)]
    await trained(client, name="odd", rows=rows, target=["y", "y_lower"], training=QUICK)

    headers = {"content-type": "text/csv", "accept": "text/csv"}
    response = await client.post("/predict?model=odd&interval=0.9", content="x\n0.5\n", headers=headers)

    names = response.text.splitlines()[0].replace('"', "").split(",")
    assert names == ["y", "y_lower", "in_range", "y_lower_", "y_upper", "y_lower_lower", "y_lower_upper"]


async def test_a_model_that_went_on_knows_nothing_of_new_rows(wave: httpx.AsyncClient) -> None:
    """Rows that are held out now may have been learnt before: no interval, and the reason."""
    (await wave.post("/models/wave/train", json=noisy() | {"training": "auto"})).raise_for_status()

    answer = await asked(wave, model="wave", X=[[0.1, 0.2]], interval=0.9)

    assert answer["intervals"] == [None]
    assert "wave/1" in answer["interval_reason"]
    first = await asked(wave, model="wave/1", X=[[0.1, 0.2]], interval=0.9)
    assert first["intervals"] != [None]


async def test_a_long_table_is_told_the_same_piece_by_piece(wave: httpx.AsyncClient) -> None:
    """Rows that are answered some at a time have the same beside them, as JSON."""
    X = np.random.default_rng(1).uniform(-2, 2, (1200, 2))
    body = "x1,x2\n" + "".join(f"{a!r},{b!r}\n" for a, b in X.tolist())
    params = {"model": "wave", "interval": "0.9", "applicability": "true"}
    response = await wave.post(
        "/predict", params=params, content=body, headers={"content-type": "text/csv", "accept": "application/json"}
    )

    json = await asked(wave, model="wave", X=X.tolist(), interval=0.9, applicability=True)

    assert response.json() == json


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": 1}, "interval"),
        ({"interval": "0.9"}, "interval"),
        ({"abstain": True}, "abstain"),
        ({"explain": 1}, "explain"),
        ({"applicability": "yes"}, "applicability"),
    ],
)
async def test_what_cannot_be_had_is_refused_by_name(wish: dict[str, Any], field: str, wave: httpx.AsyncClient) -> None:
    """A probability between 0 and 1; numbers are no classes; truths are true or false."""
    answer = await problem(wave, "/predict", {"model": "wave", "X": [[0, 0]]} | wish)

    assert (answer["status"], answer["errors"][0]["field"]) == (422, field)


async def test_explanations_are_json_and_bounded(wave: httpx.AsyncClient) -> None:
    """No column of a table holds them, and so many rows that it would take minutes are refused."""
    body = {"model": "wave", "X": [[0, 0]], "explain": True}
    response = await wave.post("/predict", json=body, headers={"accept": "text/csv"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "accept")

    answer = await problem(wave, "/predict", body | {"X": [[0, 0]] * 300_000})
    assert answer["status"] == 413
