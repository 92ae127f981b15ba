"""How soon the page is there, and how soon it answers (4, 8), in a real browser; and how much JavaScript it is.

Prints a table of medians. Run it with `.venv/bin/python -m benchmarks.page`; it needs Debian's chromium and what
tests need.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from app.web.files import built, names
from benchmarks.running import AS_INSTALLED
from tests.conftest import Server
from tests.web.browsing import Visit, launched

ROUNDS = 7
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server on an empty store."""
    with TemporaryDirectory() as models:
        server = Server(AS_INSTALLED | {"NETLET_MODELS": models})
        try:
            yield server
        finally:
            server.end()


def main() -> None:
    """Measure a first visit, then others in turns."""
    scripts = [built(name) for name in names() if name.endswith(".js") and not name.startswith("assets/docs")]
    painted: list[float] = []
    answered: list[float] = []
    with serving() as server, launched() as browser:
        browser.new_page().goto("data:text/html,<h1>A browser that is running, as that of whoever opens the page</h1>")
        for _ in range(1 + ROUNDS):
            with closing(Visit(browser, server.url)) as visit:
                began = perf_counter()
                page = visit.to()
                page.get_by_role("button", name="Train", exact=True).click()
                page.locator(".answer").wait_for()
                answered.append(perf_counter() - began)
                painted.append(page.evaluate(PAINTED) / 1e3)
    for name, seconds in {"first paint": painted, "opened, one click, answered": answered}.items():
        print(f"{name:30} {seconds[0]:6.2f} s after the start, then {median(seconds[1:]):6.2f} s")  # noqa: T201
    print(f"{'JavaScript, gzipped':30} {sum(len(file.compressed) for file in scripts if file) / 1e3:6.1f} KB")  # noqa: T201


if __name__ == "__main__":
    main()
