"""Requests that another server has taken: what holds for them as on a connection of our own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.api.connections.limits import ConnectionLimits
from app.api.connections.load import FEWEST, Ticket
from app.api.connections.proxied import Proxied
from app.main import connection_limits, create_app
from app.settings import Settings
from tests.conftest import TUTORIAL

Proxying = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def proxied(settings: Settings, **limits: Any) -> AsyncIterator[tuple[Proxied, httpx.AsyncClient]]:
    """Run an application behind another server, which is the test."""
    app = create_app(settings)
    own: ConnectionLimits = replace(connection_limits(settings, 100), **limits)
    behind = Proxied(app, own)
    transport = httpx.ASGITransport(behind, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client,
    ):
        yield behind, client


async def test_a_request_is_answered_as_without_but_for_its_id(settings: Settings, client: httpx.AsyncClient) -> None:
    """The id is in the body of a problem; the header is left to the server in front, which adds it to all answers."""
    async with proxied(settings) as (_, behind):
        trained = await behind.post("/train", json=TUTORIAL)
        missing = await behind.get("/models/absent", headers={"x-request-id": "asked-1"})
        own = await client.get("/models/absent", headers={"x-request-id": "asked-1"})

    assert trained.status_code == 201
    assert "x-request-id" not in trained.headers
    assert missing.content == own.content
    assert dict(missing.headers) | {"x-request-id": "asked-1"} == dict(own.headers)


@pytest.mark.parametrize(
    ("sent", "status", "slug"),
    [
        ({"headers": {"host": "elsewhere.example.org"}}, 421, "bad-host"),
        ({"url": "/models?prefix=" + "a" * 9000}, 414, "uri-too-long"),
        ({"headers": {f"x-{number}": "1" for number in range(200)}}, 431, "headers-too-large"),
        ({"headers": {"x-long": "a" * 40_000}}, 431, "headers-too-large"),
        ({"method": "BREW"}, 501, "unknown-method"),
        *[({"headers": {"content-length": told}}, 400, "malformed-http") for told in ("9" * 5000, "-5", "1e3", "")],
    ],
)
async def test_what_the_guard_refuses_is_refused(
    settings: Settings, sent: dict[str, Any], status: int, slug: str
) -> None:
    """With the same problem, an id, a line of the log and a count."""
    async with proxied(settings) as (_, behind):
        answer = await behind.request(**{"method": "GET", "url": "/models"} | sent)
        metrics = (await behind.get("/metrics")).text

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert answer.json()["request_id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f'status="{status}"' in metrics


async def test_a_body_that_hardly_comes_is_waited_for_no_longer(settings: Settings) -> None:
    """As on a connection of our own: 408, and the connection ends."""

    async def hardly() -> AsyncIterator[bytes]:
        yield b'{"rows": ['
        await asyncio.Event().wait()

    async with proxied(settings, receive_seconds=0.2) as (_, behind):
        answer = await behind.post("/train", content=hardly())

    assert (answer.status_code, answer.headers["connection"]) == (408, "close")


async def test_a_body_that_comes_fast_enough_may_take_as_long_as_it_takes(settings: Settings) -> None:
    """What has come fast enough is not held against what comes later."""
    rows = [b'{"model":"absent","X":[', *[b"[4,8]," * 100 for _ in range(25)], b"[4,8]]}"]

    async def steadily() -> AsyncIterator[bytes]:
        for row in rows:
            await asyncio.sleep(0.1)
            yield row

    async with proxied(settings, receive_seconds=2.0, bytes_per_second=1) as (_, behind):
        answer = await behind.post("/predict", content=steadily())

    assert answer.status_code == 404, answer.text


async def test_more_than_can_be_answered_is_refused(settings: Settings) -> None:
    """Probes and what is short are answered all the same."""
    async with proxied(settings, requests=1) as (behind, client):
        behind.answering = 1
        answers = [await client.get(path) for path in ("/models", "/livez")]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert behind.answering == 1


async def test_a_prediction_that_would_wait_for_long_is_refused(settings: Settings) -> None:
    """Those in front of it are counted from when all of them has come until they are answered."""
    async with proxied(settings) as (behind, client):
        load = behind.app.state.parts.load
        long = {"model": "absent", "X": [[4, 8]] * 1000}
        assert (await client.post("/predict", json=long)).status_code == 404
        assert load.waiting == 0

        waiting = [Ticket(load) for _ in range(FEWEST)]
        for ticket in waiting:
            ticket.take()
        load.interval = 1.0

        assert (await client.post("/predict", json=long)).status_code == 503
        assert (await client.post("/predict", json={"model": "absent", "X": [4, 8]})).status_code == 404


async def test_answers_differ_by_origin_where_pages_from_elsewhere_may_ask(settings: Settings) -> None:
    """Whatever keeps answers is told so, as the server does."""
    shared = settings.model_copy(update={"cors_origins": "https://app.example.org"})
    async with proxied(shared) as (_, behind):
        answer = await behind.get("/models", headers={"origin": "https://app.example.org"})

    assert answer.headers["vary"] == "Origin"
    assert answer.headers["access-control-allow-origin"] == "https://app.example.org"
