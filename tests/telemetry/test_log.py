"""The log: a line for each request and each move of a job, with what is needed to find them again, and no cells."""

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from app.telemetry import JsonLines
from app.telemetry.current import tell, telling, told
from tests.conftest import Server, StartServer, client_of

NUMBER, WORD = 31337.25, "kanarienvogel"
"""Cells that are nowhere to be found but in rows."""
ROWS = [{"size": size, "kind": kind, "price": size * 2} for size, kind in ((NUMBER, WORD), (7.0, "crow"), (9.0, WORD))]


def lines_of(server: Server) -> list[dict[str, Any]]:
    """End a server, and read what it has logged since it was ready; each line is JSON, and none has a cell."""
    server.process.send_signal(signal.SIGTERM)
    _, log = server.process.communicate(timeout=30)
    for cell in (f"{NUMBER}", WORD):
        assert cell not in log
    return [json.loads(line) for line in log.splitlines()]


def about(lines: list[dict[str, Any]], **what: Any) -> list[dict[str, Any]]:
    return [line for line in lines if what.items() <= line.items()]


def test_requests_and_moves_are_told_with_ids_and_without_rows(start_server: StartServer) -> None:
    """A training and predictions, right and wrong: whoever knows the id of the request finds all that came of it."""
    server = start_server(NETLET_LOG_REQUESTS="all")
    row = {"size": NUMBER, "kind": WORD}
    with server.client() as client:
        client.post("/train", json={"name": "birds", "rows": ROWS, "target": "price"}, headers={"X-Request-Id": "one"})
        client.post("/predict", json={"model": "birds", "rows": [row]}, headers={"X-Request-Id": "two"})
        client.post("/predict", json={"model": "birds", "rows": [row]}, headers={"X-Request-Id": "three"})
        for wrong in ([row | {"size": WORD}], [row | {WORD: 1}], [[NUMBER, WORD, NUMBER]], WORD):
            client.post("/predict", json={"model": "birds", "rows": wrong}, headers={"X-Request-Id": "four"})
        client.post(
            "/train", content=f"size,price\n{NUMBER},{NUMBER},1\n{WORD}".encode(), headers={"Content-Type": "text/csv"}
        )
        client.post("/train?target=kind", json={"name": "same", "rows": ROWS[:1] * 3, "target": "kind"})
        job = client.get("/jobs").json()["jobs"][0]

    lines = lines_of(server)

    assert job["request_id"] == "one"
    moves = about(lines, logger="netlet.jobs", job=job["job"], model="birds", request_id="one")
    assert [line["state"] for line in moves] == ["running", "succeeded"]
    assert moves[-1].items() >= {"version": 1, "rows": 3, "attempt": 1}.items()
    assert {"epochs", "seconds"} <= moves[-1].keys()
    (trained,) = about(lines, logger="netlet.requests", request_id="one")
    assert trained.items() >= {"method": "POST", "route": "/train", "status": 201, "job": job["job"]}.items()
    for request_id in ("two", "three"):  # by the route, and then by the lane
        (predicted,) = about(lines, request_id=request_id)
        assert predicted.items() >= {"route": "/predict", "status": 200, "model": "birds/1"}.items()
    assert {line["status"] for line in about(lines, request_id="four")} == {422}


def test_what_changed_nothing_is_told_only_where_that_is_asked_for(start_server: StartServer) -> None:
    """Of all that is asked, what was changed and what failed."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json={"name": "birds", "rows": ROWS, "target": "price"})
        for _ in range(3):
            client.post("/predict", json={"model": "birds", "rows": [{"size": NUMBER, "kind": WORD}]})
        client.get("/models/birds")
        client.get("/models/dogs")
        client.put("/models/birds/aliases/live", json={"version": 1})
        client.delete("/models/birds")

    told_of = [
        (line["method"], line["route"], line["status"]) for line in about(lines_of(server), logger="netlet.requests")
    ]

    assert told_of == [
        ("POST", "/train", 201),
        ("GET", "/models/{name}", 404),
        ("PUT", "/models/{name}/aliases/{alias}", 201),
        ("DELETE", "/models/{name}", 204),
    ]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Collect all lines of this process, as they would be written."""
    lines: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonLines().format(record))

    collecting, root = Collecting(), logging.getLogger()
    root.addHandler(collecting)
    before = root.level
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(collecting)
    root.setLevel(before)


async def test_a_failure_of_the_service_tells_where_but_no_cell(settings: Settings, logged: list[str]) -> None:
    """Python's errors repeat what they could not read; the log has their kind, and the way to them."""
    app = create_app(settings)

    @app.get("/fails")
    async def fail() -> None:
        try:
            float(WORD)
        except ValueError as error:
            raise KeyError(WORD) from error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://netlet") as client,
    ):
        await client.get("/fails", headers={"X-Request-Id": "mine"})

    lines = [json.loads(line) for line in logged]
    (failure,) = [line for line in lines if "exception" in line]
    assert failure["request_id"] == "mine"
    assert "builtins.ValueError" in failure["exception"]
    assert "builtins.KeyError" in failure["exception"]
    assert "in fail" in failure["exception"]
    assert about(lines, logger="netlet.requests", status=500, request_id="mine")
    assert WORD not in "".join(logged)


async def test_an_error_that_nobody_waits_for_tells_no_cell(logged: list[str]) -> None:
    """Asyncio tells of it as it is."""

    async def fail() -> None:
        raise ValueError(WORD)

    loop = asyncio.get_running_loop()
    task = loop.create_task(fail())
    await asyncio.wait([task])
    loop.default_exception_handler({"message": "nobody took it", "future": task, "exception": task.exception()})

    assert "nobody took it" in "".join(logged)
    assert WORD not in "".join(logged)


async def test_what_is_at_hand_is_told_by_all_that_is_begun_meanwhile_and_nothing_else() -> None:
    """Two tasks at once, each with facts of its own."""

    async def work(number: str) -> dict[str, str]:
        with telling(request_id=number):
            await asyncio.sleep(0)
            tell(model=f"m{number}")
            await asyncio.sleep(0)
            return await asyncio.to_thread(told)

    found = [*await asyncio.gather(work("1"), work("2"))]
    tell(model="nobody's")

    assert found == [{"request_id": "1", "model": "m1"}, {"request_id": "2", "model": "m2"}]
    assert told() == {}


async def test_a_job_that_waits_is_told_by_whoever_runs_it(settings: Settings, logged: list[str]) -> None:
    """Also after a restart: its lines have the id of the request that it comes from, and not that of any other."""
    long = {"name": "long", "rows": ROWS, "target": "price"}
    settings = settings.model_copy(update={"trainings_at_once": 1})
    async with client_of(settings) as client:
        await client.post("/train?paused=true", json=long, headers={"X-Request-Id": "long"})
        later = await client.post(
            "/train?wait=0", json={"name": "later", "rows": ROWS, "target": "price"}, headers={"X-Request-Id": "later"}
        )
    async with client_of(settings) as client:
        (job,) = [job for job in (await client.get("/jobs")).json()["jobs"] if job["model"] == "long"]
        await client.delete(f"/jobs/{job['job']}", headers={"X-Request-Id": "other"})
        followed = await client.get(f"/jobs/{later.json()['job']}/events")
        assert "event: succeeded" in followed.text

    lines = [json.loads(line) for line in logged]
    moves = {
        model: [(line["state"], line["request_id"]) for line in about(lines, logger="netlet.jobs", model=model)]
        for model in ("long", "later")
    }
    assert moves["long"] == [("running", "long"), ("running", "long"), ("cancelled", "long")]
    assert moves["later"] == [("queued", "later"), ("running", "later"), ("succeeded", "later")]
