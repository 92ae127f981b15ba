"""Rows 76 to 79 of the fault table: kills in the middle of a save, power cuts, disks that are full, or refuse.

Whatever was acknowledged is there, and others are answered meanwhile.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.crashes.disks import disk_with_power, fill_up, needs_root, small_disk, tool
from tests.crashes.power import cut_once
from tests.crashes.protocols import FAST, Models, explore
from tests.faults.asking import answer, kept_by
from tests.measuring import unmeasured
from tests.service.test_server import processes_of

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.timeout(300)]
STRACE = shutil.which("strace") or "strace"
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


def injected(*endings: str, some: int) -> None:
    """Let calls of a store fail in such ways, evenly chosen among all of its saves and deletions."""
    command = [sys.executable, "-m", "tests.crashes.injections", "--some", str(some), "--endings", *endings]

    run = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=False, timeout=280)

    said = re.search(r"(\d+) faults, 0 violations", run.stdout)
    assert said is not None, run.stdout + run.stderr
    assert int(said[1]) >= some / 2


@needs_strace
@needs_root  # who alone may follow any process
def test_fault_76_a_kill_at_any_call_of_a_save_loses_nothing_that_was_acknowledged() -> None:
    """What was not is there whole or not at all; the next start leaves nothing behind of it, and goes on."""
    injected("KILL", some=10)


@contextmanager
def memory_group(*processes: int) -> Iterator[Path]:
    """Make a group of processes whose memory is counted together, and may be bounded."""
    group = MEMORY_GROUPS / f"netlet-{os.getpid()}"
    group.mkdir()
    try:
        for process in processes:
            (group / "cgroup.procs").write_text(str(process))
        yield group
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):  # it has just ended
                (MEMORY_GROUPS / "cgroup.procs").write_text(left)
        wait_until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@needs_root
@pytest.mark.skipif(not (MEMORY_GROUPS / "memory.limit_in_bytes").exists(), reason="there are no groups of version 1")
def test_fault_76_a_process_that_the_kernel_kills_for_its_memory_loses_nothing(start_server: StartServer) -> None:
    """Versions are trained until one takes more than there is: the others are there, bit for bit, after a restart."""
    server = start_server(NETLET_MOST_ATTEMPTS="1", NETLET_TRAININGS_AT_ONCE="1")
    processes = server.process.pid, *processes_of(server.process.pid)
    with memory_group(*processes) as group, server.client() as client:
        for seed in range(3):
            client.post("/train", json=TUTORIAL | {"training": {"seed": seed}}).raise_for_status()
        acknowledged = kept_by(client)
        large = {"X": [[row] for row in range(20_000)], "y": list(range(20_000)), "network": {"hidden": [1000, 1000]}}
        training = {"optimizer": "adam", "epochs": 1, "members": 1, "batch_size": 20_000}
        taken = int((group / "memory.usage_in_bytes").read_text())
        (group / "memory.limit_in_bytes").write_text(str(taken + 200 * 2**20))

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
        broken = Models(careless, length=4, broken=("lost", next(site for site in syncs if site[2] == "file")))
        _, wrong = explore(broken, careless, Random(1), first=True)
        broken.close()

    assert not said
    assert count >= 400
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
