"""What all tests of the client share: a real service, with nothing between it and whoever asks on this machine."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import Server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve for all tests that ask with a client; each names its models as no other does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    server = Server(kept | {"NETLET_MODELS": str(tmp_path_factory.mktemp("service") / "models")})
    yield server.url
    server.end()
