"""Searches over HTTP: asked for, followed, and told with the model."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from app.api.problems import KINDS
from app.api.trying import require_installed
from app.errors import SearchNotInstalled
from app.jobs.budget import estimate
from app.settings import Settings
from tests.api.datasets import uploaded
from tests.api.problem import problem
from tests.conftest import MakeKey, client_of
from tests.models.tables import recipe, wave

TABLE = wave(60, noise=0.2)
TRAIN: dict[str, Any] = {"name": "wave", "X": TABLE.X.tolist(), "y": np.asarray(TABLE.y)[:, 0].tolist()}
HOW: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 18, "batch_size": 16}}
SPACE = {"learning_rate": {"low": 0.001, "high": 0.3, "log": True}, "hidden": {"choices": [[], [4], [8, 8]]}}
SEARCH = {"trials": 5, "space": SPACE}


async def test_a_model_comes_with_the_leaderboard_of_its_search(client: httpx.AsyncClient) -> None:
    """Every trial: what it set, how it ended, its metric and its epochs; the best is the model, and trained anew."""
    response = await client.post("/train", json=TRAIN | HOW | {"search": SEARCH})

    made = response.json()
    assert response.status_code == 201, response.text
    search = made["report"]["search"]
    assert (search["metric"], search["rows"], len(search["trials"])) == ("rmse", 48, 5)
    assert [trial["number"] for trial in search["trials"]] == list(range(5))
    assert search["trials"][0]["settings"] == {}
    assert all(set(trial["settings"]) == set(SPACE) for trial in search["trials"][1:])
    assert {trial["state"] for trial in search["trials"]} <= {"complete", "pruned"}
    best = search["trials"][search["best"]]
    for name, value in best["settings"].items():
        assert (made["network"] | made["training"])[name] == value
    assert made["report"]["rows"] == 60
    told = await client.get("/models/wave")
    assert told.json()["report"]["search"] == search


async def test_the_same_request_comes_to_the_same_model(client: httpx.AsyncClient) -> None:
    """With the same leaderboard."""
    first, second = [(await client.post("/train", json=TRAIN | HOW | {"search": SEARCH})).json() for _ in range(2)]

    assert first["report"] == second["report"]
    one, other = [(await client.get(f"/models/wave/versions/{number}/weights")).json() for number in (1, 2)]
    assert one["members"] == other["members"]


async def test_a_model_of_a_search_is_verified_like_others(client: httpx.AsyncClient) -> None:
    """Trained again from its record, it is judged by the same rows, to the last bit."""
    table = [{"a": a, "b": b, "y": y} for (a, b), y in zip(TRAIN["X"], TRAIN["y"], strict=True)]
    dataset = (await client.post("/datasets", json=table)).json()["dataset"]
    asked = {"name": "wave", "dataset": dataset, "target": "y", "search": SEARCH} | HOW
    assert (await client.post("/train", json=asked)).status_code == 201

    verified = (await client.post("/models/wave/verify")).json()

    assert verified["verified"], verified


async def test_nothing_need_be_said_but_how_many_trials(client: httpx.AsyncClient) -> None:
    """Of classes too, and in the address of a table."""
    lines = "\n".join(f"{a},{b},{'up' if y > 50 else 'down'}" for (a, b), y in zip(TRAIN["X"], TRAIN["y"], strict=True))
    params = {"name": "kinds", "target": "kind", "search": json.dumps({"trials": 2})}
    response = await client.post(
        "/train", params=params, content=f"a,b,kind\n{lines}\n", headers={"content-type": "text/csv"}
    )

    assert response.status_code == 201, response.text
    search = response.json()["report"]["search"]
    assert (search["metric"], len(search["trials"])) == ("log_loss", 2)


async def test_a_budget_in_seconds_ends_with_a_model(client: httpx.AsyncClient) -> None:
    """However short it is: the first trial is done."""
    response = await client.post("/train", json=TRAIN | HOW | {"search": {"budget_seconds": 0.001, "metric": "r2"}})

    assert response.status_code == 201, response.text
    search = response.json()["report"]["search"]
    assert (search["metric"], search["best"], len(search["trials"])) == ("r2", 0, 1)


async def test_a_search_is_followed_as_it_goes_on(client: httpx.AsyncClient) -> None:
    """Its job tells the trials that are over, of how many, and the best so far; so do its events; then it goes on."""
    response = await client.post("/train", json=TRAIN | HOW | {"search": SEARCH}, params={"paused": True})
    job = f"/jobs/{response.json()['job']}"
    assert response.json()["search"] is None
    while (told := (await client.get(job)).json())["search"] is None or told["search"]["done"] < 2:
        await client.post(f"{job}/step", params={"epochs": 4})

    search = told["search"]
    assert told["paused"]
    assert (search["metric"], search["most"], search["budget_seconds"]) == ("rmse", 5, None)
    assert search["done"] == len(search["trials"])
    complete = [trial for trial in search["trials"] if trial["value"] is not None]
    assert search["best"]["value"] == min(trial["value"] for trial in complete)
    (listed,) = (await client.get("/jobs")).json()["jobs"]
    assert listed["search"] == search | {"trials": None}
    assert told["epoch"] >= sum(trial["epochs"] for trial in search["trials"])
    events = await _until_over(client, job)
    assert [trial["number"] for event in events["search"] for trial in event["trials"]][: search["done"]] == list(
        range(search["done"])
    )
    assert events["succeeded"]
    assert (await client.get(job)).json()["search"] is None


async def _until_over(client: httpx.AsyncClient, job: str) -> dict[str, list[Any]]:
    await client.post(f"{job}/resume")
    told: dict[str, list[Any]] = {}
    async with client.stream("GET", f"{job}/events") as response:
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told.setdefault(name, []).append(json.loads(line.removeprefix("data: ")))
    return told


async def test_who_cancels_keeps_the_best_so_far(client: httpx.AsyncClient) -> None:
    """As a version that is marked partial and tells the trials that were over."""
    response = await client.post("/train", json=TRAIN | HOW | {"search": SEARCH}, params={"paused": True})
    job = f"/jobs/{response.json()['job']}"
    while (told := (await client.get(job)).json())["search"] is None:
        await client.post(f"{job}/step", params={"epochs": 6})
    await client.delete(job, params={"keep_best": True})
    while (told := (await client.get(job)).json())["ended"] is None:
        pass

    assert (told["status"], told["partial"]) == ("cancelled", True)
    report = (await client.get(f"/models/wave/versions/{told['version']}")).json()["report"]
    assert report["search"]["best"] is not None
    assert "The search was cancelled" in report["warnings"][0]


@pytest.mark.parametrize(
    ("search", "field"),
    [
        ({}, "search"),
        ({"trials": 3, "budget_seconds": 1}, "search"),
        ({"trials": 0}, "search.trials"),
        ({"trials": 201}, "search.trials"),
        ({"trials": 2.5}, "search.trials"),
        ({"trials": "many"}, "search.trials"),
        ({"trial": 3}, "search.trial"),
        ({"budget_seconds": 0}, "search.budget_seconds"),
        ({"budget_seconds": 1e9}, "search.budget_seconds"),
        ({"trials": 3, "metric": "accuracy"}, "search.metric"),
        ({"trials": 3, "metric": "beauty"}, "search.metric"),
        ({"trials": 3, "space": {}}, "search.space"),
        ({"trials": 3, "space": {"seed": {"choices": [1, 2]}}}, "search.space"),
        ({"trials": 3, "space": {"lerning_rate": {"low": 0.1, "high": 1}}}, "search.space"),
        ({"trials": 3, "space": {"l2": {}}}, "search.space.l2"),
        ({"trials": 3, "space": {"l2": {"low": 0.1}}}, "search.space.l2"),
        ({"trials": 3, "space": {"l2": {"low": 0.1, "high": 0.2, "choices": [0.1, 0.2]}}}, "search.space.l2"),
        ({"trials": 3, "space": {"l2": {"choices": [0.1, 0.2], "log": True}}}, "search.space.l2"),
        ({"trials": 3, "space": {"l2": {"low": 0.2, "high": 0.1}}}, "search.space.l2.high"),
        ({"trials": 3, "space": {"l2": {"low": 0, "high": 0.1, "log": True}}}, "search.space.l2.low"),
        ({"trials": 3, "space": {"l2": {"low": -1, "high": 0.1}}}, "search.space.l2.low"),
        ({"trials": 3, "space": {"l2": {"low": "a", "high": 0.1}}}, "search.space.l2.low"),
        ({"trials": 3, "space": {"epochs": {"low": 1.5, "high": 3}}}, "search.space.epochs.low"),
        ({"trials": 3, "space": {"activation": {"low": 1, "high": 3}}}, "search.space.activation.low"),
        ({"trials": 3, "space": {"activation": {"choices": ["tanh", "magic"]}}}, "search.space.activation.choices[1]"),
        ({"trials": 3, "space": {"activation": {"choices": ["tanh"]}}}, "search.space.activation.choices"),
        ({"trials": 3, "space": {"activation": {"choices": ["tanh", "tanh"]}}}, "search.space.activation.choices"),
        ({"trials": 3, "space": {"hidden": {"choices": [[4], [0]]}}}, "search.space.hidden.choices[1]"),
        ({"trials": 3, "space": {"hidden": {"choices": [[4], None]}}}, "search.space.hidden.choices[1]"),
        ({"trials": 3, "space": {"members": {"low": 1, "high": 65}}}, "search.space.members.high"),
        ([], "search"),
        (3, "search"),
    ],
)
async def test_what_cannot_be_searched_is_named(search: Any, field: str, client: httpx.AsyncClient) -> None:
    """The field, and what it takes."""
    answer = await problem(client, "/train", TRAIN | {"search": search})

    assert answer["status"] == 422
    assert answer["errors"][0]["field"].startswith(field)
    assert answer["errors"][0]["expected"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"X": TRAIN["X"][:19], "y": TRAIN["y"][:19]}, "20 rows"),
        ({"sweep": {"l2": [0.1, 0.2]}}, "sweep"),
        ({"network": {"hidden": [3], "activation": "tanh"}, "training": {"optimizer": "levenberg_marquardt"}}, "space"),
        (
            {
                "training": {"optimizer": "lbfgs"},
                "search": {"trials": 2, "space": {"dropout": {"low": 0.1, "high": 0.5}}},
            },
            "means nothing to lbfgs",
        ),
    ],
)
async def test_a_search_that_can_come_to_nothing_is_refused(
    how: dict[str, Any], told: str, client: httpx.AsyncClient
) -> None:
    """Before it begins, with what to do."""
    answer = await problem(client, "/train", TRAIN | {"search": {"trials": 2}} | how)

    assert answer["status"] == 422
    assert told in answer["detail"] + json.dumps(answer.get("errors", []))


async def test_a_metric_that_no_row_tells_is_said_so(client: httpx.AsyncClient) -> None:
    """With what to do: targets that are all alike have no r2."""
    alike = TRAIN | HOW | {"y": [1.0] * len(TRAIN["y"]), "search": {"trials": 1, "metric": "r2"}}

    answer = await problem(client, "/train", alike)

    assert answer["status"] == 422
    assert "Choose another metric" in answer["detail"]


async def test_a_dataset_that_memory_does_not_hold_is_not_searched(settings: Settings) -> None:
    """It is said what to do."""
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        content = b"a,b\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(4000))
        dataset = (await uploaded(client, content))["dataset"]

        answer = await problem(client, "/train", {"dataset": dataset, "target": "b", "search": {"trials": 2}})

    assert (answer["type"], "Search on a part of it" in answer["detail"]) == ("/problems/target", True)


async def test_trials_together_are_within_the_budget_and_each_is(client: httpx.AsyncClient) -> None:
    """What one training may take, many may not; nor may the dearest of a space take more than one may."""
    most = Settings().most_operations
    epochs = int(0.5 * most / estimate(TABLE, recipe(epochs=1000, hidden=(1000, 1000))).operations * 1000)
    large = {"network": {"hidden": [1000, 1000]}, "training": {"optimizer": "adam", "epochs": epochs}}
    dear = {"trials": 2, "space": {"epochs": {"low": 1, "high": 10_000_000}, "hidden": {"choices": [[1], [9999]]}}}

    together = await problem(client, "/train", TRAIN | large | {"search": {"trials": 9}})
    alone = await problem(client, "/train", TRAIN | {"search": dear})

    assert (together["type"], alone["type"]) == ("/problems/budget", "/problems/budget")


async def test_a_version_is_trained_on_without_a_search(client: httpx.AsyncClient) -> None:
    """Its settings are those of the version."""
    await client.post("/train", json=TRAIN | HOW)

    answer = await problem(client, "/models/wave/train", {"X": [[1, 2]], "y": [1], "search": {"trials": 2}})

    assert (answer["status"], answer["errors"][0]["field"]) == (422, "search")


def test_without_the_library_it_is_said_how_to_get_it() -> None:
    """A refusal of what was asked, not a fault of the service."""
    with pytest.raises(SearchNotInstalled, match=r"pip install 'netlet\[search\]'"):
        require_installed("a_package_that_is_not_there")
    require_installed()

    assert KINDS[SearchNotInstalled].status == 422


async def test_a_search_needs_a_key_to_train(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """As any training does."""
    body = TRAIN | HOW | {"search": {"trials": 1}}

    refused = await admin.post("/train", json=body, headers=make_key("predict"))
    taken = await admin.post("/train", json=body, headers=make_key("train"))

    assert (refused.status_code, taken.status_code) == (403, 201)
