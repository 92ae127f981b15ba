"""A server and a browser for the tests of a file."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.conftest import Server, StartServer
from tests.web.browsing import Visit, launched

Visiting = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def server(start_server: StartServer) -> Server:
    return start_server()


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """Begin visits, which end with the test; whatever a page complained of fails it."""
    begun: list[Visit] = []

    def visiting(url: str, **options: object) -> Visit:
        begun.append(Visit(browser, url, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield visiting
    for visit in begun:
        visit.close()
