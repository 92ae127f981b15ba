"""What tests of the lane share: one application behind two real servers, with the lane and without it."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.api.connections.crowd import Crowd
from app.api.connections.guard import GuardedProtocol
from app.api.lane import lane_of
from app.main import connection_limits, create_app
from app.settings import Settings

HOST = "127.0.0.1"
SECONDS = 30  # after which something that should have come is given up
MADE_UP = re.compile(rb'(?<=x-request-id: )[0-9a-f]{16}(?=\r)|(?<="request_id":")[0-9a-f]{16}(?=")')
DATE = re.compile(rb"(?<=\r\ndate: )[^\r]*")
LAST = b"GET /nowhere HTTP/1.1\r\nhost: here\r\nx-request-id: last\r\nconnection: close\r\n\r\n"
TABLES: dict[str, dict[str, Any]] = {
    "exam": {"rows": [{"a": 2, "b": 9, "y": 92}, {"a": 1, "b": 5, "y": 86}, {"a": 3, "b": 6, "y": 89.5}]},
    "one": {"X": [1, 2, 3], "y": [2e-7, 4e20, 6]},
    "two": {"X": [[1, 2], [2, 1], [3, 5]], "y": [[1, -1], [2, -2], [3, -3.5]]},
    "words": {"X": [[1, 2], [2, 1], [3, 5]], "y": ['a "b"', "é\n", 'a "b"']},
    "truth": {"X": [[1, 2], [2, 1], [3, 5]], "y": [True, False, True]},
    "whole": {"X": [[1, 2], [2, 1], [3, 5]], "y": [3, 1, 2], "task": "classification"},
    "several": {"X": [[1, 2], [2, 1], [3, 5]], "y": [[True, False], [False, False], [True, True]]},
    "kinds": {"rows": [{"n": n / 3, "c": "xyz"[n % 3], "t": n > 3, "y": n} for n in range(7)]},
    "gaps": {"rows": [{"a": 1, "b": None, "y": 2}, {"a": 2, "b": 3, "y": 3}, {"a": 3, "b": 1, "y": 5}]},
    "steep": {
        "X": [[1], [2], [3]],
        "y": [1, 2, 3],
        "network": {"hidden": [3], "activation": "exponential"},
    },
}
QUICK = {"training": {"optimizer": "adam", "epochs": 2}}


class Counted:
    """An application that counts its requests."""

    def __init__(self, app: FastAPI) -> None:
        self.app, self.requests = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request, and pass it on."""
        self.requests += scope["type"] == "http"
        await self.app(scope, receive, send)


class Both:
    """Two servers of one application: `lane` and `plain` are their ports."""

    def __init__(self, app: FastAPI, counted: Counted, servers: Sequence[uvicorn.Server], ports: Sequence[int]) -> None:
        self.app, self.counted, self.servers = app, counted, servers
        self.lane, self.plain = ports

    @property
    def reached(self) -> int:
        """How many requests the lane has left to the application so far."""
        return self.counted.requests

    async def train(self, name: str, **more: Any) -> None:
        """Train a model, and ask for it once, so that it is at hand."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://netlet", timeout=60) as client:
            table: dict[str, Any] = TABLES[name.split("-", maxsplit=1)[0]]
            target = {"target": "y"} if "rows" in table else {}
            response = await client.post("/train", json=QUICK | table | target | {"name": name} | more)
            assert response.status_code == 201, response.text
            await client.post(f"/models/{name}/predict", json={"X": []})

    async def change(self, method: str, path: str, body: Any = None) -> None:
        """Ask the application for something else, and for nothing of the lane."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://netlet", timeout=60) as client:
            response = await client.request(method, path, json=body)
            assert response.status_code < 300, response.text

    async def alike(self, *segments: bytes) -> bytes:
        """Send the same to both, one segment after the other; they must answer the same, which is returned."""
        lane, plain = [await transcript(port, segments) for port in (self.lane, self.plain)]
        assert lane == plain, segments
        return lane


@asynccontextmanager
async def serving(settings: Settings, **options: Any) -> AsyncIterator[Both]:
    """Run an application of its own behind both."""
    app = create_app(settings)
    counted = Counted(app)
    limits = connection_limits(settings.model_copy(update={"hosts": "here"}), 1000)
    guarded = type("Guarded", (GuardedProtocol,), {"app_of_parts": app, "crowd": Crowd(limits)})
    with socket.create_server((HOST, 0)) as lane, socket.create_server((HOST, 0)) as plain:
        first = _server(counted, http=lane_of(app, limits), lifespan="on", **options)
        second = _server(app, http=guarded, lifespan="off", **options)
        running: list[asyncio.Task[None]] = []
        for server, listener in ((first, lane), (second, plain)):
            running.append(asyncio.create_task(server.serve(sockets=[listener])))
            await until(partial(getattr, server, "started"))
        try:
            yield Both(app, counted, (first, second), [each.getsockname()[1] for each in (lane, plain)])
        finally:
            first.should_exit = second.should_exit = True
            await asyncio.gather(*running)


def _server(app: Any, *, http: Any, lifespan: Literal["on", "off"], **options: Any) -> uvicorn.Server:
    options = {"timeout_graceful_shutdown": 5, "log_config": None, "access_log": False} | options
    config = uvicorn.Config(app, http=http, lifespan=lifespan, **options)
    return uvicorn.Server(config)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.005)


async def turns(count: int = 6) -> None:
    """Let what was sent arrive, alone."""
    for _ in range(count):
        await asyncio.sleep(0)


async def transcript(port: int, segments: Sequence[bytes]) -> bytes:
    """Send segments, and give all that comes until the end of the connection, but for what differs each time."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for segment in filter(None, segments):
        # Whoever writes to a closed connection may lose what has come from it.
        if not reader.at_eof() and not writer.transport.is_closing():
            writer.write(segment)
            await turns()
    return await rest_of(reader, writer)


async def rest_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Give all that comes until the end."""
    answer = b""
    try:
        async with asyncio.timeout(SECONDS):
            with suppress(ConnectionError):
                while piece := await reader.read(2**16):
                    answer += piece
    finally:
        writer.close()
    return without_chance(answer)


async def first_of(port: int, sent: bytes) -> bytes:
    """Send something, and give the head of the answer to it, although there might be more to send."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    try:
        async with asyncio.timeout(SECONDS):
            return without_chance(await reader.readuntil(b"\r\n\r\n"))
    except TimeoutError:
        return b""
    finally:
        writer.close()


def without_chance(answer: bytes) -> bytes:
    """Leave out what differs each time."""
    return DATE.sub(b"", MADE_UP.sub(b"made-up", answer))


def request(body: bytes | dict[str, Any], path: str = "/predict", **headers: str) -> bytes:
    """Write a request as most clients do; `_` stands for the dash in a header's name."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"host": "here", "content-type": "application/json", "x-request-id": "mine"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode() + content


def bodies_of(answer: bytes) -> list[Any]:
    """Read the bodies of answers, of which each is JSON."""
    parts = re.split(rb"HTTP/1\.1 \d{3} [^\r]*\r\n", answer)[1:]
    return [json.loads(part.partition(b"\r\n\r\n")[2]) for part in parts]


def statuses_of(answer: bytes) -> list[int]:
    """Read the status of each answer; that an answer may come is none."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", answer)]
