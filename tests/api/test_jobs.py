"""Jobs over HTTP: asked for once, followed as they go, ended on request, remembered."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from app.settings import Settings
from tests.api.datasets import AS_CSV, CSV
from tests.conftest import ROWS, TUTORIAL, client_of

LONG = TUTORIAL | {"name": "long", "training": {"epochs": 10_000_000}}


class Event(NamedTuple):
    """One Server-Sent Event."""

    kind: str
    id: str | None
    data: dict[str, Any]


async def events(client: httpx.AsyncClient, job: str, **headers: str) -> list[Event]:
    """Follow a job to its end."""
    return events_in((await client.get(f"/jobs/{job}/events", headers=headers)).raise_for_status().text)


def events_in(text: str) -> list[Event]:
    """Read Server-Sent Events."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        found.append(Event(fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


async def submitted(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Ask for a training without waiting for it."""
    response = await client.post("/train", params={"wait": 0}, json=body, headers=headers)
    assert response.status_code == 202, response.text
    return dict(response.json())


@pytest.fixture
async def one_at_a_time(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings.model_copy(update={"trainings_at_once": 1})) as client:
        yield client


async def test_events_tell_states_and_progress_and_end_with_the_job(client: httpx.AsyncClient) -> None:
    """Each with its epoch as id, speed and time to go; ten at least where there are so many epochs."""
    job = (await submitted(client, TUTORIAL))["job"]

    told = await events(client, job)

    progress = [event for event in told if event.kind == "progress"]
    assert [event.kind for event in told[-1:]] == ["succeeded"]
    assert told[-1].data["version"] == 1
    assert 10 <= len(progress) <= 1000
    assert [int(event.id or 0) for event in progress] == [event.data["epoch"] for event in progress]
    assert progress[-1].data["epoch"] == 1000
    assert progress[-1].data["eta_seconds"] == 0
    assert all(event.data["rows_per_second"] > 0 for event in progress)
    history = (await client.get(f"/jobs/{job}")).json()["history"]
    assert history["loss"] == [event.data["loss"] for event in progress]
    assert history["validation_loss"] is None


async def test_events_go_on_after_the_last_that_was_seen(client: httpx.AsyncClient) -> None:
    """What is odd there is no obstacle: all is told."""
    job = (await submitted(client, TUTORIAL))["job"]
    whole = await events(client, job)

    rest = await events(client, job, **{"Last-Event-ID": "500"})

    assert rest == [
        event for event in await events(client, job) if event.kind != "progress" or int(event.id or 0) > 500
    ]
    assert rest[0].data["epoch"] == 502
    for odd in ("", "x", "-3", "9" * 5000):
        told = await events(client, job, **{"Last-Event-ID": odd})
        assert told[-1].kind == "succeeded"
    assert whole[-1].data["status"] == "succeeded"


async def test_points_are_thinned_as_asked(client: httpx.AsyncClient) -> None:
    """First and last always among them."""
    job = (await submitted(client, TUTORIAL))["job"]
    await events(client, job)

    thin = (await client.get(f"/jobs/{job}", params={"max_points": 3})).json()["history"]

    assert len(thin["epochs"]) == len(thin["loss"]) == 3
    assert (thin["epochs"][0], thin["epochs"][-1]) == (1, 1000)
    assert (await client.get(f"/jobs/{job}", params={"max_points": 0})).status_code == 422


async def test_one_key_is_one_job_from_fifty_clients(client: httpx.AsyncClient) -> None:
    """All get the same version, then and later; another body under the key is 409, and so is another query."""
    key = {"Idempotency-Key": "order-66"}
    answers = await asyncio.gather(*[client.post("/train", json=TUTORIAL, headers=key) for _ in range(50)])

    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["reference"] for answer in answers} == {"exam/1"}
    assert len((await client.get("/jobs")).json()["jobs"]) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    again = await client.post("/train", params={"wait": 5}, json=TUTORIAL, headers=key)
    assert again.json() == answers[0].json()
    assert again.headers["idempotency-replayed"] == "true"
    for body, params in ((TUTORIAL | {"tags": {"a": "b"}}, {}), (TUTORIAL, {"priority": 1})):
        other = await client.post("/train", json=body, params=params, headers=key)
        assert (other.status_code, other.json()["type"]) == (409, "/problems/key-reused")


async def test_a_key_is_known_after_a_restart_and_while_its_job_runs(settings: Settings) -> None:
    """The failed stay failed, with the same problem; the running answer 202 with the same job."""
    failing = {"rows": ROWS, "target": "score", "network": {"hidden": [], "activation": "relu"}}
    failing |= {"training": {"optimizer": "gradient_descent", "learning_rate": 1e6}}
    keys = [{"Idempotency-Key": name} for name in ("fails", "runs")]
    async with client_of(settings) as client:
        first = await client.post("/train", json=failing, headers=keys[0])
        assert first.status_code == 422
        job = await submitted(client, LONG, **keys[1])
        assert (await submitted(client, LONG, **keys[1]))["job"] == job["job"]

    async with client_of(settings) as client:
        again = await client.post("/train", json=failing, headers=keys[0])
        assert [again.json()[field] for field in ("type", "detail")] == [
            first.json()[field] for field in ("type", "detail")
        ]
        assert [answer.headers.get("idempotency-replayed") for answer in (first, again)] == [None, "true"]
        assert (await submitted(client, LONG, **keys[1]))["job"] == job["job"]
        await client.delete(f"/jobs/{job['job']}")


async def test_a_key_stands_for_one_upload(client: httpx.AsyncClient) -> None:
    """The same bytes are the same dataset; other bytes, or a training, are 409 under its key."""
    key = {"Idempotency-Key": "table-1"}

    first = (await client.post("/datasets", content=CSV, headers=AS_CSV | key)).raise_for_status()
    again = (await client.post("/datasets", content=CSV, headers=AS_CSV | key)).raise_for_status()
    other = await client.post("/datasets", content=CSV + CSV[-9:], headers=AS_CSV | key)
    training = await client.post("/train", json=TUTORIAL, headers=key)

    assert first.json() == again.json()
    assert [answer.headers.get("idempotency-replayed") for answer in (first, again)] == [None, "true"]
    for refused in (other, training):
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/key-reused")
    assert len((await client.get("/datasets")).json()["datasets"]) == 1
    assert (await client.get("/jobs")).json()["jobs"] == []
    await client.delete(f"/datasets/{first.json()['dataset']}")
    anew = await client.post("/datasets", content=CSV, headers=AS_CSV | key)
    assert (anew.status_code, anew.headers.get("idempotency-replayed")) == (201, None)


async def test_what_is_refused_uses_no_key_up(client: httpx.AsyncClient) -> None:
    """An upload, or a training, may be sent again under its key once it is mended."""
    key = {"Idempotency-Key": "table-1"}
    assert (await client.post("/datasets", content=b"", headers=AS_CSV | key)).status_code == 422
    assert (await client.post("/datasets", content=CSV, headers=AS_CSV | key)).status_code == 201

    key = {"Idempotency-Key": "training-1"}
    assert (await client.post("/train", json=TUTORIAL | {"target": "grade"}, headers=key)).status_code == 422
    assert (await client.post("/train", json=TUTORIAL, headers=key)).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\tb"])
async def test_a_key_has_to_be_plain(key: str, client: httpx.AsyncClient) -> None:
    """Up to 255 visible characters."""
    response = await client.post("/train", json=TUTORIAL, headers={b"Idempotency-Key": key.encode("latin-1")})

    assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-key")


async def test_a_job_is_cancelled_once(one_at_a_time: httpx.AsyncClient) -> None:
    """Waiting or running: it ends as cancelled, soon; cancelling again changes nothing; nothing was saved."""
    client = one_at_a_time
    running, waiting = [(await submitted(client, LONG))["job"] for _ in range(2)]
    assert (await client.get("/jobs", params={"state": "queued"})).json()["jobs"][0]["job"] == waiting

    for job in (waiting, running):
        assert (await client.delete(f"/jobs/{job}")).status_code == 200
        assert (await events(client, job))[-1].kind == "cancelled"
        again = await client.delete(f"/jobs/{job}")
        assert again.json()["status"] == "cancelled"

    assert (await client.get("/models/long")).status_code == 404
    assert (await client.delete("/jobs/nothing")).status_code == 404
    for method in ("GET", "DELETE"):
        assert (await client.request(method, f"/jobs/{running}%00")).status_code == 404


async def test_whoever_cancels_a_job_is_told_how_far_it_is(client: httpx.AsyncClient) -> None:
    """As everybody who asks for it is."""
    job = (await submitted(client, LONG))["job"]
    while (before := (await client.get(f"/jobs/{job}")).json()["epoch"]) is None:
        pass

    told = (await client.delete(f"/jobs/{job}")).json()

    assert told["epoch"] >= before
    assert told["loss"] is not None


async def test_who_waits_for_a_job_that_is_cancelled_is_told(client: httpx.AsyncClient) -> None:
    """409: it was asked for, and it was asked to end."""
    waiting = asyncio.create_task(client.post("/train", json=LONG))
    jobs: list[dict[str, Any]] = []
    for _ in range(200):
        jobs = (await client.get("/jobs")).json()["jobs"]
        if jobs:
            break
        await asyncio.sleep(0.02)
    await client.delete(f"/jobs/{jobs[0]['job']}")

    answer = await waiting

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/cancelled")


async def test_a_training_may_have_a_limit_of_its_own(client: httpx.AsyncClient) -> None:
    """As if the service had it."""
    answer = await client.post("/train", params={"timeout_seconds": 0.2}, json=LONG)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/too-long")


@pytest.mark.parametrize(
    "odd",
    [
        {"priority": "high"},
        {"priority": 101},
        {"timeout_seconds": 0},
        {"wait": -1},
        {"cancel_on_disconnect": 3},
        {"max_epochs": 0},
        {"max_epochs": 1.5},
    ],
)
async def test_what_is_asked_beside_the_settings_is_checked(odd: dict[str, Any], client: httpx.AsyncClient) -> None:
    """Before anything is trained."""
    assert (await client.post("/train", params=odd, json=TUTORIAL)).status_code == 422
    assert (await client.get("/jobs")).json()["jobs"] == []


async def test_higher_priorities_go_first(one_at_a_time: httpx.AsyncClient) -> None:
    """Of those that wait."""
    client = one_at_a_time
    long = (await submitted(client, LONG))["job"]
    answers = [
        client.post("/train", params={"wait": 60, "priority": level}, json=TUTORIAL | {"name": f"level{level}"})
        for level in (0, 5)
    ]
    waiting = [asyncio.create_task(answer) for answer in answers]
    for _ in range(200):
        if len((await client.get("/jobs", params={"state": "queued"})).json()["jobs"]) == 2:
            break
        await asyncio.sleep(0.02)
    await client.delete(f"/jobs/{long}")
    await asyncio.gather(*waiting)

    ended = {job["model"]: job["ended"] for job in (await client.get("/jobs")).json()["jobs"]}
    assert ended["level5"] < ended["level0"]


async def test_jobs_are_listed_by_state(client: httpx.AsyncClient) -> None:
    """A state that there is not is a mistake of the asker."""
    await client.post("/train", json=TUTORIAL)

    assert len((await client.get("/jobs", params={"state": "succeeded"})).json()["jobs"]) == 1
    assert (await client.get("/jobs", params={"state": "failed"})).json()["jobs"] == []
    assert (await client.get("/jobs", params={"state": "lost"})).status_code == 422


async def test_a_training_may_have_a_bound_of_epochs_of_its_own(client: httpx.AsyncClient) -> None:
    """It succeeds after so many, says so, and leaves its settings as they are; the bound is part of the request."""
    key = {"Idempotency-Key": "bounded"}

    answer = await client.post("/train", params={"max_epochs": 7}, json=TUTORIAL, headers=key)

    assert answer.status_code == 201
    report = answer.json()["report"]
    assert (report["epochs"], report["stopped"], report["warnings"]) == (7, "max_epochs", [])
    assert answer.json()["training"]["epochs"] == 1000
    (job,) = (await client.get("/jobs")).json()["jobs"]
    assert (job["status"], job["epoch"], job["epochs"], job["partial"]) == ("succeeded", 7, 7, False)
    other = await client.post("/train", params={"max_epochs": 8}, json=TUTORIAL, headers=key)
    assert other.json()["type"] == "/problems/key-reused"
