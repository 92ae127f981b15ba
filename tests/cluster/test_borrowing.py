"""Datasets that nodes read from the bucket themselves, with keys of their own: the same bits, the same errors."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest

from app.errors import StorageFull
from app.jobs.work import Workplace
from app.settings import Settings
from app.store.remote import Address
from tests import ray_cluster
from tests.api.datasets import uploaded
from tests.cluster.test_trainings import away
from tests.conftest import client_of, wait_until
from tests.ray_cluster import Node, Ray, be_impatient
from tests.seaweedfs import SeaweedFS
from tests.store.test_datasets import largest_file

pytestmark = [pytest.mark.only_on("s3"), pytest.mark.timeout(240)]

ROWS = 2000  # of which 300 cells are at hand, and all others are read while they are learnt
TABLE = b"a,b\n" + b"".join(b"%d,%d\n" % (row, row % 97) for row in range(ROWS))
TRAINING = {"training": {"optimizer": "adam", "epochs": 3, "members": 2, "batch_size": 64}}
DAMAGE = "the SHA-256 of its Parquet file does not match"


@pytest.fixture(scope="module")
def own(server_of_files: SeaweedFS) -> Iterator[Ray]:
    """Run a cluster that has keys of its own, with two places."""
    assert server_of_files is not None
    with ray_cluster.running(cpus=2) as ray:
        yield ray


@pytest.fixture
def without_keys(buckets: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    """Run a head that trains nothing and knows no key, for nodes to join."""
    be_impatient(monkeypatch)
    with ExitStack() as ending:
        with pytest.MonkeyPatch.context() as without:
            for name in buckets.environment:
                without.delenv(name)
            ray = ending.enter_context(ray_cluster.running(cpus=0))
        yield ray


@pytest.fixture
def here(settings: Settings) -> Settings:
    """Train in the service, on little memory."""
    return settings.model_copy(update={"most_cells": 300, "lease_seconds": 1.0})


def on(ray: Ray, here: Settings) -> Settings:
    """Train on a cluster."""
    return here.model_copy(update={"executor": "ray", "ray_address": ray.address, "training_bytes": 2**30})


async def trained(client: httpx.AsyncClient, dataset: str, **query: Any) -> httpx.Response:
    body = TRAINING | {"name": "exam", "dataset": dataset, "target": "b"}
    return await client.post("/train", params={"wait": 100} | query, json=body)


def copies(node: Node) -> dict[str, Path]:
    """Find the copies of datasets that a node has."""
    return {path.stem: path for path in node.folder.glob("netlet-copies-*/*/.datasets/*.parquet")}


async def job_of(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    return dict((await client.get(f"/jobs/{job}")).json())


async def over(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    """Wait until a job has ended."""
    while (told := await job_of(client, job))["ended"] is None:  # noqa: ASYNC110 - the catalogue sends none
        await asyncio.sleep(0.1)
    return told


async def test_a_node_reads_a_dataset_from_the_bucket_to_the_same_bits(here: Settings, own: Ray) -> None:
    """It keeps a copy for the next training, which is read anew where it is damaged; what came of old rows is told."""
    made, more = [], {"training": {"epochs": 1}}
    async with client_of(here) as client:
        dataset = (await uploaded(client, TABLE))["dataset"]
        made.append((await trained(client, dataset)).json())
        after = (await client.post("/models/exam/versions/1/train", json=more | {"dataset": dataset})).json()
    async with client_of(on(own, here)) as client:
        assert dataset not in copies(own.head)
        made.append((await trained(client, dataset)).json())
        copies(own.head)[dataset].write_bytes(b"damaged")
        made.append((await trained(client, dataset)).json())
        after_there = (await client.post("/models/exam/versions/1/train", json=more | {"dataset": dataset})).json()

    assert [each["sha256"] for each in made] == [made[0]["sha256"]] * 3
    assert copies(own.head)[dataset].read_bytes() == (here.models / ".datasets" / f"{dataset}.parquet").read_bytes()
    assert after["report"]["old_rows"] is not None
    assert (after_there["sha256"], after_there["report"]) == (after["sha256"], after["report"])


async def test_nodes_share_in_what_one_reads_from_the_bucket(here: Settings, own: Ray) -> None:
    """One network learns from more rows than memory takes, in batches that are summed over nodes: to the same bits."""
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (row, row % 97) for row in range(40_000))
    many = {"epochs": 40, "batch_size": 40_000, "members": 2, "optimizer": "adam", "patience": None}
    body = {"network": {"hidden": [64, 64]}, "training": many, "target": "b", "name": "exam"}
    async with client_of(here) as client:
        dataset = (await uploaded(client, table))["dataset"]
        whole = (await client.post("/train?wait=100", json=body | {"dataset": dataset})).json()

    shared = on(own, here).model_copy(update={"nodes": 2})
    async with client_of(shared) as client:
        job = (await client.post("/train?wait=0", json=body | {"dataset": dataset})).json()["job"]
        await asyncio.to_thread(wait_until, lambda: bool(own.head.workers("ray::shared")))
        told = await over(client, job)
        made = (await client.get(f"/models/exam/versions/{told['version']}")).json()

    assert (whole["version"], made["version"], made["sha256"]) == (1, 2, whole["sha256"])
    assert dataset in copies(own.head)


async def test_a_dataset_that_is_damaged_is_the_same_error_there(here: Settings, own: Ray, buckets: SeaweedFS) -> None:
    """The job fails, and says what is wrong with it."""
    table = TABLE + b"1,2\n"  # of which the node has no copy
    async with client_of(on(own, here)) as client:
        dataset = (await uploaded(client, table))["dataset"]
        name = f".datasets/{dataset}.parquet"
        bucket = buckets.connected(str(here.store))
        data = bytearray(bytes(obstore.get(bucket, name).bytes()))
        data[len(data) // 2] ^= 1
        obstore.put(bucket, name, bytes(data))

        told = (await trained(client, dataset)).json()

    (here.models / name).unlink()
    async with client_of(here) as client:
        told_here = (await trained(client, dataset)).json()
    assert DAMAGE in told["detail"]
    assert (told["type"], told["detail"]) == (told_here["type"], told_here["detail"])


async def test_a_job_waits_for_a_node_whose_own_keys_open_the_bucket(
    here: Settings, without_keys: Ray, unused: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody hands out the server's; what was tried in vain, refused or not answered, is no attempt."""
    async with client_of(on(without_keys, here)) as client:
        dataset = (await uploaded(client, TABLE))["dataset"]
        job = (await trained(client, dataset, wait=0)).json()["job"]
        for amiss in ({"AWS_SECRET_ACCESS_KEY": "another"}, {"AWS_ENDPOINT_URL": f"http://{unused}"}):
            node = await asyncio.to_thread(partial(without_keys.joined, 1, **amiss))
            attempts = []
            for _ in range(2):
                caplog.clear()
                await asyncio.to_thread(wait_until, lambda: "cannot read the dataset from the bucket" in caplog.text)
                attempts.append((await job_of(client, job))["attempt"])
            assert attempts[0] == attempts[1]
            await asyncio.to_thread(node.kill)
        assert (await job_of(client, job))["status"] == "running"

        await asyncio.to_thread(without_keys.joined, 1)
        told = await over(client, job)

    assert told["status"] == "succeeded"


async def test_a_node_whose_disk_is_full_says_so(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has room: what is full is named."""
    async with client_of(here) as client:
        dataset = (await uploaded(client, TABLE))["dataset"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    where = Workplace(tmp_path / "nowhere", bucket=Address(str(here.store), 2**30))

    with largest_file(1000), pytest.raises(StorageFull, match=rf"disk of the node .* is full, .* \({tmp_path}\)"):
        away(tmp_path, where, dataset)
