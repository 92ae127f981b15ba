"""Trainings whose bucket can be read, but refuses to be written to: they wait, say so, and can be cancelled."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.errors import BucketAway
from app.jobs.job import Job, State
from app.jobs.jobs import Jobs
from app.jobs.orders import Groups, Order
from app.store.bucket import Bucket
from app.store.store import ModelStore
from tests.conftest import wait_until
from tests.jobs.running import ORDER, files, running
from tests.models.tables import wave
from tests.seaweedfs import READER, SeaweedFS

pytestmark = pytest.mark.only_on("s3")
GROUPS = replace(ORDER, rows=wave(60), groups=Groups(names=("exam.a", "exam.b"), ends=(30, 60)))


@contextmanager
def only_read(store: ModelStore, buckets: SeaweedFS) -> Iterator[None]:
    """Let a store have a key for a while that may read its bucket, and no more."""
    remote = store.remote
    assert isinstance(remote, Bucket)
    right, remote.store = remote.store, buckets.connected(remote.url, key=READER)
    yield
    remote.store = right


async def waiting(jobs: Jobs, order: Order) -> Job:
    """Train until nothing is left to be done but to bring the model to the bucket."""
    job = (await jobs.submit(order)).job
    await asyncio.to_thread(wait_until, lambda: jobs.folder.note(job.id, 1).waits() is not None)
    return await jobs.get(job.id)


@pytest.mark.parametrize("order", [ORDER, GROUPS], ids=["one", "groups"])
async def test_a_training_that_waits_for_the_bucket_says_so_and_can_be_cancelled(
    order: Order, store: ModelStore, buckets: SeaweedFS
) -> None:
    """It is over then, though the bucket is not back, and leaves nothing here; another that waits is kept later."""
    async with running(store, at_once=2) as jobs:
        with only_read(store, buckets):
            wanted, unwanted = await waiting(jobs, order), await waiting(jobs, order)
            assert "waits until the bucket" in str(wanted.waits_for)
            assert wanted.state == State.RUNNING

            await jobs.cancel(unwanted.id, keep_best=False)
            assert (await jobs.wait(unwanted, 30)).state == State.CANCELLED

        assert (await jobs.wait(wanted, 30)).state == State.SUCCEEDED

    names = order.groups.names if order.groups else [order.name]
    assert [store.versions(name) for name in names] == [[1] for _ in names]
    assert files(store) == []
    assert [path.name for path in (store.root / ".incoming").iterdir()] == []


async def test_a_long_order_that_the_bucket_refuses_leaves_nothing(store: ModelStore, buckets: SeaweedFS) -> None:
    """Whoever tries again and again, while the bucket is away, does not fill the disk."""
    async with running(store) as jobs:
        with only_read(store, buckets), pytest.raises(BucketAway):
            await jobs.submit(replace(ORDER, rows=wave(6000)))

        assert files(store) == []
