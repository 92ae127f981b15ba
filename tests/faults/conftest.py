"""A service with a model, and a server whose clients may not take long."""

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Server
from tests.faults.refusing import Service
from tests.faults.wire import TABLE


@pytest.fixture
async def service(client: httpx.AsyncClient) -> Service:
    """A service with a model."""
    return await Service(client).begin()


@pytest.fixture(scope="module")
def environment_of_all(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings under which slow clients are given up within a second."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    folder = tmp_path_factory.mktemp("faults")
    lowered = {
        "NETLET_MODELS": str(folder / "models"),
        "TMPDIR": str(folder),
        "NETLET_EXECUTOR": "thread",
        "NETLET_RECEIVE_SECONDS": "1",
        "NETLET_SEND_SECONDS": "1.5",
        "NETLET_HOSTS": "netlet.example.org, *.example.net",
        "NETLET_PREDICT_BYTES": "2000000",
        "NETLET_TRAIN_BYTES": "3000000",
        "NETLET_MOST_PIPELINED": "500",
    }
    return kept | lowered


@pytest.fixture(scope="module")
def server(environment_of_all: dict[str, str]) -> Iterator[Server]:
    """Run one for all tests of this file that want nothing else, with a model to ask."""
    server = Server(environment_of_all)
    try:
        with server.client() as client:
            client.post("/train", json=TABLE).raise_for_status()
        yield server
    finally:
        server.end()
