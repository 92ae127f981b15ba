"""Servers that share nothing but a database and a bucket: whatever one of them is asked, all of them know."""

import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROWS, TUTORIAL, Server, StartServer, wait_until
from tests.seaweedfs import SeaweedFS

pytestmark = pytest.mark.only_on("s3")
Elsewhere = Callable[..., Server]

WAVES = [{"a": number % 17, "b": "xyz"[number % 3], "s": number % 17 + 2.5 * (number % 3)} for number in range(300)]
LONG: dict[str, Any] = {"name": "long", "rows": WAVES, "target": "s"}
LONG |= {"training": {"optimizer": "adam", "epochs": 4000, "members": 2, "batch_size": 64, "tolerance": 0.0}}
ENDLESS = TUTORIAL | {"name": "endless", "training": {"epochs": 10_000_000, "patience": None}}
WIDE = {"name": "wide", "target": "s", "rows": WAVES * 40, "training": {"epochs": 2}}  # too long for the catalogue
OFTEN = {"NETLET_CHECKPOINT_SECONDS": "0.1", "NETLET_LEASE_SECONDS": "1"}


@pytest.fixture
def elsewhere(start_server: StartServer, tmp_path: Path) -> Elsewhere:
    """Start servers as on machines of their own: each has a folder that nobody else sees."""
    numbers = count(1)
    return lambda **more: start_server(NETLET_MODELS=str(tmp_path / f"machine-{next(numbers)}"), **more)


def job_of(client: httpx.Client, job: str) -> dict[str, Any]:
    return dict(client.get(f"/jobs/{job}").raise_for_status().json())


def ask(client: httpx.Client, body: dict[str, Any]) -> str:
    """Ask for a training, and do not wait for it."""
    asked = client.post("/train", params={"wait": 0, "timeout_seconds": 600}, json=body).raise_for_status()
    return str(asked.json()["job"])


def predicted(client: httpx.Client, model: str = "exam") -> Any:
    answer = client.post("/predict", json={"model": model, "X": [4, 8]})
    return answer.json()["predictions"] if answer.status_code == 200 else answer.status_code


def test_all_servers_answer_any_model(elsewhere: Elsewhere) -> None:
    """Whoever trained it, to the bit; aliases, versions and deletions of one are those of all."""
    with elsewhere().client() as one, elsewhere().client() as other:
        for seed in (1, 2):
            one.post("/train", json=TUTORIAL | {"training": {"seed": seed}}).raise_for_status()
        assert predicted(other) == predicted(one)
        assert other.get("/models/exam").json()["versions"] == [1, 2]

        one.put("/models/exam/aliases/live", json={"version": 1}).raise_for_status()
        wait_until(lambda: predicted(other) == predicted(other, "exam/1"))
        other.delete("/models/exam/versions/2").raise_for_status()
        wait_until(lambda: predicted(one, "exam/2") == 404)

        other.delete("/models/exam").raise_for_status()
        wait_until(lambda: predicted(one) == 404)
        assert one.post("/train", json=TUTORIAL).json()["version"] == 3
        assert predicted(other) == predicted(one)


def test_a_dataset_is_learnt_from_anywhere(elsewhere: Elsewhere) -> None:
    """It is sent to one server, and learnt by another, which has no copy of it yet."""
    with elsewhere().client() as one, elsewhere().client() as other:
        dataset = one.post("/datasets", json={"rows": ROWS}).raise_for_status().json()["dataset"]

        trained = other.post("/train", json={"name": "exam", "dataset": dataset, "target": "score"})

        assert trained.status_code == 201
        assert one.get("/models/exam").json()["versions"] == [1]
        other.delete(f"/datasets/{dataset}").raise_for_status()
        assert one.get(f"/datasets/{dataset}").status_code == 404


@pytest.mark.timeout(240)
@pytest.mark.parametrize("body", [LONG, WIDE | {"training": LONG["training"] | {"epochs": 60}}], ids=["long", "wide"])
def test_a_machine_that_is_lost_loses_no_job(body: dict[str, Any], elsewhere: Elsewhere) -> None:
    """Another goes on where it was, also where the order is too long for the catalogue, and comes to the same bytes."""
    lost = elsewhere(**OFTEN)
    with lost.client() as one, elsewhere(**OFTEN).client() as other:
        expected = other.post("/train", params={"wait": 100}, json=body | {"name": "undisturbed"}).json()["sha256"]
        job = ask(one, body)
        wait_until(lambda: (job_of(other, job)["epoch"] or 0) > 2)  # which the other server is told, too
        lost.end(signal.SIGKILL)

        wait_until(lambda: job_of(other, job)["ended"] is not None, seconds=90)

        ended = job_of(other, job)
        assert ended["status"] == "succeeded"
        made = other.get(f"/models/{ended['model']}/versions/{ended['version']}").json()
        assert made["sha256"] == expected


def test_a_job_of_another_server_is_followed_and_cancelled(elsewhere: Elsewhere) -> None:
    """Whoever asks any server sees how far it is, and may end it."""
    with elsewhere(**OFTEN).client() as one, elsewhere(**OFTEN).client() as other:
        job = ask(one, ENDLESS)
        wait_until(lambda: job_of(other, job)["epoch"] is not None)

        other.delete(f"/jobs/{job}").raise_for_status()

        wait_until(lambda: job_of(one, job)["status"] == "cancelled")
        assert job_of(other, job)["status"] == "cancelled"


@pytest.mark.timeout(300)
def test_an_outage_of_the_bucket_ends_by_itself(elsewhere: Elsewhere, buckets: SeaweedFS) -> None:
    """Models that are loaded go on answering; what cannot be kept is a 503, and jobs are kept once it is back."""
    with elsewhere(**OFTEN).client() as one, elsewhere(**OFTEN).client() as other:
        one.post("/train", json=TUTORIAL).raise_for_status()
        before = predicted(one)
        job = ask(one, LONG)
        wait_until(lambda: job_of(one, job)["epoch"] is not None)

        buckets.kill()
        try:
            assert predicted(one) == before
            refused = [one.get("/readyz"), other.post("/predict", json={"model": "exam", "X": [4, 8]})]
            trained = one.post("/train", json=TUTORIAL | {"name": "meanwhile"})
            assert {answer.status_code for answer in refused} == {503}
            assert {answer.json()["type"] for answer in refused} == {"/problems/bucket-away"}
            assert trained.status_code in {202, 503}  # it is not over, or is told to come back
        finally:
            buckets.start()

        wait_until(lambda: predicted(other) == before)
        assert one.get("/readyz").status_code == 200
        wait_until(lambda: job_of(other, job)["ended"] is not None, seconds=120)
        assert job_of(other, job)["status"] == "succeeded"
        assert predicted(other, "long") == 422  # it has other columns: it is there
        wait_until(lambda: predicted(other, "meanwhile") == predicted(one, "meanwhile") != 404)
        assert other.post("/train", json=TUTORIAL).status_code == 201
