"""A real browser, and what it must never do: ask elsewhere, or complain."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
]
SERIOUS = {"serious", "critical"}


@contextmanager
def launched() -> Iterator[Browser]:
    """Run the system's Chromium; skip the test where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that is watched: foreign requests and complaints are noted."""

    def __init__(
        self, browser: Browser, url: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True
    ) -> None:
        self.url = url.rstrip("/") + "/"
        self.faults: list[str] = []
        self.is_down = False
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not self.is_down:
            self.faults.append(f"{message.text} {message.location}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.url).netloc:
            self.faults.append(f"asked {request.url}")

    def to(self, words: str = "") -> Page:
        """Open a view by what stands after `#/`."""
        self.page.goto(f"{self.url}#/{words}" if words else self.url)
        return self.page

    def require_usable(self) -> None:
        """Fail where axe finds what keeps people from using the view, or the page is wider than its window."""
        found = Axe().run(self.page).response["violations"]
        serious = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]
        assert not serious, serious
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def close(self) -> None:
        """End; fail for what was noted on the way."""
        self.context.close()
        assert not self.faults, self.faults
