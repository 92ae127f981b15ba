"""Faults of nature: kills, power cuts, disks that refuse, clocks that jump, processes that hang.

What was acknowledged is there, and others are answered meanwhile. Each test is a row of the table of faults.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.conftest import TUTORIAL, Server, StartServer, wait_until
from tests.crashes.disks import disk_with_power, fill_up, needs_root, small_disk, tool
from tests.crashes.power import cut_once
from tests.crashes.protocols import FAST, Models, explore
from tests.faults.stores import damage, leave_behind, multiplied
from tests.service.test_server import processes_of

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.timeout(300)]
STRACE = shutil.which("strace") or "strace"
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
LONG: dict[str, Any] = TUTORIAL | {"name": "long", "training": {"epochs": 3_000_000}}
ASKED = {"model": "exam", "X": [[4, 8], [2, 9]]}
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
FAKE_CLOCK = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def answer(client: httpx.Client, reference: str = "exam") -> Any:
    """Have two rows answered."""
    return client.post("/predict", json=ASKED | {"model": reference}).raise_for_status().json()["predictions"]


def injected(*endings: str, some: int) -> None:
    """Let calls of a store fail in such ways, evenly chosen among all of its saves and deletions."""
    command = [sys.executable, "-m", "tests.crashes.injections", "--some", str(some), "--endings", *endings]

    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)

    said = re.search(r"(\d+) faults, 0 violations", run.stdout)
    assert said is not None, run.stdout + run.stderr
    assert int(said[1]) >= some / 2


def kept_by(client: httpx.Client) -> dict[str, str]:
    """Tell all versions of the model, and what they hash to."""
    versions = client.get("/models/exam").raise_for_status().json()["versions"]
    paths = [f"/models/exam/versions/{version}" for version in versions]
    return {path: client.get(path).raise_for_status().json()["sha256"] for path in paths}


@needs_strace
@needs_root  # who alone may follow any process
def test_fault_76_a_kill_at_any_call_of_a_save_loses_nothing_that_was_acknowledged() -> None:
    """What was not is there whole or not at all; the next start leaves nothing behind of it, and goes on."""
    injected("KILL", some=10)


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """Make a group of processes that may have so much memory together."""
    group = MEMORY_GROUPS / f"netlet-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@needs_root
@pytest.mark.skipif(not (MEMORY_GROUPS / "memory.limit_in_bytes").exists(), reason="there are no groups of version 1")
def test_fault_76_a_process_that_the_kernel_kills_for_its_memory_loses_nothing(start_server: StartServer) -> None:
    """Versions are trained until one takes more than there is: the others are there, bit for bit, after a restart."""
    server = start_server(NETLET_MOST_ATTEMPTS="1", NETLET_TRAININGS_AT_ONCE="1")
    with memory_group(700 * 2**20) as group, server.client() as client:
        for process in (server.process.pid, *processes_of(server.process.pid)):
            (group / "cgroup.procs").write_text(str(process))
        for seed in range(3):
            client.post("/train", json=TUTORIAL | {"training": {"seed": seed}}).raise_for_status()
        acknowledged = kept_by(client)
        large = {"X": [[row] for row in range(20_000)], "y": list(range(20_000)), "network": {"hidden": [1000, 1000]}}
        training = {"optimizer": "adam", "epochs": 1, "members": 1, "batch_size": 20_000}

        with suppress(httpx.TransportError):  # the kernel chooses whom it kills
            lost = client.post("/train", json=large | {"training": training})
            assert (lost.status_code, lost.json()["type"]) == (503, "/problems/worker-lost")
        server.end(signal.SIGKILL)

    with start_server().client() as client:
        assert kept_by(client) == acknowledged
        client.post("/train", json=TUTORIAL).raise_for_status()


def test_fault_77_no_power_cut_makes_untrue_what_was_told(tmp_path: Path) -> None:
    """In all states that cuts may leave, as a model of a disk has them, and on a disk of our own, whose power is cut.

    The same states tell that a store which leaves a sync out does lose something.
    """
    with tempfile.TemporaryDirectory(dir=FAST) as room:
        recorded, careful, careless = [Path(room) / name for name in ("recorded", "careful", "careless")]
        for folder in (recorded, careful, careless):
            folder.mkdir()
        protocol = Models(recorded, length=4)
        count, said = explore(protocol, careful, Random(1), first=False)
        syncs = sorted(site for site in protocol.recorder.sites if site[0] == "fsync")
        protocol.close()
        broken = Models(
            careless / "store", length=4, broken=("lost", next(site for site in syncs if "files" in site[1]))
        )
        _, wrong = explore(broken, careless, Random(1), first=True)
        broken.close()

    assert not said
    assert count >= 500
    assert wrong
    if os.geteuid() == 0 and Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4"):
        with disk_with_power(tmp_path) as disk:
            found = cut_once(disk, Random(1))
        assert (found.lost, found.said) == (0, [])
        assert found.acknowledged > 0


@needs_root
def test_fault_78_a_full_disk_keeps_what_it_has_and_recovers(tmp_path: Path, start_server: StartServer) -> None:
    """507 to who would write, answers to who asks, room for who deletes; all is well as soon as there is space."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        server = start_server(NETLET_MODELS=str(disk / "models"))
        with server.client() as client:
            for seed in range(2):
                client.post("/train", json=TUTORIAL | {"training": {"seed": seed}}).raise_for_status()
            before, acknowledged = answer(client), kept_by(client)
            fill_up(disk / "filler")

            for path, body in (("/train", TUTORIAL), ("/datasets", {"X": [[1, 2]] * 2000})):
                refused = client.post(path, json=body)
                assert (refused.status_code, refused.json()["type"]) == (507, "/problems/storage-full")
            assert answer(client) == before
            assert kept_by(client) == acknowledged
            assert client.get("/readyz").status_code == 503
            assert client.delete("/models/exam/versions/1").status_code == 204

            (disk / "filler").unlink()
            assert client.post("/train", json=TUTORIAL).status_code == 201
            assert answer(client, "exam/2") == before
        server.end()


@needs_strace
@needs_root
def test_fault_78_a_quota_that_is_used_up_is_a_full_disk() -> None:
    """Nothing of what could not be written whole is there, and what was acknowledged is."""
    injected("EDQUOT", "ENOSPC for ever", some=8)


def test_fault_78_a_file_that_may_not_grow_is_a_full_disk(start_server: StartServer) -> None:
    """507; the version before is answered, and once files may grow again, the next is trained."""
    wide = TUTORIAL | {"network": {"hidden": [200, 200]}, "training": {"epochs": 2}}
    server = start_server(NETLET_EXECUTOR="thread")
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before = answer(client)
        with file_size(server.process.pid, 300_000):
            refused = client.post("/train", json=wide)
            assert (refused.status_code, refused.json()["type"]) == (507, "/problems/storage-full")
            assert answer(client) == before

        client.post("/train", json=wide).raise_for_status()
        assert answer(client, "exam/1") == before


@contextmanager
def file_size(process: int, most: int) -> Iterator[None]:
    """Let no file that a process writes become longer than this, for a while."""
    tool("prlimit", f"--fsize={most}:unlimited", "--pid", process)
    try:
        yield
    finally:
        tool("prlimit", "--fsize=unlimited:unlimited", "--pid", process)


@contextmanager
def failing(process: int, calls: str, error: str, log: Path) -> Iterator[None]:
    """Let calls of the system fail that a process makes, for a while."""
    how = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    with subprocess.Popen([STRACE, "-f", "-qq", "-o", str(log), *how, "-p", str(process)]) as tracer:
        status = Path(f"/proc/{process}/status")
        wait_until(lambda: "TracerPid:\t0\n" not in status.read_text())
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)


@needs_strace
@needs_root
def test_fault_79_a_disk_that_fails_is_told_and_acknowledges_nothing(tmp_path: Path, start_server: StartServer) -> None:
    """503, also by /readyz until the disk takes something again; answers go on, and no version has come of it."""
    server = start_server(NETLET_EXECUTOR="thread")
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before, acknowledged = answer(client), kept_by(client)
        with failing(server.process.pid, "fsync,fdatasync", "EIO", tmp_path / "log"):
            refused = client.post("/train", json=TUTORIAL)
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/storage")
            assert int(refused.headers["retry-after"]) > 0
            assert client.get("/readyz").status_code == 503
            assert answer(client) == before

        assert client.get("/readyz").status_code == 200
        assert kept_by(client) == acknowledged
        client.post("/train", json=TUTORIAL).raise_for_status()


@needs_strace
@needs_root
def test_fault_79_no_call_that_fails_with_an_error_of_the_disk_does_any_damage() -> None:
    """Writes, syncs, renames and removals: errors are clean, no sync is tried twice, and nothing is lost."""
    injected("EIO", "EIO for ever", some=10)


@needs_root
def test_fault_79_a_disk_that_becomes_read_only_is_told(tmp_path: Path, start_server: StartServer) -> None:
    """503 by /readyz and to who would write; answers go on."""
    with small_disk(tmp_path / "disk", "20m") as disk:
        server = start_server(NETLET_MODELS=str(disk / "models"), NETLET_RESERVE_BYTES="0")
        with server.client() as client:
            client.post("/train", json=TUTORIAL).raise_for_status()
            before = answer(client)
            tool("mount", "--bind", disk / "models", disk / "models")
            try:
                tool("mount", "-o", "remount,bind,ro", disk / "models")
                assert client.get("/readyz").status_code == 503
                refused = client.post("/train", json=TUTORIAL)
                assert (refused.status_code, refused.json()["type"]) == (503, "/problems/storage")
                assert answer(client) == before
            finally:
                tool("umount", "--lazy", disk / "models")  # somebody may have a file of it open
            assert client.post("/train", json=TUTORIAL).status_code == 201
            assert client.get("/readyz").status_code == 200
        server.end()


def test_fault_82_a_training_that_needs_too_much_memory_fails_alone(start_server: StartServer) -> None:
    """507 out-of-memory; the process that answers is the same, and the next training is done."""
    server = start_server(NETLET_TRAINING_BYTES=str(2**28))
    large = {"X": [[row] for row in range(20_000)], "y": list(range(20_000)), "network": {"hidden": [500, 500]}}
    training = {"optimizer": "adam", "epochs": 1, "members": 1, "batch_size": 20_000}
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before = answer(client)

        failed = client.post("/train", json=large | {"training": training})

        assert (failed.status_code, failed.json()["type"]) == (507, "/problems/out-of-memory")
        assert client.get("/jobs").json()["jobs"][0]["status"] == "failed"
        assert answer(client) == before
        client.post("/train", json=TUTORIAL).raise_for_status()


@pytest.mark.skipif(not FAKE_CLOCK.exists(), reason="libfaketime is not installed")
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
        years = {"-1h": 2026, "+1h": 2026, "+20y": 2046, "-70y": 1956}
        for version, offset in enumerate(years, start=2):
            set_to(offset)
            assert trained(client, f"key-{version}") == (version, False)
            assert trained(client, f"key-{version}") == (version, True)
            assert trained(client, "first") == (1, True)
            assert client.post("/predict", json=ASKED).json()["version"] == version
            job = next(job for job in client.get("/jobs").json()["jobs"] if job["version"] == version)
            assert job["status"] == "succeeded"
            assert client.get("/readyz").status_code == 200
        assert "1956" in client.get("/livez").headers["date"]  # it did jump

    with start_server().client() as client:
        assert client.get("/models/exam").json()["versions"] == [1, 2, 3, 4, 5]
        assert trained(client, "first") == (1, True)
        assert trained(client, "last") == (6, False)


def test_fault_84_sigterm_ends_a_service_that_trains_and_loses_nothing(start_server: StartServer) -> None:
    """503 by /readyz, the last event, the last answer; the training goes on where it was put down; exit code 0."""
    server = start_server(NETLET_CHECKPOINT_SECONDS="3600")
    with server.client() as client, server.client() as other, server.client() as third:
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
