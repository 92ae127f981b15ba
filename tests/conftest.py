"""What all tests share: an application of their own, a real server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

ROWS = [
    {"hours_studied": 2, "hours_slept": 9, "score": 92},
    {"hours_studied": 1, "hours_slept": 5, "score": 86},
    {"hours_studied": 3, "hours_slept": 6, "score": 89},
]
TUTORIAL = {"name": "exam", "preset": "tutorial", "rows": ROWS, "target": "score"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", executor="thread")


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Start an application of its own and give a client of it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://netlet", timeout=60) as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings) as client:
        yield client


class Server:
    """A real `netlet serve` in a process of its own."""

    def __init__(self, store: Path, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *arguments]
        environment = os.environ | {"NETLET_MODELS": str(store), "TMPDIR": str(store.parent)} | environment
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.url = self._address()

    def _address(self) -> str:
        """Read the log up to the line that names the address, then until the service is ready."""
        assert self.process.stderr is not None
        url = ""
        for line in self.process.stderr:
            if "listening on" in line:
                url = line.split("listening on ")[1].split('"')[0]
            if "startup complete" in line:
                return url
        message = "the server ended before it listened"
        raise AssertionError(message)

    def client(self) -> httpx.Client:
        """Make a client of this server."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=30)
        return self.process.returncode


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers on one store, all of which are ended with the test."""
    servers: list[Server] = []

    def start(*arguments: str, **environment: str) -> Server:
        servers.append(Server(tmp_path / "models", *arguments, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def wait_until(true: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for something to become true, but not longer than this."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)
