"""The page of a service that needs a key."""

import os
import re
import subprocess

import pytest
from playwright.sync_api import expect

from tests.conftest import MakeKey, Server
from tests.web.conftest import Visiting
from tests.web.test_story import answer, train


def test_where_a_key_is_needed_one_signs_in(server: Server, visiting: Visiting, make_key: MakeKey) -> None:
    """A wrong key is asked for again; the right one is sent from then on, until the browser's tab is closed.

    The commands that are shown take it from a variable, and are as they work.
    """
    key = make_key("admin")["authorization"].removeprefix("Bearer ")
    visit = visiting(server.url)
    visit.is_down = True  # a browser complains of each 401
    page = visit.to("models")
    for shown in ("wrong", key):
        page.get_by_label("This service asks for an API key").first.fill(shown)
        page.get_by_role("button", name="Sign in").first.click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    visit.is_down = False

    train(visit.to())

    assert answer(page) == pytest.approx(90.353, abs=1e-3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Snapshot").click()
    assert download.value.path().stat().st_size > 1000
    for language, program in (("curl", ["bash", "-c"]), ("Python", ["python3", "-c"])):
        page.get_by_role("tab", name=language).click()
        command = page.get_by_label("Ask this").inner_text()
        assert key not in command
        told = subprocess.run(
            [*program, command], env=os.environ | {"NETLET_KEY": key}, capture_output=True, text=True, check=True
        ).stdout
        assert re.search(r"predictions.*90\.35", told)
