"""Killed processes: what was acknowledged is there, and what was begun is gone on with."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.crashes.kills import run

pytestmark = pytest.mark.timeout(300)
LONG: dict[str, Any] = TUTORIAL | {
    "training": {"epochs": 6_000, "patience": None, "seed": 3, "optimizer": "adam"},
    "network": {"hidden": [16]},
}
OFTEN = {"NETLET_CHECKPOINT_SECONDS": "0.05", "NETLET_LEASE_SECONDS": "0.5"}


@pytest.mark.only_on("sqlite")
def test_no_kill_makes_untrue_what_was_told(tmp_path: Path) -> None:
    """Servers, workers, or both, killed at ten random instants under load: nothing is lost, halved, doubled or left."""
    tally = run(10, 5, tmp_path, check_every=5)

    assert not [what for what in tally if what.startswith("FAULT")], tally
    assert sum(count for what, count in tally.items() if what.startswith("kills")) == 10
    assert tally["train"]


def job_of(client: httpx.Client, body: dict[str, Any]) -> str:
    """Begin a training, and give its job."""
    return str(client.post("/train", params={"wait": 0}, json=body).json()["job"])


def weights_of(client: httpx.Client, job: str) -> Any:
    """Wait for a training, and give what it came to, and by how many attempts."""
    wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "succeeded", seconds=120)
    told = client.get(f"/jobs/{job}").json()
    return client.get(f"/models/exam/versions/{told['version']}/weights").json(), told["attempt"]


def test_a_training_survives_kill_9_of_the_whole_service(start_server: StartServer, tmp_path: Path) -> None:
    """Another server goes on with it from its checkpoint, as the second attempt, and comes to the same weights."""
    server = start_server(**OFTEN)
    with server.client() as client:
        job = job_of(client, LONG)
        checkpoints = tmp_path / "models" / ".jobs" / f"{job}.checkpoints"
        wait_until(lambda: any(checkpoints.glob("*.safetensors")))
        server.end(signal.SIGKILL)
    last = max(int(path.name.split("-")[0]) for path in checkpoints.glob("*.safetensors"))

    with start_server(**OFTEN).client() as client:
        went_on, attempt = weights_of(client, job)
        undisturbed, alone = weights_of(client, job_of(client, LONG))

    assert 0 < last < 6_000
    assert (attempt, alone) == (2, 1)
    assert {**went_on, "version": 0, "reference": ""} == {**undisturbed, "version": 0, "reference": ""}
    assert not checkpoints.exists()
    assert os.listdir(tmp_path / "models" / ".incoming") == []  # noqa: PTH208 - to be printed
