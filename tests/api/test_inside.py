"""Looking inside a model over HTTP: traces, derivatives, what moves answers, and what would change one."""

from typing import Any

import httpx
import pytest

from tests.api.problem import problem
from tests.conftest import ROWS, TUTORIAL

COURSES = [
    {"course": course, "hours": hours, "score": 10 * hours + 5 * (course == "law")}
    for course in ("law", "art")
    for hours in range(8)
]


@pytest.fixture
async def exam(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A service with the tutorial's model, one with a category and one of classes."""
    courses = {"name": "courses", "rows": COURSES, "target": "score"}
    passed = {"name": "pass", "X": [[n, 9 - n] for n in range(10)], "y": ["no"] * 5 + ["yes"] * 5}
    for request in (TUTORIAL, courses, passed):
        (await client.post("/train", json=request)).raise_for_status()
    return client


async def asked(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_row_is_followed_forward_and_with_its_truth_back(exam: httpx.AsyncClient) -> None:
    """The tutorial's numbers for its first row, by hand: inputs, sums, activations, deltas."""
    there = await asked(exam, "/models/exam/trace", row=ROWS[0])
    assert there["inputs"] == ["hours_studied", "hours_slept"]
    (member,) = there["members"]
    assert member["inputs"] == pytest.approx([2 / 3, 1.0])
    hidden, output = member["layers"]
    o = output["a"][0]
    assert 100 * o == pytest.approx(there["prediction"])
    assert output["delta"][0] == pytest.approx((o - 0.92) * o * (1 - o))
    assert output["slope_W"] == [[pytest.approx(a * output["delta"][0])] for a in hidden["a"]]
    assert member["loss"] == pytest.approx(0.5 * (o - 0.92) ** 2)
    assert there["y"] == [0.92]


@pytest.mark.parametrize("row", [[2, 9], {"hours_studied": 2, "hours_slept": 9}])
async def test_the_truth_may_stand_beside_the_row_or_nowhere(row: Any, exam: httpx.AsyncClient) -> None:
    """As `y`, for lists and objects alike; without it there is no way back."""
    with_truth = await asked(exam, "/models/exam/versions/1/trace", row=row, y=92)
    without = await asked(exam, "/models/exam/versions/1/trace", row=row)

    assert with_truth == await asked(exam, "/models/exam/trace", row=ROWS[0])
    assert without["members"][0]["layers"][0].keys() == {"activation", "z", "a"}
    assert "y" not in without


async def test_inputs_have_names(exam: httpx.AsyncClient) -> None:
    """Of numbers, bins, levels and pairs, as many as there are inputs."""
    there = await asked(exam, "/models/courses/trace", row={"course": "law", "hours": 3})

    assert len(there["inputs"]) == len(there["members"][0]["inputs"])
    assert there["inputs"][0] == "hours"
    assert "course = law" in there["inputs"]


async def test_the_derivative_is_right_on_the_users_own_rows(exam: httpx.AsyncClient) -> None:
    """A number settles it; the worst parameter is named as in the file."""
    there = await asked(exam, "/models/exam/gradcheck", rows=ROWS)

    assert there["agrees"] is True
    assert there["difference"] < 1e-7
    assert (there["checked"], there["rows"]) == (9, 3)
    assert there["worst"]["parameter"].startswith("layers.")
    labels = await asked(exam, "/models/pass/versions/1/gradcheck", X=[[1, 8], [7, 2]], y=["no", "yes"])
    assert labels["agrees"] is True


async def test_columns_are_ranked_by_what_they_move(exam: httpx.AsyncClient) -> None:
    """Hours more than the course; shares are of one."""
    for path in ("/models/courses/importance", "/models/courses/versions/1/importance"):
        there = (await exam.get(path)).json()
        assert [column["column"] for column in there["columns"]] == ["hours", "course"]
        assert sum(column["share"] for column in there["columns"]) == pytest.approx(1.0)


async def test_the_nearest_row_with_another_answer_is_confirmed_by_predict(exam: httpx.AsyncClient) -> None:
    """Sent back as it is, it is answered as it says; what changed is named, and what is fixed is not."""
    there = await asked(exam, "/models/exam/counterfactual", row={"hours_studied": 1, "hours_slept": 5}, wanted=89)
    answer = await asked(exam, "/predict", model="exam", rows=[there["row"]])
    assert answer["predictions"] == [there["prediction"]]
    assert there["prediction"] == pytest.approx(89, abs=1e-3)
    assert answer["in_range"] == [True]
    assert [each["column"] for each in there["changed"]] == ["hours_studied", "hours_slept"]

    there = await asked(exam, "/models/exam/counterfactual", row=[1, 5], wanted=89, fixed=["hours_slept"])
    assert [each["column"] for each in there["changed"]] == ["hours_studied"]
    assert there["row"]["hours_slept"] == 5

    there = await asked(exam, "/models/pass/versions/1/counterfactual", row=[1, 8], wanted="yes")
    answer = await asked(exam, "/predict", model="pass", rows=[there["row"]])
    assert answer["predictions"] == ["yes"]


async def test_a_category_is_told_by_its_name(exam: httpx.AsyncClient) -> None:
    """Another level where that is the nearest way."""
    row = {"course": "art", "hours": 3}
    law = (await asked(exam, "/predict", model="courses", rows=[row | {"course": "law"}]))["predictions"][0]

    there = await asked(exam, "/models/courses/counterfactual", row=row, wanted=law, fixed=["hours"])

    assert there["changed"] == [{"column": "course", "before": "art", "after": "law"}]
    assert there["row"] == row | {"course": "law"}


@pytest.mark.parametrize(
    ("path", "body", "slug", "field"),
    [
        ("exam/counterfactual", {"row": [1, 5], "wanted": 99}, "unreachable", "wanted"),
        ("exam/counterfactual", {"row": [1, 5], "wanted": "much"}, "validation", "wanted"),
        ("exam/counterfactual", {"row": [1, 5], "wanted": True}, "validation", "wanted"),
        ("exam/counterfactual", {"row": [1, 5], "wanted": 10**400}, "validation", "wanted"),
        ("pass/counterfactual", {"row": [1, 5], "wanted": "perhaps"}, "validation", "wanted"),
        ("exam/counterfactual", {"row": [1, 5], "wanted": 89, "fixed": ["hours_slpt"]}, "validation", "fixed"),
        ("exam/counterfactual", {"row": [1], "wanted": 89}, "table", None),
        ("exam/counterfactual", {"row": 7, "wanted": 89}, "validation", "row"),
        ("exam/trace", {"row": [1, 5, 7]}, "table", None),
        ("exam/trace", {"row": [1, 5], "y": "much"}, "table", None),
        ("exam/trace", {"row": [1, 5], "y": [1, 2]}, "table", None),
        ("exam/trace", {"row": {"hours_studied": 1, "hours_slept": 5}, "y": [86, 87]}, "validation", "y"),
        ("exam/trace", {"row": {"hours_studied": 1, "hours_slept": 5}, "y": []}, "validation", "y"),
        ("exam/trace", {}, "validation", "row"),
        ("pass/trace", {"row": [1, 5], "y": "perhaps"}, "target", None),
        ("exam/gradcheck", {"rows": []}, "table", None),
        ("exam/gradcheck", {"X": [[1, 5]]}, "validation", "rows"),
    ],
)
async def test_what_cannot_be_looked_at_is_refused(
    path: str, body: dict[str, Any], slug: str, field: str | None, exam: httpx.AsyncClient
) -> None:
    """By name, with the remedy."""
    answer = await problem(exam, f"/models/{path}", body)

    assert answer["type"] == f"/problems/{slug}"
    if field:
        assert answer["errors"][0]["field"].split(".")[0] == field


async def test_a_check_that_would_take_minutes_is_refused(client: httpx.AsyncClient) -> None:
    """It says how many rows there may be, or that the networks are too large for any."""
    rows = [{"x": x, "y": x % 7} for x in range(3000)]
    network = {"hidden": [200, 200]}
    request = {
        "name": "large",
        "rows": rows,
        "target": "y",
        "network": network,
        "training": {"optimizer": "adam", "epochs": 1},
    }
    (await client.post("/train", json=request)).raise_for_status()

    answer = await problem(client, "/models/large/gradcheck", {"rows": rows})

    assert (answer["status"], answer["type"]) == (422, "/problems/budget")
    assert "rows at most" in answer["detail"]


async def test_answers_of_several_targets_have_no_counterfactual(client: httpx.AsyncClient) -> None:
    """It is said so."""
    rows = [{"x": x, "a": x, "b": -x} for x in range(12)]
    (await client.post("/train", json={"name": "two", "rows": rows, "target": ["a", "b"]})).raise_for_status()

    answer = await problem(client, "/models/two/counterfactual", {"row": [1], "wanted": 3})

    assert "one answer" in answer["detail"]
