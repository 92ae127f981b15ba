"""Replicas that Ray Serve begins and ends as there is work for them, and those that it may not begin."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.ray_cluster import Node, Ray, is_alive
from tests.replicas.serving import QUICK, Served, replicas

pytestmark = [pytest.mark.only_on("s3"), pytest.mark.timeout(400)]

SOON = {"upscale_delay_s": 0.5, "downscale_delay_s": 2, "metrics_interval_s": 0.5, "look_back_period_s": 1}
ENDLESS = TUTORIAL | {"training": {"epochs": 10_000_000}}


def told(client: httpx.Client, job: str) -> dict[str, Any]:
    return dict(client.get(f"/jobs/{job}").json())


def begun(client: httpx.Client, name: str) -> str:
    """Begin a training that ends when it is told to, and wait until it is under way."""
    job: str = client.post("/train", json=ENDLESS | {"name": name}, params={"wait": 0}).json()["job"]
    beyond(client, job, 20)
    return job


def beyond(client: httpx.Client, job: str, epoch: int) -> int:
    """Wait until a training is beyond an epoch, in its first attempt, and tell how far it is."""
    here = [epoch]

    def goes_on() -> bool:
        here.append(told(client, job)["epoch"] or 0)  # nobody knows it between two servers
        return here[-1] > epoch

    wait_until(goes_on)
    assert told(client, job)["attempt"] == 1
    return here[-1]


def follow(client: httpx.Client, job: str) -> None:
    """Follow a training to its end: a request for as long as that takes."""
    with client.stream("GET", f"/jobs/{job}/events", timeout=200) as events:
        for _ in events.iter_lines():
            pass


def test_replicas_come_with_the_load_and_go_in_peace(  # noqa: PLR0917 - fixtures
    ray: Ray,
    nodes: list[Node],
    key: dict[str, str],
    shared: dict[str, str],
    start_server: StartServer,
    tmp_path: Path,
) -> None:
    """From one to two and back, and to none; a training goes on elsewhere where it was, in the same attempt."""
    scaling = {"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 2} | SOON
    with Served(ray, tmp_path, QUICK | shared, autoscaling_config=scaling) as served, served.client(key) as client:
        assert len(replicas(*nodes)) == 1
        long, crowd = begun(client, "long"), begun(client, "crowd")
        load = [threading.Thread(target=follow, args=(client, crowd)) for _ in range(8)]
        for one in load:
            one.start()
        wait_until(lambda: len(replicas(*nodes)) == 2, seconds=120)

        here = beyond(client, long, 20)
        client.delete(f"/jobs/{crowd}")
        for one in load:
            one.join()
        wait_until(lambda: len(replicas(*nodes)) == 1, seconds=120)

        here, last = beyond(client, long, here), replicas(*nodes)
        assert served.end() == 0, served.said()
    assert not [pid for pid in last if is_alive(pid)]
    with start_server(**shared).client() as client:
        client.headers.update(key)
        beyond(client, long, here)
        assert client.delete(f"/jobs/{long}").status_code == 200


def test_what_several_servers_cannot_share_is_refused(ray: Ray, nodes: list[Node], tmp_path: Path) -> None:
    """Each node would have a catalogue of its own in SQLite; whoever begins it is told so, and what to do."""
    assert len(nodes) == 2
    with Served(ray, tmp_path, {"NETLET_INSECURE": "true"}) as served:
        wait_until(lambda: "The catalogue is in SQLite" in served.said(), seconds=120)
        assert "Set NETLET_DATABASE_URL" in served.said()
