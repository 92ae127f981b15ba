"""Pausing over HTTP: a learner steps through a training, epoch by epoch."""

import asyncio
import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.problem import problem
from tests.api.test_jobs import events_in
from tests.conftest import TUTORIAL


async def paused(client: httpx.AsyncClient, **query: Any) -> str:
    """Ask for a training that waits before its first epoch; give its job."""
    response = await client.post("/train", params={"paused": True, "wait": 30} | query, json=TUTORIAL)
    assert response.status_code == 202, response.text
    assert response.json()["paused"] is True
    return str(response.json()["job"])


async def asked(client: httpx.AsyncClient, job: str, what: str, **query: Any) -> dict[str, Any]:
    response = await client.post(f"/jobs/{job}/{what}", params=query)
    return dict(response.raise_for_status().json())


async def test_a_training_is_stepped_through(client: httpx.AsyncClient) -> None:
    """Each answer has the epoch and its loss, as the history of a training in peace has them; then it goes on."""
    job = await paused(client)

    steps = [await asked(client, job, "step") for _ in range(3)]
    steps.append(await asked(client, job, "step", epochs=20))
    shown = (await client.get(f"/jobs/{job}")).json()
    resumed = await asked(client, job, "resume")
    while (ended := (await client.get(f"/jobs/{job}")).json())["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)

    whole = (await client.post("/train", json=TUTORIAL)).raise_for_status().json()
    history = (await client.get("/models/exam/history")).json()
    assert [step["epoch"] for step in steps] == [1, 2, 3, 23]
    assert [step["loss"] for step in steps] == [history["loss"][step["epoch"] - 1] for step in steps]
    assert all(step["paused"] for step in steps)
    assert (shown["status"], shown["paused"], shown["epoch"]) == ("running", True, 23)
    assert (resumed["paused"], ended["paused"], ended["status"]) == (False, False, "succeeded")
    assert (await client.get("/models/exam/versions/1")).json()["sha256"] == whole["sha256"]


async def test_a_network_is_seen_while_it_learns(client: httpx.AsyncClient) -> None:
    """Once what it is, then its weights after each step; answers that are computed from the last are the model's."""
    job = await paused(client)
    following = asyncio.create_task(client.get(f"/jobs/{job}/events", params={"weights": True}))
    for _ in range(3):
        await asked(client, job, "step", epochs=333)
        await asyncio.sleep(0.3)
    await asked(client, job, "step")
    while (await client.get(f"/jobs/{job}")).json()["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)

    told = [event for event in events_in((await following).text) if event.kind in {"network", "weights"}]

    weights = (await client.get("/models/exam/weights")).json()
    network = told[0].data
    seen = {event.data["epoch"]: event.data["members"][0]["layers"][0]["W"] for event in told[1:]}
    assert {event.kind for event in told[1:]} == {"weights"}
    assert list(seen) == sorted(seen)
    assert seen.keys() >= {333, 666, 999}
    assert (network["inputs"], network["scaler"]) == (weights["inputs"], weights["target"])
    assert (network["target"], network["labels"]) == ("score", None)
    assert [column["name"] for column in network["columns"]] == ["hours_studied", "hours_slept"]
    off = np.abs(np.subtract(weights["members"][0]["layers"][0]["W"], [seen[333], seen[666], seen[999]])).max(
        axis=(1, 2)
    )
    assert off[0] > off[1] > off[2] > 0


async def test_a_large_network_is_not_shown_while_it_learns(client: httpx.AsyncClient) -> None:
    """Its progress is."""
    body = TUTORIAL | {
        "preset": None,
        "network": {"hidden": [500, 100]},
        "training": {"optimizer": "adam", "epochs": 30},
    }
    job = (await client.post("/train", params={"wait": 0}, json=body)).json()["job"]

    told = events_in((await client.get(f"/jobs/{job}/events", params={"weights": True})).text)

    assert {event.kind for event in told} <= {"queued", "running", "progress", "succeeded"}
    assert told[-1].kind == "succeeded"


async def test_a_paused_training_is_told_as_such(client: httpx.AsyncClient) -> None:
    """In the list of jobs, and as events when that changes; with a limit of its own it does not wait for ever."""
    job = await paused(client)
    following = asyncio.create_task(client.get(f"/jobs/{job}/events"))
    (listed,) = (await client.get("/jobs")).json()["jobs"]
    await asyncio.sleep(0.3)
    await asked(client, job, "step")
    await asked(client, job, "resume")
    await asyncio.sleep(0.3)

    text = (await following).text
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]

    assert listed["paused"] is True
    states = [(data["status"], data["paused"]) for data in told if "status" in data]
    assert states in (
        [("running", True), ("running", False), ("succeeded", False)],
        [("running", True), ("succeeded", False)],  # it was over before anyone looked
    )
    limited = await paused(client, timeout_seconds=0.3)
    while (ended := (await client.get(f"/jobs/{limited}")).json())["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)
    assert (ended["status"], ended["paused"]) == ("failed", False)
    assert "longer than" in ended["error"]


async def test_pausing_twice_is_pausing_once(client: httpx.AsyncClient) -> None:
    """The second time it says the same; cancelled, it is over at once."""
    job = await paused(client)

    assert [(await asked(client, job, "pause"))["paused"] for _ in range(2)] == [True, True]
    await client.delete(f"/jobs/{job}")
    while (ended := (await client.get(f"/jobs/{job}")).json())["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)
    assert (ended["status"], ended["paused"]) == ("cancelled", False)


@pytest.mark.parametrize("what", ["pause", "resume", "step"])
async def test_what_cannot_be_done_is_said(what: str, client: httpx.AsyncClient) -> None:
    """409 for a job that is over, 404 for one that never was."""
    model = (await client.post("/train", json=TUTORIAL)).raise_for_status()
    (job,) = (await client.get("/jobs")).json()["jobs"]

    over = await problem(client, f"/jobs/{job['job']}/{what}", b"")
    unknown = await problem(client, "/jobs/none/" + what, b"")

    assert model.status_code == 201
    assert (over["status"], over["type"]) == (409, "/problems/job-over")
    assert "succeeded" in over["detail"]
    assert (unknown["status"], unknown["type"]) == (404, "/problems/job-not-found")


async def test_only_what_is_paused_can_be_stepped(client: httpx.AsyncClient) -> None:
    """409 says what to do; how many epochs is checked."""
    long = TUTORIAL | {"training": {"epochs": 10_000_000}}
    job = (await client.post("/train", params={"wait": 0}, json=long)).json()["job"]

    refused = [await problem(client, f"/jobs/{job}/{what}", b"") for what in ("step", "resume")]

    for answer in refused:
        assert (answer["status"], answer["type"]) == (409, "/problems/not-paused")
        assert "/pause" in answer["detail"]
    for epochs in ("0", "-1", "x", "1.5", "100000000000000000000"):
        assert (await problem(client, f"/jobs/{job}/step?epochs={epochs}", b""))["status"] == 422
    for address, body in (("step?epoch=5", b""), ("step", b'{"epochs": 5}'), ("step", b"{")):
        assert (await problem(client, f"/jobs/{job}/{address}", body))["status"] == 422
    assert (await client.delete(f"/jobs/{job}", params={"keep": "best"})).status_code == 422
    assert (await client.get(f"/jobs/{job}")).json()["status"] == "running"
    await client.delete(f"/jobs/{job}")
