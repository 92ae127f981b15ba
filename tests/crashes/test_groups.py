"""Killed in the middle of many models: what was published is there once, and the rest is made by whoever goes on."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer, wait_until

pytestmark = pytest.mark.timeout(300)
OFTEN = {"NETLET_LEASE_SECONDS": "0.5"}
GROUPS = 1600  # in four calls of a process
Told = dict[str, Any]


def body(name: str) -> Told:
    """Ask for many models, of two sizes of groups."""
    rows = [
        [group, row % 4, row % 3, (group % 7) * (row % 4) + row % 3]
        for group in range(GROUPS)
        for row in range(8 + group % 2)
    ]
    columns = ["group", "x", "z", "y"]
    return {
        "name": name,
        "group_by": "group",
        "columns": columns,
        "rows": rows,
        "target": "y",
        "training": {"epochs": 60},
    }


def begun(client: httpx.Client, name: str) -> str:
    """Begin, and give the job once some of its models are there, and some are not."""
    job = str(client.post("/train/batch", params={"wait": 0}, json=body(name)).json()["job"])
    wait_until(lambda: any(made(client, job)))
    return job


def models(client: httpx.Client, job: str) -> list[Told]:
    told: list[Told] = client.get(f"/jobs/{job}/models").json()["models"]
    return told


def made(client: httpx.Client, job: str) -> list[Told]:
    return [model for model in models(client, job) if model["version"] is not None]


def workers_of(parent: int) -> list[int]:
    """Find the processes that train: those that the server of forks has made."""
    found = []
    for child in children_of(parent):
        found += children_of(child)
    return found


def children_of(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text(encoding="utf-8").split()
    ]


def require_whole(client: httpx.Client, job: str, attempt: int) -> None:
    """Require each group to have one version, the first, which answers, after so many attempts."""
    wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] not in {"queued", "running"}, seconds=200)
    told = client.get(f"/jobs/{job}").json()
    assert (told["status"], told["attempt"], told["epoch"]) == ("succeeded", attempt, GROUPS), told
    assert {model["version"] for model in models(client, job)} == {1}
    listed: dict[str, list[int]] = {}
    after: str | None = ""
    while after is not None:
        page = client.get("/models", params={"prefix": f"{told['model']}.", "after": after, "limit": 1000}).json()
        listed |= {model["model"]: model["versions"] for model in page["models"]}
        after = page["next"]
    assert listed == {f"{told['model']}.{group}": [1] for group in range(GROUPS)}


def test_a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    """What was published stays as it is, the rest is made by the next attempt, to the same bits as undisturbed."""
    server = start_server(**OFTEN)
    with server.client() as client:
        job = begun(client, "killed")
        before = made(client, job)
        for worker in workers_of(server.process.pid):
            os.kill(worker, signal.SIGKILL)

        require_whole(client, job, attempt=2)
        undisturbed = begun(client, "whole")
        require_whole(client, undisturbed, attempt=1)
        for group in (0, GROUPS - 1):
            one, other = (client.get(f"/models/{name}.{group}/weights").json() for name in ("killed", "whole"))
            assert one["members"] == other["members"]
        assert models(client, job)[: len(before)] == before
        assert 0 < len(before) < GROUPS
    assert os.listdir(tmp_path / "models" / ".incoming") == []  # noqa: PTH208 - to be printed


def test_a_service_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    start_server: StartServer,
) -> None:
    """Another server takes the job over, and begins with the first group that has no version."""
    server = start_server(**OFTEN)
    with server.client() as client:
        job = begun(client, "killed")
        server.end(signal.SIGKILL)

    with start_server(**OFTEN).client() as client:
        require_whole(client, job, attempt=2)


def test_a_service_that_ends_in_peace_leaves_the_rest_to_the_next(start_server: StartServer) -> None:
    """As the same attempt: nothing was lost."""
    server = start_server()
    with server.client() as client:
        job = begun(client, "left")
        assert server.end(signal.SIGTERM) == 0

    with start_server().client() as client:
        require_whole(client, job, attempt=1)


def test_what_is_cancelled_in_the_middle_keeps_what_is_done(start_server: StartServer) -> None:
    """Those models stay; no other comes, and nothing is left of them."""
    with start_server().client() as client:
        job = begun(client, "ended")
        client.delete(f"/jobs/{job}").raise_for_status()
        wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "cancelled")

        done = made(client, job)
        assert 0 < len(done) < GROUPS
        assert client.get(f"/models/{done[-1]['model']}").status_code == 200
        assert client.get(f"/models/{models(client, job)[-1]['model']}").status_code == 404


def test_a_job_of_groups_pauses_and_goes_on(start_server: StartServer) -> None:
    """Between some groups and the next: its epochs are groups."""
    with start_server().client() as client:
        asked = client.post("/train/batch", params={"paused": True}, json=body("slow")).json()
        job = asked["job"]
        assert (asked["paused"], made(client, job)) == (True, [])

        client.post(f"/jobs/{job}/step").raise_for_status()
        wait_until(lambda: any(made(client, job)))
        some = len(made(client, job))
        assert client.get(f"/jobs/{job}").json()["status"] == "running"
        client.post(f"/jobs/{job}/resume").raise_for_status()

        require_whole(client, job, attempt=1)
        assert some < GROUPS
