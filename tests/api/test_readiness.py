"""`/livez` and `/readyz`: whether the service runs, whether it can work, and what is wrong where it cannot."""

from importlib.metadata import version
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.main import create_app
from app.settings import Settings
from app.store.databases import FILE
from tests.conftest import TUTORIAL, MakeKey, client_of

PROBES = ("/readyz", "/v2/health/ready", "/ping")


async def told_by(client: httpx.AsyncClient, status: int = 200, asked: str = "?verbose") -> Any:
    answer = await client.get(f"/readyz{asked}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


@pytest.mark.parametrize("asked", ["?verbose", "?verbose=true", "?verbose=1"])
async def test_all_that_is_known_is_told_where_it_is_asked_for(asked: str, client: httpx.AsyncClient) -> None:
    """Store, queue, libraries; else a word."""
    await client.post("/train?paused=true", json=TUTORIAL)

    told = await told_by(client, asked=asked)

    assert (told["status"], told["detail"]) == ("ok", None)
    assert told["store"]["free_bytes"] > told["store"]["reserve_bytes"] > 0
    assert told["store"]["catalogue"] in {"sqlite", "postgresql"}
    queue = {"queued": 0, "most_queued": 100, "running": 1, "running_here": 1, "most_here": 2, "trouble": None}
    assert told["queue"] == queue
    assert told["versions"]["numpy"] == version("numpy")
    for short in ("", "?verbose=false", "?verbose=0"):
        assert (await client.get(f"/readyz{short}")).json() == {"status": "ok"}


async def test_what_was_there_at_the_start_is_told(settings: Settings) -> None:
    """Models, their versions, and the trainings that somebody had left."""
    async with client_of(settings) as client:
        assert (await told_by(client))["found"].items() >= {"models": 0, "versions": 0, "unfinished_jobs": 0}.items()
        for name in ("exam", "exam", "other"):
            await client.post("/train", json=TUTORIAL | {"name": name})
        await client.post("/train?paused=true", json=TUTORIAL)
    async with client_of(settings) as client:
        found = (await told_by(client))["found"]

    assert found.items() >= {"alone": True, "models": 2, "versions": 3, "unfinished_jobs": 1}.items()


async def test_a_service_that_is_about_to_end_is_not_ready_but_alive(settings: Settings) -> None:
    """At once, by whatever protocol is asked, and /metrics has it too."""
    app: FastAPI = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netlet") as client,
    ):
        for probe in PROBES:
            assert (await client.get(probe)).status_code == 200
        parts: Parts = app.state.parts
        parts.stop()

        assert (await client.get("/livez")).status_code == 200
        for probe in PROBES:
            assert (await client.get(probe)).status_code == 503
        assert (await client.get("/readyz")).json()["type"] == "/problems/shutting-down"
        assert (await told_by(client, 503))["status"] == "shutting-down"
        assert "netlet_ready 0.0" in (await client.get("/metrics")).text


async def test_a_disk_that_is_too_full_is_said_so(settings: Settings) -> None:
    """With how much is free, and how much should be."""
    most = 2**60
    async with client_of(settings.model_copy(update={"reserve_bytes": most})) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        told = await told_by(client, 503)

    assert told["status"] == "storage"
    assert str(most) in told["detail"]
    assert 0 < told["store"]["free_bytes"] < told["store"]["reserve_bytes"] == most
    assert told["queue"]["queued"] == 0


@pytest.mark.only_on("sqlite")
async def test_a_catalogue_that_was_taken_away_is_said_so(client: httpx.AsyncClient, settings: Settings) -> None:
    """What is written to it then, nobody would find again; what can be told is told nevertheless."""
    await client.post("/train?paused=true", json=TUTORIAL)
    (settings.models / FILE).rename(settings.models / "elsewhere")

    told = await told_by(client, 503)

    assert (told["status"], told["queue"]["running"]) == ("storage", 1)
    assert "not in its place" in told["detail"]
    assert "netlet_ready 0.0" in (await client.get("/metrics")).text
    (settings.models / "elsewhere").rename(settings.models / FILE)
    assert (await told_by(client))["status"] == "ok"


async def test_whoever_may_not_read_metrics_gets_a_word(make_key: MakeKey, settings: Settings) -> None:
    """Where keys are needed, what is known of the service is for those who may."""
    may, may_not = make_key("metrics"), make_key("predict")
    async with client_of(settings) as client:
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        assert (await client.get("/readyz?verbose")).status_code == 401
        assert (await client.get("/readyz?verbose", headers=may_not)).status_code == 403
        assert (await client.get("/readyz?verbose", headers=may)).json()["status"] == "ok"
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=may)).status_code == 200
