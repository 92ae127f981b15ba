"""Rows 82 to 88 of the fault table: memory that ends, clocks that jump, processes that end, crash or hang.

Whatever was acknowledged is there, and others are answered meanwhile.
"""

import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.conftest import TUTORIAL, Server, StartServer, wait_until
from tests.faults.asking import ASKED, LONG, answer, kept_by
from tests.faults.stores import damage, leave_behind, multiplied

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.timeout(300)]
FAKE_CLOCK = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def test_fault_82_a_training_that_needs_too_much_memory_fails_alone(start_server: StartServer) -> None:
    """507 out-of-memory; the process that answers is the same, and the next training is done."""
    server = start_server(NETLET_TRAINING_BYTES=str(2**28))
    large = {"X": [[row] for row in range(20_000)], "y": list(range(20_000)), "network": {"hidden": [1000, 1000]}}
    training = {"optimizer": "adam", "epochs": 1, "members": 1, "batch_size": 20_000}
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before = answer(client)

        failed = client.post("/train", json=large | {"training": training})

        assert (failed.status_code, failed.json()["type"]) == (507, "/problems/out-of-memory")
        assert client.get("/jobs").json()["jobs"][0]["status"] == "failed"
        assert answer(client) == before
        client.post("/train", json=TUTORIAL).raise_for_status()


@pytest.mark.skipif(FAKE_CLOCK is None, reason="libfaketime is not installed")
def test_fault_83_no_jump_of_the_clock_changes_what_is_newest_or_known(
    tmp_path: Path, start_server: StartServer
) -> None:
    """An hour back and on, beyond 2038, before 1970: versions count up, keys stand for what they stood for."""
    clock = tmp_path / "clock"

    def set_to(offset: str) -> None:
        clock.with_suffix(".new").write_text(offset)
        clock.with_suffix(".new").rename(clock)

    def trained(client: httpx.Client, key: str) -> tuple[int, bool]:
        response = client.post("/train", json=TUTORIAL, headers={"Idempotency-Key": key}).raise_for_status()
        return response.json()["version"], "idempotency-replayed" in response.headers

    set_to("+0")
    fake = {"LD_PRELOAD": str(FAKE_CLOCK), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    server = start_server(**fake, FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1")
    with server.client() as client:
        assert trained(client, "first") == (1, False)
        for version, offset in enumerate(("-1h", "+1h", "+20y", "-70y"), start=2):
            set_to(offset)
            assert trained(client, f"key-{version}") == (version, False)
            assert trained(client, f"key-{version}") == (version, True)
            assert trained(client, "first") == (1, True)
            assert client.post("/predict", json=ASKED).json()["version"] == version
            job = next(job for job in client.get("/jobs").json()["jobs"] if job["version"] == version)
            assert job["status"] == "succeeded"
            assert client.get("/readyz").status_code == 200
        wait_until(lambda: client.get("/livez").headers["date"].split()[3] < "1970")  # it did jump

    with start_server().client() as client:
        assert client.get("/models/exam").json()["versions"] == [1, 2, 3, 4, 5]
        assert trained(client, "first") == (1, True)
        assert trained(client, "last") == (6, False)


def test_fault_83_no_training_waits_for_a_clock_that_was_set_back(tmp_path: Path, start_server: StartServer) -> None:
    """Of a service that was killed with a clock an hour ahead: it would be said to run until that hour is over."""
    server = start_server()
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).raise_for_status().json()["job"]
        wait_until(lambda: client.get(f"/jobs/{job}").json()["epoch"] is not None)
    server.end(signal.SIGKILL)
    with closing(sqlite3.connect(tmp_path / "models" / ".catalogue.sqlite", isolation_level=None)) as catalogue:
        assert catalogue.execute("UPDATE jobs SET lease = lease + 3600").rowcount == 1

    with start_server().client() as client:
        wait_until(lambda: client.get(f"/jobs/{job}").json()["attempt"] == 2)
        client.delete(f"/jobs/{job}").raise_for_status()


def kept_client(server: Server) -> httpx.Client:
    """Make a client that keeps its connection for as long as a server does, which is longer than clients usually do."""
    return httpx.Client(base_url=server.url, timeout=60, trust_env=False, limits=httpx.Limits(keepalive_expiry=60))


def test_fault_84_sigterm_ends_a_service_that_trains_and_loses_nothing(start_server: StartServer) -> None:
    """503 by /readyz, the last event, the last answer; the training goes on where it was put down; exit code 0."""
    server = start_server(NETLET_CHECKPOINT_SECONDS="3600")
    with server.client() as client, kept_client(server) as other, kept_client(server) as third:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before = answer(client)
        for each in (other, third):
            each.get("/livez").raise_for_status()
        job = client.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        wait_until(lambda: (client.get(f"/jobs/{job}").json()["epoch"] or 0) > 1000)
        with client.stream("GET", f"/jobs/{job}/events") as events:
            lines = events.iter_lines()
            assert next(lines) == "event: running"
            server.process.send_signal(signal.SIGTERM)
            told = [*lines]
        assert "event: shutdown" in told
        assert any(line.startswith("retry: ") for line in told)

        assert other.get("/readyz").status_code == 503
        last = third.post("/predict", json=ASKED)
        assert (last.json()["predictions"], last.headers["connection"]) == (before, "close")
        assert server.process.wait(40) == 0

    with start_server().client() as client:
        shown = client.get(f"/jobs/{job}").json()
        assert (shown["status"], shown["attempt"]) == ("running", 1)
        assert shown["epoch"] > 1000
        client.delete(f"/jobs/{job}").raise_for_status()


def workers_of(server: Server) -> set[int]:
    """List the processes that serve."""
    supervisor = server.process.pid
    return {int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["crash", "hang"])
def test_fault_85_a_worker_that_crashes_or_hangs_is_replaced(how: signal.Signals, start_server: StartServer) -> None:
    """Whoever asks meanwhile is answered by the other."""
    server = start_server("--workers", "2", NETLET_SILENCE_SECONDS="3")
    url = httpx.URL(server.url)
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        wait_until(lambda: len(workers_of(server)) == 2)
        before = workers_of(server)

        lost = min(before)
        os.kill(lost, how)

        wait_until(lambda: lost not in workers_of(server) and len(workers_of(server)) == 2, seconds=100)
        for _ in range(10):
            assert httpx.post(url.join("/predict"), json=ASKED, timeout=60, trust_env=False).status_code == 200
    assert server.end() == 0


MODELS, DAMAGED = 3000, 30


def test_fault_86_a_store_of_many_models_begins_at_once_whatever_is_wrong_in_it(
    tmp_path: Path, start_server: StartServer
) -> None:
    """Some damaged, some gone, and what three crashes left: all others are answered, and what is wrong says so."""
    root = tmp_path / "models"
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL | {"name": "m0"}).raise_for_status()
        before = answer(client, "m0")
    server.end()
    multiplied(root, MODELS)
    wrong = damage(root, range(1, MODELS, MODELS // DAMAGED))
    left = leave_behind(root)

    with start_server().client() as client:
        assert client.get("/readyz").status_code == 200
        for number in range(0, MODELS, 97):
            name = f"m{number}"
            if name not in wrong:
                assert answer(client, name) == before
        for name in wrong:
            refused = client.post("/predict", json=ASKED | {"model": name})
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/corrupt")
        assert not [path for path in left if path.exists()]


def test_fault_88_two_servers_share_one_store_safely(start_server: StartServer) -> None:
    """Numbers never collide, each knows at once what the other did, and one goes on with what the other leaves."""
    servers = [start_server(NETLET_LEASE_SECONDS="1") for _ in range(2)]
    made: list[int] = []

    def train_on(server: Server) -> None:
        with server.client() as client:
            for seed in range(6):
                response = client.post("/train", json=TUTORIAL | {"training": {"seed": seed}})
                made.append(response.raise_for_status().json()["version"])

    threads = [threading.Thread(target=train_on, args=(server,)) for server in servers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(1, 25))

    with servers[0].client() as one, servers[1].client() as other:
        assert kept_by(one) == kept_by(other)
        assert answer(one, "exam/7") == answer(other, "exam/7")
        one.delete("/models/exam/versions/7").raise_for_status()
        assert other.post("/predict", json=ASKED | {"model": "exam/7"}).status_code == 404

        job = one.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        wait_until(lambda: (other.get(f"/jobs/{job}").json()["epoch"] or 0) > 0)
        servers[0].end(signal.SIGKILL)
        wait_until(lambda: other.get(f"/jobs/{job}").json()["attempt"] == 2, seconds=60)
        assert other.get(f"/jobs/{job}").json()["status"] == "running"
        other.delete(f"/jobs/{job}").raise_for_status()
