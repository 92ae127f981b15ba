"""Several workers: one port, one store, and none of them missed."""

import asyncio
import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.clients import Asked, Crowd, Kept, until_answered

XY = {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def answering(server: Server) -> str:
    """Wait until it answers: it listens before its workers have begun."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=60) as client:
        assert client.get(f"{server.url}/readyz").status_code == 200
    return server.url


@pytest.mark.only_on("sqlite")
def test_what_one_worker_has_acknowledged_all_know_at_once(start_server: StartServer) -> None:
    """New versions and deletions, asked about over new connections, which any worker may take."""
    url = answering(start_server("--workers", "2"))
    for version in range(1, 11):
        assert httpx.post(f"{url}/train", json={"name": "exam", **XY}, timeout=60).json()["version"] == version
        for _ in range(4):
            assert (
                httpx.post(f"{url}/predict", json={"model": "exam", "X": [1, 2]}, timeout=60).json()["version"]
                == version
            )
    assert httpx.delete(f"{url}/models/exam", timeout=60).status_code == 204
    for _ in range(6):
        assert httpx.post(f"{url}/predict", json={"model": "exam", "X": [1, 2]}, timeout=60).status_code == 404


def test_a_worker_that_is_lost_is_replaced(start_server: StartServer) -> None:
    """Whoever asks meanwhile is answered by the others; a signal ends all of them, with exit code 0."""
    server = start_server("--workers", "2")
    url = answering(server)
    lost, other = children(server.process.pid)

    os.kill(lost, signal.SIGKILL)
    for _ in range(20):
        assert httpx.get(f"{url}/livez", timeout=60).status_code == 200
    wait_until(lambda: len(children(server.process.pid)) == 2)
    workers = children(server.process.pid)
    assert other in workers
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert not any(map(is_running, workers))


def test_workers_end_with_whoever_started_them(start_server: StartServer) -> None:
    """Also where that is killed: none goes on to hold the port."""
    server = start_server("--workers", "2")
    answering(server)
    workers = children(server.process.pid)
    server.process.kill()
    wait_until(lambda: not any(map(is_running, workers)))


async def test_all_workers_are_replaced_and_nobody_notices(start_server: StartServer) -> None:
    """SIGHUP: clients that keep their connections, in a hurry or with pauses, and who trains, are all answered."""
    server = start_server("--workers", "2")
    await until_answered(server.url)
    before = set(children(server.process.pid))
    async with Kept(server.url) as client:
        await client.ask("POST", "/train", json.dumps({"name": "exam", **XY}).encode())
    predicting = Asked("POST", "/predict", b'{"model": "exam", "X": [[1, 2]]}')
    training = Asked("POST", "/train", json.dumps({"name": "other", **XY}).encode(), good=(201, 202), pause=1)
    crowd = Crowd(server.url)

    asking = asyncio.create_task(crowd.gathered([predicting, predicting._replace(pause=2)] * 20 + [training] * 2, 1))
    server.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(wait_until, lambda: _are_others(server, before), seconds=100)
    crowd.is_over = True
    await asking

    assert not crowd.failed
    assert crowd.tally["last answers of connections"] >= 40


def _are_others(server: Server, than: set[int]) -> bool:
    now = set(children(server.process.pid))
    return len(now) == len(than) and not now & than
