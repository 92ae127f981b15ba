"""Disks that refuse: with errors at every call, full ones, and ones whose power is cut."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from app.errors import StorageFull
from app.models.learning import learn
from app.store.catalogue import Catalogue
from app.store.references import Reference
from app.store.store import ModelStore
from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.crashes.disks import disk_with_power, fill_up, needs_root, small_disk, tool
from tests.crashes.power import cut_once
from tests.measuring import unmeasured
from tests.models.tables import EXAM, recipe

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.timeout(300)]
CUTS = 2
LONG = TUTORIAL | {"training": {"epochs": 10_000_000}}
WIDE = TUTORIAL | {"network": {"hidden": [64, 64]}, "training": {"epochs": 2}}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@needs_root  # who alone may follow any process
def test_no_call_that_fails_does_any_damage() -> None:
    """Some of the faults of tests/crashes/injections.py: errors are clean, and what was acknowledged is there."""
    command = [sys.executable, "-m", "tests.crashes.injections", "--some", "24"]

    run = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=False, timeout=280)

    assert run.returncode == 0, run.stdout + run.stderr
    said = re.search(r"(\d+) faults, 0 violations", run.stdout)
    assert said is not None
    assert int(said[1]) >= 12


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        yield disk


def fill(store: ModelStore) -> dict[int, str]:
    """Save until the disk is full, and give what was acknowledged."""
    saved: dict[int, str] = {}
    for seed in range(1000):
        try:
            version = store.publish("exam", learn(EXAM, recipe(hidden=(40, 40), epochs=1, seed=seed)))
        except StorageFull:
            return saved
        saved[version] = store.load("exam", version).sha256
    pytest.fail("it was never full")


@needs_root
def test_a_full_disk_keeps_what_it_has_and_can_be_left(full_disk: Path) -> None:
    """Again and again: all that was acknowledged is there, one version can be deleted, and then another saved."""
    root = full_disk / "models"
    with closing(ModelStore(root, Catalogue(root))) as store:
        store.open()
        for _ in range(3):
            saved = fill(store)
            for version, sha256 in saved.items():
                assert store.load("exam", version).sha256 == sha256
            assert os.listdir(root / ".incoming") == []  # noqa: PTH208 - to be printed
            store.delete(Reference("exam", store.versions("exam")[0]))
            store.publish("exam", learn(EXAM, recipe(hidden=(2,), epochs=1)))
        store.delete(Reference("exam", None))
        assert len(fill(store)) > 3


@needs_root
def test_a_service_on_a_full_disk_says_so_and_goes_on(full_disk: Path, start_server: StartServer) -> None:
    """507 to a training; predictions are answered; what is deleted makes room for another."""
    with start_server(NETLET_MODELS=str(full_disk / "models")).client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        for _ in range(100):
            refused = client.post("/train", json=WIDE)
            if refused.status_code != 201:
                break

        assert (refused.status_code, refused.json()["type"]) == (507, "/problems/storage-full")
        assert client.post("/predict", json={"model": "exam/1", "X": [4, 8]}).status_code == 200
        for version in client.get("/models/exam").json()["versions"][1:]:
            assert client.delete(f"/models/exam/versions/{version}").status_code == 204
        assert client.post("/train", json=TUTORIAL).status_code == 201
        assert client.get("/readyz").status_code == 503  # there is less than NETLET_RESERVE_BYTES


@needs_root
def test_a_disk_without_a_byte_left_is_survived(full_disk: Path, start_server: StartServer) -> None:
    """507, not 500; the service starts on it, a repair leaves a healthy catalogue alone, and space makes all well."""
    store, filler = full_disk / "models", full_disk / "filler"
    server = start_server(NETLET_MODELS=str(store))
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        client.put("/models/exam/aliases/live", json={"version": 1}).raise_for_status()
        fill_up(filler)
        for _ in range(2):
            refused = client.post("/train", json=TUTORIAL)
            assert (refused.status_code, refused.json()["type"]) == (507, "/problems/storage-full")
        server.end()
    fill_up(filler)

    repaired = subprocess.run(
        [sys.executable, "-m", "app.cli", "check", "--repair"],
        env=os.environ | {"NETLET_MODELS": str(store)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (repaired.returncode, list(store.glob("*damaged*"))) == (0, []), repaired.stderr
    fill_up(filler)
    with start_server(NETLET_MODELS=str(store)).client() as client:
        assert client.post("/predict", json={"model": "exam", "X": [4, 8]}).status_code == 200
        filler.unlink()
        assert client.post("/train", json=TUTORIAL).status_code == 201
        assert client.get("/models/exam/aliases/live").json()["version"] == 1


@needs_root
def test_a_training_can_be_cancelled_without_a_byte_left(full_disk: Path, start_server: StartServer) -> None:
    """It gives back space, and is let do so."""
    filler = full_disk / "filler"
    with start_server(NETLET_MODELS=str(full_disk / "models")).client() as client:
        running = client.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        wait_until(lambda: client.get(f"/jobs/{running}").json()["epoch"] is not None)
        fill_up(filler)

        assert client.delete(f"/jobs/{running}").status_code == 200
        wait_until(lambda: client.get(f"/jobs/{running}").json()["status"] == "cancelled")

        filler.unlink()
        assert client.post("/train", json=TUTORIAL).status_code == 201


@needs_root
def test_a_disk_that_cannot_be_written_any_more_is_told(full_disk: Path, start_server: StartServer) -> None:
    """By /readyz, and as 503 to who would write; answers go on."""
    store = full_disk / "models"
    with start_server(NETLET_MODELS=str(store), NETLET_RESERVE_BYTES="0").client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        assert client.get("/readyz").status_code == 200
        tool("mount", "--bind", store, store)
        try:
            tool("mount", "-o", "remount,bind,ro", store)
            assert client.get("/readyz").status_code == 503
            assert client.post("/train", json=TUTORIAL).status_code == 503
            assert client.post("/predict", json={"model": "exam", "X": [4, 8]}).status_code == 200
        finally:
            tool("umount", "--lazy", store)  # somebody may have a file of it open
        assert client.post("/train", json=TUTORIAL).status_code == 201


@needs_root
def test_no_power_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    """On an ext4 of its own: nothing is lost; by a store that syncs nothing, something is."""
    if not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        pytest.skip("there are no loop devices, or no mkfs.ext4")
    with disk_with_power(tmp_path) as disk:
        found = [cut_once(disk, Random(seed)) for seed in range(CUTS)]
        careless = [cut_once(disk, Random(seed), careless=True) for seed in range(CUTS)]

    assert [(one.lost, one.said) for one in found] == [(0, [])] * CUTS
    assert sum(one.acknowledged for one in found) > 0
    assert sum(one.lost for one in careless) > 0
