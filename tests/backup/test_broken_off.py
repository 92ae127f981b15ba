"""Backups and restores that do not come to their ends: no half of one is taken for a whole."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.models.model import Model
from app.store.store import ModelStore
from tests.backup.conftest import Elsewhere
from tests.backup.running import netlet, process
from tests.conftest import StoreIn, wait_until
from tests.crashes.disks import needs_root, small_disk

MANY = 12
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def backup(store: ModelStore, model: Model, environment: dict[str, str], tmp_path: Path) -> Path:
    """Take a backup of some models."""
    for number in range(MANY):
        store.publish(f"exam-{number}", model)
    assert netlet(environment, "backup", tmp_path / "backup.tar")[0] == 0
    return tmp_path / "backup.tar"


def served(environment: dict[str, str]) -> tuple[int, str]:
    """Try to use a store."""
    checked = netlet(environment, "check")
    return checked[0], checked[2] + checked[1]


def test_a_restore_that_is_killed_leaves_nothing_that_is_served(backup: Path, elsewhere: Elsewhere) -> None:
    """While it waits for the rest of its backup: what uses the store says so, and another restore begins anew."""
    new = elsewhere("new")
    command = [sys.executable, "-m", "app.cli", "restore", "-"]
    data = backup.read_bytes()
    with subprocess.Popen(command, env=new, stdin=subprocess.PIPE) as restoring:
        assert restoring.stdin is not None
        restoring.stdin.write(data[: len(data) // 2])
        restoring.stdin.flush()
        wait_until(lambda: bool([*Path(new["NETLET_MODELS"]).rglob("1.safetensors")]))
        beside = netlet(new, "restore", backup)
        restoring.send_signal(signal.SIGKILL)
    half, again = served(new), netlet(new, "restore", backup)

    assert beside[0] == 1
    assert half[0] == 1
    for said in (beside[2], half[1]):
        assert "A restore into this folder is not finished" in said
    assert again[0] == 0, again
    assert served(new) == (0, f"{MANY} snapshots and 0 datasets in {new['NETLET_MODELS']}, 0 damaged\n")


@needs_strace
@pytest.mark.parametrize("call", ["rename", "unlink,unlinkat,rmdir", "fsync"])
def test_a_restore_is_whole_or_unfinished_wherever_it_is_killed(
    call: str, backup: Path, elsewhere: Elsewhere, store_in: StoreIn
) -> None:
    """At the N-th call that moves, removes or syncs something: once the store can be used, all of it is there."""
    new = elsewhere("new")
    numbers = {"rename": (1, 7, MANY), "unlink,unlinkat,rmdir": (1, 4, 30), "fsync": (3, 20, 31)}[call]

    for number in numbers:
        under = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}")
        fault = ("-e", f"inject={call}:signal=KILL:when={number}")
        code, _, said = process(new, "restore", backup, under=(*under, *fault))
        checked = served(new)
        if checked[0] == 0:
            assert checked[1].startswith(f"{MANY} snapshots")
            with closing(store_in(Path(new["NETLET_MODELS"]))) as store:
                store.open()
            break
        assert code != 0
        assert "not finished" in checked[1] or "There is no store" in checked[1], said
    if checked[0] != 0:
        assert netlet(new, "restore", backup)[0] == 0
    assert served(new)[1].startswith(f"{MANY} snapshots")


@pytest.mark.parametrize("left", [(), ("store",), (".store",)])
def test_a_restore_that_was_killed_at_its_very_end_is_done_again(
    left: tuple[str, ...], backup: Path, elsewhere: Elsewhere
) -> None:
    """Whatever was removed first of what it worked with: the database that it has filled is its own still."""
    new = elsewhere("new")
    assert netlet(new, "restore", backup)[0] == 0
    root = Path(new["NETLET_MODELS"])
    (root / ".restoring").mkdir()
    if "store" in left:
        (root / ".restoring" / "store").mkdir()
    if ".store" in left and (root / ".store").exists():
        shutil.copyfile(root / ".store", root / ".restoring" / ".store")

    for _ in range(2):
        assert "not finished" in served(new)[1]
        again = netlet(new, "restore", backup)
        assert again[0] == 0, again
        assert served(new)[0] == 0
        (root / ".restoring").mkdir()


@needs_root
def test_a_full_disk_leaves_nothing_of_a_backup(backup: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The error says what to try; the backup that was there before stays as it was."""
    most = backup.stat().st_size
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "b.tar").write_text("the last one")
        (disk / "filler").write_bytes(bytes(2**15))

        code, _, said = netlet(environment, "backup", disk / "b.tar")

        assert code == 1
        assert "Make room for the backup" in said
        assert {path.name for path in disk.iterdir()} == {"b.tar", "filler"}
        assert (disk / "b.tar").read_text() == "the last one"
    assert most > 2**15


@needs_root
@pytest.mark.parametrize("source", ["file", "pipe"])
def test_a_full_disk_leaves_nothing_of_a_restore(
    source: str, backup: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """Be it known before that it is too small, or found out; the folder is as empty as before."""
    with small_disk(tmp_path / "new", "40k") as disk:
        new = elsewhere("new")
        with backup.open("rb") as given:
            command = [sys.executable, "-m", "app.cli", "restore", str(backup) if source == "file" else "-"]
            run = subprocess.run(command, env=new, stdin=given, capture_output=True, text=True, check=False)

        assert run.returncode == 1
        assert ("less space than that" if source == "file" else "The disk is full") in run.stderr
        assert list(disk.iterdir()) == []


def test_a_backup_goes_through_a_pipe(
    backup: Path, environment: dict[str, str], elsewhere: Elsewhere, store: ModelStore
) -> None:
    """`netlet backup -` into `netlet restore -` is a store like the first; what is said is on standard error."""
    new = elsewhere("new")
    command = [sys.executable, "-m", "app.cli"]

    piped = subprocess.run([*command, "backup", "-"], env=environment, capture_output=True, check=True)
    restored = subprocess.run([*command, "restore", "-"], env=new, input=piped.stdout, capture_output=True, check=True)

    assert f"{MANY} versions of {MANY} models".encode() in piped.stderr
    assert f"{MANY} versions of {MANY} models".encode() in restored.stdout
    assert backup.stat().st_size == len(piped.stdout)
    assert len(store.all_versions()) == MANY


@pytest.mark.parametrize(("file", "code"), [("folder", 2), ("nowhere/b.tar", 3), ("pipe", 2)])
def test_what_is_no_place_for_a_backup_is_said(
    file: str, code: int, store: ModelStore, environment: dict[str, str], tmp_path: Path
) -> None:
    """A folder, what is in a folder that is not there, and a pipe, which nothing takes the place of."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    assert netlet(environment, "backup", tmp_path / file)[0] == code
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "models"}
    assert store.all_versions() == []
