"""The page of a service that trains on a cluster."""

import httpx
from playwright.sync_api import expect

from tests.cluster.test_service import using
from tests.conftest import TUTORIAL, StartServer
from tests.ray_cluster import Ray
from tests.web.browsing import Visit, launched

LONG_MS = 60_000


def test_a_job_says_what_it_waits_for(ray: Ray, start_server: StartServer) -> None:
    """Else one would watch what never begins, and not know why: no node has so many cores."""
    server = start_server(**using(ray) | {"NETLET_THREADS": "3"})
    answer = httpx.post(f"{server.url}/train", json=TUTORIAL, params={"wait": 0}, timeout=60).raise_for_status()

    with launched() as browser:
        visit = Visit(browser, server.url)
        page = visit.to(f"job/{answer.json()['job']}")

        expect(page.get_by_text("It waits until the Ray cluster has room")).to_be_visible(timeout=LONG_MS)
        expect(page.get_by_role("definition").get_by_text("waiting", exact=True)).to_be_visible()
        visit.close()
