"""Behind a real proxy: a path prefix before all addresses, and any of several processes behind each request."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import nginx
from tests.conftest import StartServer
from tests.web.conftest import Visiting
from tests.web.test_story import POINTS, answer, drop, table, train

pytestmark = pytest.mark.only_on("sqlite")

LOCATION = """
location /nets/ {{
  proxy_pass {service}/;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  client_max_body_size 0;
}}
"""


@pytest.fixture
def behind_nginx(start_server: StartServer, tmp_path: Path) -> Iterator[str]:
    """Give the address of two server processes behind nginx, as it is by default but for what README names."""
    server = start_server("--workers", "2")
    with nginx.running(tmp_path, LOCATION.format(service=server.url), path="/nets/") as url:
        yield url


def test_behind_a_prefix_and_two_processes_a_table_is_learnt_and_asked(behind_nginx: str, visiting: Visiting) -> None:
    """Points arrive while the network learns, from whichever process answers; links lead back to the page."""
    visit = visiting(behind_nginx)
    page = visit.to()
    drop(page, "homes.csv", table())
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Epochs").fill("4000")
    train(page)
    page.wait_for_function(f"() => document.querySelector('h1')?.innerText.startsWith('Learning') && {POINTS} >= 10")
    answer(page)
    link = page.get_by_label(re.compile("Link to this set-up")).inner_text()
    assert link.startswith(behind_nginx)

    other = visiting(behind_nginx).page
    other.goto(link)
    expect(other.get_by_label("Target")).to_have_value("price")
    for view in ("Models", "Jobs", "Datasets"):
        other.get_by_role("navigation").get_by_role("link", name=view).click()
        expect(other.get_by_role("heading", level=1, name=view)).to_be_visible()
        assert other.url.startswith(behind_nginx)
    commands = page.get_by_role("tabpanel").inner_text()
    assert f"{behind_nginx}models/homes/versions/1/predict" in commands


def test_the_documentation_tries_routes_out_behind_a_prefix(behind_nginx: str, visiting: Visiting) -> None:
    """Under a strict policy, and with nothing from elsewhere; what is tried goes through the proxy."""
    page = visiting(behind_nginx).page
    page.goto(f"{behind_nginx}docs")
    page.locator("[id*=livez]").first.click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".request-url pre")).to_have_text(f"{behind_nginx}livez")
    expect(page.locator(".live-responses-table").first).to_contain_text('"status": "ok"')
