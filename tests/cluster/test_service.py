"""A service with a cluster: what it says of it, and what it does without."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests import ray_cluster
from tests.conftest import TUTORIAL, Server, StartServer, wait_until
from tests.ray_cluster import IMPATIENT, PROVES, Ray

ENDLESS = TUTORIAL | {"name": "long", "training": {"epochs": 10_000_000}}


@pytest.fixture
def own() -> Iterator[Ray]:
    """Run a cluster for one test, with room for one training."""
    with ray_cluster.running(cpus=1) as ray:
        yield ray


def using(ray: Ray) -> dict[str, str]:
    """Set what a service needs that trains there."""
    terms = {"NETLET_EXECUTOR": "ray", "NETLET_RAY_ADDRESS": ray.address, "NETLET_LEASE_SECONDS": "1"}
    return terms | PROVES | IMPATIENT | {"NETLET_TRAINING_BYTES": str(2**30)}


def told(server: Server, job: str) -> dict[str, Any]:
    return dict(httpx.get(f"{server.url}/jobs/{job}", timeout=60).json())


def begun(server: Server, after: int = 20, **asked: Any) -> str:
    """Begin a training, and wait until it is so far."""
    answer = httpx.post(f"{server.url}/train", json=ENDLESS, params={"wait": 0} | asked, timeout=60)
    job: str = answer.json()["job"]
    wait_until(lambda: (told(server, job)["epoch"] or 0) >= after)
    return job


def test_a_service_without_its_cluster_answers_and_says_so(
    own: Ray, start_server: StartServer, environment: dict[str, str]
) -> None:
    """Models are asked as ever, trainings wait; once the cluster is there again, they are done."""
    server = start_server(**using(own))
    made = httpx.post(f"{server.url}/train", json=TUTORIAL, timeout=60)
    assert made.status_code == 201, made.text

    own.kill()
    wait_until(lambda: verbose(server)["queue"]["trouble"] is not None)
    job = httpx.post(f"{server.url}/train?wait=0", json=TUTORIAL, timeout=60).json()["job"]

    assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
    assert httpx.post(f"{server.url}/predict", json={"model": "exam", "X": [4, 8]}, timeout=60).status_code == 200
    assert (told(server, job)["status"], told(server, job)["attempt"]) == ("running", 1)
    assert told(server, job)["waits_for"].startswith(f"The Ray cluster at {own.address} cannot be used")
    refused = start_refused(environment | using(own))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"The Ray cluster at {own.address} cannot be used: nothing answers there." in refused.stderr
    own.begin()
    wait_until(lambda: told(server, job)["status"] == "succeeded")
    assert told(server, job)["attempt"] == 1
    assert verbose(server)["queue"]["trouble"] is None
    assert server.end() == 0


def verbose(server: Server) -> dict[str, Any]:
    return dict(httpx.get(f"{server.url}/readyz?verbose", timeout=60).json())


def start_refused(terms: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a server that cannot be."""
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    return subprocess.run(command, env=terms, capture_output=True, text=True, timeout=100, check=False)


def test_a_server_that_is_killed_leaves_nobody_at_work(ray: Ray, start_server: StartServer) -> None:
    """Another takes over what it had, in the only place that there is: what was begun for the first is over by then."""
    terms = using(ray) | {"NETLET_THREADS": str(ray.cpus)}
    first, second = start_server(**terms), start_server(**terms)
    job = begun(first)
    (worker,) = ray.head.workers()

    first.process.send_signal(signal.SIGKILL)

    wait_until(lambda: told(second, job)["attempt"] == 2)
    wait_until(lambda: ray.head.workers() not in ([], [worker]))
    assert not ray_cluster.is_alive(worker)
    assert httpx.delete(f"{second.url}/jobs/{job}", timeout=60).status_code == 200
    wait_until(lambda: told(second, job)["status"] == "cancelled")
    wait_until(lambda: not ray.head.workers())


def test_a_server_that_ends_in_peace_leaves_a_training_where_it_was(ray: Ray, start_server: StartServer) -> None:
    """Its state comes back from the node first; whoever comes next goes on, in the same attempt."""
    server = start_server(**using(ray))
    job = begun(server)
    assert server.end(signal.SIGTERM) == 0
    wait_until(lambda: not ray.head.workers())

    server = start_server(**using(ray))
    here = told(server, job)
    assert (here["status"], here["attempt"]) == ("running", 1)
    wait_until(lambda: told(server, job)["epoch"] > here["epoch"] >= 20)
    history = told(server, job)["history"]["epochs"]
    assert history == sorted(set(history))
    assert told(server, job)["attempt"] == 1


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants a cluster without Ray is told what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ValidationError, match=r"pip install 'netlet\[cluster\]'"):
        Settings(executor="ray")


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "local", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """This machine must be a node: no client of Ray's, and no cluster that it would start itself."""
    with pytest.raises(ValidationError, match="ray start"):
        Settings(ray_address=address)
