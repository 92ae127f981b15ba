"""`GET /metrics`: what was asked is what is counted, in words that clients cannot make up."""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families_of

from app.main import create_app
from app.settings import Settings
from app.telemetry.account import SECONDS
from app.telemetry.metrics import METRICS
from app.telemetry.requests import METHODS, OTHER
from tests.api.lanes import LAST, Both, request, serving
from tests.conftest import ROWS, TUTORIAL, StartServer, client_of, wait_until
from tests.service.test_workers import answering, children
from tests.telemetry.measured import Measured, labels_of, of, read

PREDICTED: dict[str, str] = {"route": "/predict", "method": "POST", "status": "200"}
ASKED = {"model": "exam", "X": [[4, 8]]}
DIVERGING = {
    "name": "wild",
    "rows": ROWS,
    "target": "score",
    "network": {"activation": "identity"},
    "training": {"optimizer": "gradient_descent", "learning_rate": 1e6},
}


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[Both]:
    async with serving(settings) as both:
        await both.train("exam")
        yield both


async def measured(client: httpx.AsyncClient) -> Measured:
    return read((await client.get("/metrics")).raise_for_status().text)


async def test_requests_are_counted_by_route_method_and_status(client: httpx.AsyncClient) -> None:
    """Each once, with a place in the histogram of its route."""
    await client.post("/train", json=TUTORIAL)
    for _ in range(3):
        await client.post("/predict", json=ASKED)
    await client.post("/predict", json=ASKED | {"model": "nobody"})
    await client.get("/models/exam")
    await client.get("/models/nobody")

    told = await measured(client)

    assert of(told, "netlet_requests_total", **PREDICTED) == 3
    assert of(told, "netlet_requests_total", route="/predict", status="404") == 1
    assert of(told, "netlet_requests_total", route="/train", status="201") == 1
    assert of(told, "netlet_requests_total", route="/models/{name}") == 2
    assert of(told, "netlet_request_seconds_count", route="/predict", method="POST") == 4
    assert of(told, "netlet_request_seconds_bucket", route="/predict", le="+Inf") == 4
    assert of(told, "netlet_request_seconds_sum", route="/predict") > 0


async def test_the_lane_counts_what_it_answers_as_the_routes_do(both: Both) -> None:
    """By the template of the path, and as long as it took; what is left to the route is counted there, once."""
    ways = ["/predict", "/models/exam/predict", "/models/exam/versions/1/predict"]
    sent = [request(({"model": "exam"} if way == "/predict" else {}) | {"X": [4, 8]}, way) for way in ways]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{both.plain}") as client:
        await both.alike(*sent, LAST)  # so that they are known
        before, reached = await measured(client), both.reached
        await both.alike(*sent, *sent, request({"model": "exam", "X": "none"}), LAST)
        after = await measured(client)

    assert both.reached == reached + 2  # the wrong one, and the last
    for route in ("/predict", "/models/{name}/predict", "/models/{name}/versions/{version}/predict"):
        answered, took = [
            of(after, name, **labels) - of(before, name, **labels)
            for name, labels in (
                ("netlet_requests_total", {"route": route, "status": "200"}),
                ("netlet_request_seconds_count", {"route": route}),
            )
        ]
        assert answered == 4  # two by each of the two servers of the application
        assert took == (6 if route == "/predict" else 4)


async def test_no_label_is_made_up_by_clients(client: httpx.AsyncClient) -> None:
    """Paths that lead nowhere are one, and so are methods nobody has heard of; no name that was asked for is told."""
    for path in ("/secret", "/models/secret", "/models/secret/secret", "/v2/models/secret/infer", "/jobs/secret"):
        for method in ("GET", "POST", "SECRET"):
            await client.request(method, path, json={"model": "secret", "X": [[1]]})

    text = (await client.get("/metrics")).text

    assert "secret" not in text.lower()
    assert labels_of(read(text), "netlet_requests_total", "method") <= METHODS | {OTHER}
    assert of(read(text), "netlet_requests_total", route=OTHER, method="GET", status="404") == 2


async def test_every_route_is_told_by_its_template(client: httpx.AsyncClient) -> None:
    """As the OpenAPI document has it."""
    document = (await client.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method in methods:
            await client.request(method.upper(), path.replace("{version}", "7").replace("{", "").replace("}", ""))

    told = labels_of(await measured(client), "netlet_requests_total", "route")

    assert told >= {*document["paths"], "/openapi.json"} - {"/metrics"}
    assert OTHER not in told


async def test_a_failure_of_the_service_is_counted_as_one(settings: Settings) -> None:
    """The answer is made in front of what counts all others."""
    app: FastAPI = create_app(settings)

    @app.get("/fails")
    async def fail() -> None:
        raise RuntimeError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://netlet") as client,
    ):
        assert (await client.get("/fails")).status_code == 500
        assert of(await measured(client), "netlet_requests_total", route="/fails", status="500") == 1


async def test_models_jobs_and_the_store_are_told_as_they_are(client: httpx.AsyncClient) -> None:
    """Two trainings, one of which failed; one model loaded, once from the disk and then from memory."""
    await client.post("/train", json=TUTORIAL)
    await client.post("/train", json=DIVERGING)
    for _ in range(3):
        await client.post("/predict", json=ASKED)
    told = await measured(client)
    stored = (await client.get("/models/exam/versions/1/snapshot")).content

    assert of(told, "netlet_jobs", state="succeeded") == of(told, "netlet_jobs", state="failed") == 1
    assert of(told, "netlet_jobs") == 2
    assert labels_of(told, "netlet_jobs", "state") == {"queued", "running", "succeeded", "failed", "cancelled"}
    for outcome in ("succeeded", "failed"):
        assert of(told, "netlet_trainings_total", outcome=outcome) == 1
    assert of(told, "netlet_training_seconds_count") == 2
    assert of(told, "netlet_training_epochs_total") >= 1000
    assert of(told, "netlet_training_rows_total") == 3 * of(told, "netlet_training_epochs_total")
    assert of(told, "netlet_loaded_models") == 1
    assert of(told, "netlet_loaded_bytes") == len(stored)
    assert of(told, "netlet_cache_misses_total") == 1
    assert of(told, "netlet_cache_hits_total") == 3
    assert of(told, "netlet_ready") == 1
    assert of(told, "netlet_store_free_bytes") > 0


async def test_models_that_make_room_for_others_are_counted(settings: Settings) -> None:
    """Memory for one, and two that are asked for in turns."""
    async with client_of(settings) as client:
        for name in ("exam", "other"):
            await client.post("/train", json=TUTORIAL | {"name": name})
        size = len((await client.get("/models/exam/snapshot")).content)
    async with client_of(settings.model_copy(update={"cache_bytes": size * 3 // 2})) as client:
        for _ in range(2):
            for name in ("exam", "other"):
                await client.post("/predict", json=ASKED | {"model": name})
        told = await measured(client)

    assert of(told, "netlet_loaded_models") == 1
    assert of(told, "netlet_cache_misses_total") == 4
    assert of(told, "netlet_cache_evictions_total") == 3


async def test_a_deleted_version_or_model_takes_no_memory(client: httpx.AsyncClient) -> None:
    """It is let go of at once; its room is free for others."""
    for _ in range(3):
        await client.post("/train", json=TUTORIAL)
    for version in (1, 2, 3):
        (await client.post("/predict", json=ASKED | {"model": f"exam/{version}"})).raise_for_status()

    for deleted, left in (("exam/versions/2", 2), ("exam", 0)):
        (await client.delete(f"/models/{deleted}")).raise_for_status()
        told = await measured(client)
        assert of(told, "netlet_loaded_models") == left
        assert (of(told, "netlet_loaded_bytes") > 0) == (left > 0)


async def test_prometheus_names_and_both_of_its_formats(client: httpx.AsyncClient) -> None:
    """OpenMetrics where it is asked for, whatever version is said to be wanted; counters end in _total."""
    headers = {"accept": "application/openmetrics-text;version=x;q=0.5,text/plain;q=0.3"}
    await client.get("/livez")
    answer = await client.get("/metrics", headers=headers)
    plain = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    told = {family.name: family.type for family in families_of(answer.text)}  # type: ignore[no-untyped-call]  # it has no types
    assert told["netlet_requests"] == "counter"
    assert told["netlet_request_seconds"] == "histogram"
    assert told.keys() <= {name.removesuffix("_total") for name in METRICS}
    assert all(name.endswith("_total") == (metric.kind == "counter") for name, metric in METRICS.items())


@pytest.fixture
def asking() -> Iterator[httpx.Client]:
    """Ask over a new connection each time, which any worker may take."""
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=60, trust_env=False) as client:
        yield client


def test_workers_are_told_as_one_service(start_server: StartServer, asking: httpx.Client) -> None:
    """Each tells what all have counted; one that is lost takes nothing of it along, but what it had loaded."""
    server = start_server("--workers", "2")
    url, asked = answering(server), 0

    def told(name: str, **labels: str) -> float:
        return of(read(asking.get(f"{url}/metrics").raise_for_status().text), name, **labels)

    def ask_until(misses: int) -> None:
        """Ask until so many workers had to load the model, and all is told."""
        nonlocal asked
        while told("netlet_cache_misses_total") < misses:
            for _ in range(10):
                asking.post(f"{url}/predict", json=ASKED).raise_for_status()
            asked += 10
        wait_until(lambda: told("netlet_requests_total", **PREDICTED) == asked)
        wait_until(lambda: told("netlet_loaded_models") == 2)

    asking.post(f"{url}/train", json=TUTORIAL).raise_for_status()
    ask_until(2)
    wait_until(lambda: told("netlet_request_seconds_count", route="/predict") == asked)
    assert told("netlet_jobs") == 1

    time.sleep(3 * SECONDS)  # whoever is lost takes along what it has told nobody yet, though it may have told us
    lost = children(server.process.pid)[0]
    os.kill(lost, signal.SIGKILL)
    wait_until(lambda: lost not in children(server.process.pid) and len(children(server.process.pid)) == 2)
    wait_until(lambda: told("netlet_loaded_models") == 1)
    assert told("netlet_requests_total", **PREDICTED) == asked
    ask_until(3)
