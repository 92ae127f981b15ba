"""Whatever is asked of a training, killing everything in its middle changes nothing of what it comes to."""

import signal
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer, wait_until

ROWS = [{"a": index % 17, "b": "xyz"[index % 3], "s": index % 17 + 2.5 * (index % 3)} for index in range(300)]
TRAINING = {"optimizer": "adam", "epochs": 4000, "members": 2, "batch_size": 64, "dropout": 0.1, "input_scale": True}
TRAINING |= {"tolerance": 0.0, "learning_rate": 0.003}


def following(client: httpx.Client, job: str) -> dict[str, Any]:
    return dict(client.get(f"/jobs/{job}").raise_for_status().json())


def killed_and_gone_on_with(start_server: StartServer, path: str, body: dict[str, Any], **query: Any) -> dict[str, Any]:
    """Ask for a training, kill the server once it is under way, and give the model that another server ends with."""
    often = {"NETLET_CHECKPOINT_SECONDS": "0.1", "NETLET_LEASE_SECONDS": "1"}
    server = start_server(**often)
    with server.client() as client:
        job = client.post(path, params=query | {"wait": 0}, json=body).raise_for_status().json()["job"]
        wait_until(lambda: (following(client, job)["epoch"] or 0) > 300, seconds=60)
        server.end(signal.SIGKILL)

    with start_server(**often).client() as client:
        wait_until(lambda: following(client, job)["ended"] is not None, seconds=90)
        ended = following(client, job)
        assert (ended["status"], ended["attempt"]) == ("succeeded", 2)
        return dict(client.get(f"/models/{ended['model']}/versions/{ended['version']}").json())


@pytest.mark.timeout(240)
def test_a_continued_training_survives_kill_9(start_server: StartServer) -> None:
    """It ends with the bytes of one that was not disturbed, and keeps its bound of epochs."""
    body = {"rows": ROWS[:250], "training": TRAINING}
    server = start_server()
    with server.client() as client:
        first = {"name": "m", "rows": ROWS, "target": "s", "training": TRAINING | {"epochs": 5}}
        client.post("/train", json=first).raise_for_status()
        undisturbed = client.post("/models/m/train", params={"max_epochs": 1500, "wait": 90}, json=body)
        expected = undisturbed.raise_for_status().json()
    server.end()

    made = killed_and_gone_on_with(start_server, "/models/m/versions/1/train", body, max_epochs=1500)

    assert (made["version"], made["continued_from"], made["report"]["stopped"]) == (3, "m/1", "max_epochs")
    assert made["report"]["epochs"] == 1500
    assert made["sha256"] == expected["sha256"]


@pytest.mark.timeout(240)
def test_a_paused_training_survives_kill_9(start_server: StartServer) -> None:
    """It waits after the same epoch in the next server, and ends with the bytes of one that was not disturbed."""
    body = {"name": "m", "rows": ROWS, "target": "s", "training": TRAINING | {"epochs": 40}}
    server = start_server(NETLET_LEASE_SECONDS="1")
    with server.client() as client:
        expected = client.post("/train", json=body).raise_for_status().json()
        job = client.post("/train", params={"paused": True}, json=body).json()["job"]
        assert client.post(f"/jobs/{job}/step", params={"epochs": 7}).json()["epoch"] == 7
        server.end(signal.SIGKILL)

    with start_server(NETLET_LEASE_SECONDS="1").client() as client:
        wait_until(lambda: following(client, job)["attempt"] == 2, seconds=60)
        shown = following(client, job)
        assert (shown["status"], shown["paused"], shown["epoch"]) == ("running", True, 7)
        wait_until(lambda: client.post(f"/jobs/{job}/step").json()["epoch"] >= 8, seconds=60)
        client.post(f"/jobs/{job}/resume").raise_for_status()
        wait_until(lambda: following(client, job)["ended"] is not None, seconds=60)
        made = client.get("/models/m/versions/2").json()

    assert made["sha256"] == expected["sha256"]
