"""Many models in one request: what is made, what it is called, what is refused, and that it is one job."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.settings import Settings
from app.store.api_keys import Quotas
from app.store.catalogue import Catalogue
from tests.api.problem import problem
from tests.conftest import MakeKey, client_of

BATCH = "/train/batch"
FEW_EPOCHS: dict[str, Any] = {"training": {"epochs": 3}}


def rows_of(group: object, count: int = 12, slope: float = 1.0) -> Iterator[dict[str, Any]]:
    """Give rows of one group."""
    for row in range(count):
        yield {"pupil": group, "hours": row % 5, "slept": row % 3, "score": slope * (row % 5) + row % 3}


def request(*groups: object, **more: Any) -> dict[str, Any]:
    """Ask for a model of each group."""
    rows = [row for group in groups for row in rows_of(group)]
    return {"name": "exam", "group_by": "pupil", "rows": rows, "target": "score"} | FEW_EPOCHS | more


async def test_each_group_is_a_usual_model(client: httpx.AsyncClient) -> None:
    """Versioned, called after its group, described, and asked as any; the column of the groups is no input."""
    rows = [*rows_of("ann", slope=1.0), *rows_of("ben", slope=100.0)]

    response = await client.post(BATCH, json=request(rows=rows, training={"epochs": 300}))

    made = response.json()
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/jobs/{made['job']}/models"
    assert [(each["group"], each["model"], each["version"]) for each in made["models"]] == [
        ("ann", "exam.ann", 1),
        ("ben", "exam.ben", 1),
    ]
    told = (await client.get("/models/exam.ben")).json()
    assert [column["name"] for column in told["columns"]] == ["hours", "slept"]
    assert told["report"]["metrics"]["validation"]["rmse"] == made["models"][1]["validation"]["rmse"]
    answers = {}
    for name in ("ann", "ben"):
        asked = {"rows": [{"hours": 3, "slept": 1}], "interval": 0.9}
        answer = (await client.post(f"/models/exam.{name}/predict", json=asked)).json()
        answers[name] = answer["predictions"][0]
        lower, upper = answer["intervals"][0]
        assert lower <= answers[name] <= upper
    assert answers["ann"] == pytest.approx(4, abs=0.6)
    assert answers["ben"] == pytest.approx(301, abs=30)
    job = (await client.get(f"/jobs/{made['job']}")).json()
    assert (job["status"], job["groups"], job["epoch"], job["epochs"]) == ("succeeded", 2, 2, 2)
    assert (await client.get(f"/jobs/{made['job']}/models")).json() == made


async def test_trained_again_each_is_the_next_version(client: httpx.AsyncClient) -> None:
    """With those that are new beside; and `keep_last` holds for each model."""
    await client.post(BATCH, json=request("a", "b"))
    await client.patch("/models/exam.a", json={"keep_last": 1})

    made = (await client.post(BATCH, json=request("a", "b", "c"))).json()

    assert {each["model"]: each["version"] for each in made["models"]} == {"exam.a": 2, "exam.b": 2, "exam.c": 1}
    versions = [(await client.get(f"/models/exam.{name}")).json()["versions"] for name in "abc"]
    assert versions == [[2], [1, 2], [1]]


async def test_a_group_is_the_same_bits_with_others_and_alone(client: httpx.AsyncClient) -> None:
    """One group in a request of its own has the weights that it has among others."""
    await client.post(BATCH, json=request("a", "b", "c", name="many"))
    made = (await client.post(BATCH, json=request("b", name="one"))).json()

    weights = [(await client.get(f"/models/{name}.b/weights")).json() for name in ("many", "one")]

    assert [each["group"] for each in made["models"]] == ["b"]
    assert weights[0]["members"] == weights[1]["members"]


async def test_groups_may_be_of_any_size(client: httpx.AsyncClient) -> None:
    """Also too small, which is told of that group; the others are trained."""
    sizes = {"a": 40, "b": 3, "c": 1, "d": 40, "e": 17}
    rows = [row for group, size in sizes.items() for row in rows_of(group, size)]

    made = (await client.post(BATCH, json=request(rows=rows))).json()

    told = {each["group"]: each for each in made["models"]}
    assert {group: each["rows"] for group, each in told.items()} == sizes
    assert [group for group, each in told.items() if each["error"]] == ["c"]
    assert (told["c"]["version"], told["b"]["version"]) == (None, 1)
    assert "at least 2" in told["c"]["error"]
    assert told["b"]["validation"] is None
    assert (await client.get("/models/exam.c")).status_code == 404


async def test_where_no_group_can_be_learnt_that_is_the_answer(client: httpx.AsyncClient) -> None:
    """A 422, and the job has failed; nothing was made."""
    rows = [row for group in "abc" for row in rows_of(group, 1)]

    answer = await problem(client, BATCH, request(rows=rows))

    assert answer["status"] == 422
    assert "No group can be learnt" in answer["detail"]
    (job,) = (await client.get("/jobs")).json()["jobs"]
    assert job["status"] == "failed"
    assert (await client.get("/models")).json()["models"] == []


async def test_classes_are_learnt_in_groups(client: httpx.AsyncClient) -> None:
    """Each with the classes that it has; one with a single class has an error."""
    rows = [row | {"score": "nyx"[row["hours"] % 3]} for row in rows_of("three")]
    rows += [row | {"score": "ny"[row["hours"] % 2]} for row in rows_of("two")]
    rows += [row | {"score": "y"} for row in rows_of("one")]

    made = (await client.post(BATCH, json=request(rows=rows))).json()

    told = {each["group"]: each for each in made["models"]}
    assert "one class" in told["one"]["error"]
    assert list(told["two"]["validation"]) == ["log_loss"]
    labels = [(await client.get(f"/models/exam.{name}")).json()["labels"] for name in ("two", "three")]
    assert labels == [["n", "y"], ["n", "x", "y"]]


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ((7, 8.5, -1), {"exam.7", "exam.8.5", "exam.-1"}),
        ((True, False), {"exam.true", "exam.false"}),
        (("a.b", "c_d", "e-f"), {"exam.a.b", "exam.c_d", "exam.e-f"}),
        (("2024-01-31",), {"exam.2024-01-31"}),
    ],
)
async def test_groups_may_be_texts_or_numbers(
    groups: tuple[object, ...], names: set[str], client: httpx.AsyncClient
) -> None:
    """Models are called as they are written."""
    made = (await client.post(BATCH, json=request(*groups))).json()

    assert {each["model"] for each in made["models"]} == names


async def test_a_csv_with_settings_in_the_address_keeps_007(client: httpx.AsyncClient) -> None:
    """Which is another group than 7."""
    lines = [f"{group},{row % 5},{row}" for group in ("007", "7") for row in range(6)]
    params = {"name": "exam", "group_by": "pupil", "target": "score"}

    response = await client.post(
        BATCH, params=params, content="\n".join(["pupil,hours,score", *lines]), headers={"content-type": "text/csv"}
    )

    assert response.status_code == 201, response.text
    assert {each["group"] for each in response.json()["models"]} == {"007", "7"}


@pytest.mark.parametrize("group", ["Ann", "a b", "ä", "a/b", "..", "x" * 60, ".", "", None, "a..b", "a\nb"])
async def test_what_can_be_no_name_is_refused_by_row_and_column(group: object, client: httpx.AsyncClient) -> None:
    """Before anything is trained, with what to do."""
    rows = [*rows_of("good", 3), *rows_of(group, 2)]

    answer = await problem(client, BATCH, request(rows=rows))

    assert answer["status"] == 422
    assert (answer["errors"][0]["row"], answer["errors"][0]["column"]) == (3, "pupil")
    assert answer["total_errors"] == 2
    assert "Send other words" in answer["detail"]
    assert (await client.get("/jobs")).json()["jobs"] == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"group_by": "nobody"}, "group_by"),
        ({"group_by": "score"}, "group_by"),
        ({"group_by": 3}, "group_by"),
        ({"weight": "pupil"}, "group_by"),
        ({"sweep": {"epochs": [1, 2]}}, "sweep"),
        ({"name": "Exam"}, "name"),
        ({"training": {"optimizer": "lbfgs"}}, "training.optimizer"),
        ({"training": {"schedule": "plateau"}}, "training.schedule"),
    ],
)
async def test_what_cannot_be_asked_for_is_named(more: dict[str, Any], field: str, client: httpx.AsyncClient) -> None:
    """By its field."""
    answer = await problem(client, BATCH, request("a", "b") | more)

    assert answer["status"] == 422
    assert answer["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"group_by": "score"}, "another column"), ({"sweep": {"epochs": [1, 2]}}, "no such setting here")],
)
async def test_what_was_sent_is_not_guessed_to_be_meant(
    more: dict[str, Any], expected: str, client: httpx.AsyncClient
) -> None:
    """Where it may not be sent here, it is no remedy to send it."""
    answer = await problem(client, BATCH, request("a", "b") | more)

    assert answer["errors"][0]["expected"] == expected


@pytest.mark.parametrize("name", ["x" * 62, "x."])
async def test_a_name_may_be_what_does_not_fit(name: str, client: httpx.AsyncClient) -> None:
    """Groups that could follow another name are refused, with word of that."""
    answer = await problem(client, BATCH, request("a", "b") | {"name": name})

    assert answer["status"] == 422
    assert "or another name" in answer["detail"]


async def test_without_a_column_of_groups_there_is_nothing_to_do(client: httpx.AsyncClient) -> None:
    """It is named; and where `POST /train` is given one, it says that there is none."""
    body = request("a")
    del body["group_by"]

    assert (await problem(client, BATCH, body))["errors"][0]["field"] == "group_by"
    assert (await problem(client, "/train", request("a")))["errors"][0]["field"] == "group_by"


async def test_more_groups_than_are_allowed_are_refused(settings: Settings) -> None:
    """With how many there are, and may be."""
    async with client_of(settings.model_copy(update={"most_groups": 2})) as client:
        assert (await client.post(BATCH, json=request("a", "b"))).status_code == 201
        answer = await problem(client, BATCH, request("a", "b", "c"))

    assert answer["status"] == 422
    assert (answer["errors"][0]["got"], answer["errors"][0]["field"]) == ("3", "group_by")


async def test_all_groups_together_are_within_the_budget(settings: Settings) -> None:
    """What two may take, two hundred may not."""
    few, many = request("a", "b"), request(*map(str, range(200)))
    async with client_of(settings.model_copy(update={"most_operations": 2e7})) as client:
        assert (await client.post(BATCH, json=few)).status_code == 201
        answer = await problem(client, BATCH, many)

    assert answer["type"] == "/problems/budget"


async def test_who_does_not_wait_has_the_job(client: httpx.AsyncClient) -> None:
    """202, and the models are listed under it, a page at a time, with an Idempotency-Key once."""
    keyed = {"idempotency-key": "groups"}
    response = await client.post(BATCH, params={"wait": 0}, json=request(*"abcde"), headers=keyed)
    job = response.json()["job"]
    again = await client.post(BATCH, params={"wait": 60}, json=request(*"abcde"), headers=keyed)

    assert response.status_code == 202
    assert response.json()["groups"] == 5
    assert (again.status_code, again.json()["job"]) == (201, job)
    assert again.headers["idempotency-replayed"] == "true"
    page = (await client.get(f"/jobs/{job}/models", params={"limit": 3})).json()
    rest = (await client.get(f"/jobs/{job}/models", params={"limit": 3, "after": page["next"]})).json()
    assert [each["group"] for each in page["models"] + rest["models"]] == [*"abcde"]
    assert rest["next"] is None
    assert {each["version"] for each in again.json()["models"]} == {1}


async def test_a_training_without_groups_has_one_model(client: httpx.AsyncClient) -> None:
    """Which is listed as any."""
    body = {"name": "exam", "rows": [*rows_of("a")], "target": "score"} | FEW_EPOCHS
    await client.post("/train", json=body)
    (job,) = (await client.get("/jobs")).json()["jobs"]

    (only,) = (await client.get(f"/jobs/{job['job']}/models")).json()["models"]

    assert (job["groups"], only["group"], only["model"], only["version"]) == (None, None, "exam", 1)


async def test_a_dataset_has_groups_too(client: httpx.AsyncClient) -> None:
    """All of it, as a table would."""
    dataset = (await client.post("/datasets", json=[*rows_of("a"), *rows_of("b")])).json()["dataset"]
    asked = {"name": "exam", "group_by": "pupil", "dataset": dataset, "target": "score"} | FEW_EPOCHS

    response = await client.post(BATCH, json=asked)

    assert response.status_code == 201, response.text
    assert {each["model"] for each in response.json()["models"]} == {"exam.a", "exam.b"}


async def test_x_and_y_have_groups_too(client: httpx.AsyncClient) -> None:
    """By the name of a column of `X`; weights go with their rows."""
    rows = [*rows_of("b"), *rows_of("a")]
    asked = {"name": "exam", "group_by": "pupil", "columns": ["pupil", "hours"], "y": [row["score"] for row in rows]}
    asked |= {"X": [[row["pupil"], row["hours"]] for row in rows], "weights": [1] * 12 + [0] * 12}

    made = (await client.post(BATCH, json=asked | FEW_EPOCHS)).json()

    told = {each["group"]: each for each in made["models"]}
    assert told["b"]["version"] == 1
    assert "weigh 0" in told["a"]["error"]


async def test_a_key_has_to_be_for_all_the_names(settings: Settings, make_key: MakeKey) -> None:
    """403 before anything is trained; and the job is of who asked for it, whatever the names."""
    own, other = make_key("train", models=("exam.a*",)), make_key("train", models=("exam*",))
    async with client_of(settings) as client:
        refused = await client.post(BATCH, json=request("a1", "b1"), headers=own)
        made = await client.post(BATCH, json=request("a1", "a2"), headers=own)
        path = f"/jobs/{made.json()['job']}"
        statuses = [(await client.get(path, headers=key)).status_code for key in (own, other)]
        lists = [(await client.get(f"{path}/models", headers=key)).status_code for key in (own, other)]

    assert refused.status_code == 403
    assert "exam.a*" in refused.json()["detail"]
    assert made.status_code == 201, made.text
    assert statuses == lists == [200, 404]


async def test_a_key_has_to_have_room_for_all_the_models(settings: Settings, make_key: MakeKey) -> None:
    """429 before anything is trained, for models that would be new; those that are there take no more room."""
    key = make_key("train", models=("exam.*",), quotas=Quotas(stored=3))
    async with client_of(settings) as client:
        assert (await client.post(BATCH, json=request("a", "b"), headers=key)).status_code == 201
        refused = await client.post(BATCH, json=request("a", "c", "d"), headers=key)
        jobs = (await client.get("/jobs", headers=key)).json()["jobs"]
        fits = await client.post(BATCH, json=request("a", "b", "c"), headers=key)

    assert (refused.status_code, fits.status_code) == (429, 201)
    assert "no room for this" in refused.json()["detail"]  # there is, for one
    assert len(jobs) == 1


async def test_a_key_without_the_scope_may_not(settings: Settings, make_key: MakeKey) -> None:
    """Predicting is another scope."""
    key = make_key("predict")
    async with client_of(settings) as client:
        assert (await client.post(BATCH, json=request("a"), headers=key)).status_code == 403


async def test_two_thousand_groups_are_one_request(client: httpx.AsyncClient, catalogue: Catalogue) -> None:
    """In few transactions; each is there, and none twice."""
    rows = [row for group in range(2000) for row in rows_of(group, 4)]
    before = catalogue.generation

    response = await client.post(BATCH, params={"wait": 100}, json=request(rows=rows, training={"epochs": 2}))

    made = response.json()
    assert response.status_code == 201, response.text
    assert {each["model"] for each in made["models"]} == {f"exam.{group}" for group in range(2000)}
    assert {each["version"] for each in made["models"]} == {1}
    assert {each["error"] for each in made["models"]} == {None}
    assert catalogue.generation != before
    assert (await client.post("/models/exam.1999/predict", json={"X": [[1, 2]]})).status_code == 200
