"""What all tests of commands share: nothing stands between them and a service on this machine."""

from zlib import crc32

import pytest

from app.client import Client
from tests.conftest import ROWS


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def name(url: str, request: pytest.FixtureRequest) -> str:
    """Train the tutorial's network under the test's own name."""
    name = f"model-{crc32(request.node.name.encode()):x}"
    with Client(url) as client:
        client.train(ROWS, "score", name=name, preset="tutorial")
    return name
