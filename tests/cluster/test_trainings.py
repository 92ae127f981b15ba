"""Trainings on a cluster: told, paused, cancelled and saved as those of processes are, to the same bytes."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import errors
from app.jobs import orders, pausing
from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from app.jobs.cluster.node import End, travelled
from app.jobs.cluster.trips import VERSIONS, call_of, packed, train_and_pack
from app.jobs.executors import ProcessExecutor
from app.jobs.job import Job, State
from app.jobs.jobs import Jobs
from app.jobs.ledger import Request
from app.jobs.live import LiveReader
from app.jobs.orders import Groups, Order
from app.jobs.progress import Note
from app.jobs.retraining import retrained
from app.jobs.work import Workplace
from app.models.table import TrainingRows
from app.settings import Settings
from app.store.remote import Address
from app.store.store import ModelStore
from tests.api.datasets import trained, uploaded, weights
from tests.conftest import client_of, wait_until
from tests.crashes.disks import fill_up, needs_root, small_disk
from tests.jobs import searches
from tests.jobs.running import files, running
from tests.models.tables import ensemble, recipe, wave
from tests.ray_cluster import Ray
from tests.tables.test_blocks import COLUMNS, blocks_of

ORDER = Order(name="exam", rows=wave(60), recipe=ensemble(epochs=40, patience=None))
LONG = replace(ORDER, recipe=ensemble(epochs=1_000_000, patience=None))
PAUSED = Request(paused=True)


@pytest.fixture
async def jobs(store: ModelStore, lent: Executor) -> AsyncIterator[Jobs]:
    """Run jobs on the cluster."""
    async with running(store, lent, at_once=4) as jobs:
        yield jobs


async def until(true: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, true)


async def at_epoch(jobs: Jobs, job: Job, epoch: int) -> Job:
    """Wait until a job is so far."""
    while (now := await jobs.get(job.id)).epoch < epoch:
        assert not now.is_over, now.error
        await asyncio.sleep(0.02)
    return now


async def by_processes(store: ModelStore, order: Order) -> Job:
    """Train as usual."""
    processes = ProcessExecutor(1, memory=2**30)
    async with running(store, processes) as jobs:
        return await jobs.wait((await jobs.submit(order)).job, 60)


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, recipe=recipe(optimizer="lbfgs", epochs=5, members=2, validation=0.3)),
        replace(ORDER, rows=wave(20_000), recipe=ensemble(epochs=2, patience=None)),
        searches.ORDER,
    ],
    ids=["by gradients", "by a solver", "of many rows", "by a search"],
)
async def test_a_cluster_learns_the_same_bytes(order: Order, store: ModelStore, lent: Executor) -> None:
    """The same points are told, and nothing is left of either training."""
    here = await by_processes(store, order)
    async with running(store, lent) as jobs:
        there = await jobs.wait((await jobs.submit(order)).job, 60)

    assert (here.state, there.state, there.version) == (State.SUCCEEDED, State.SUCCEEDED, 2), there.error
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256
    assert [point[:4] for point in there.points] == [point[:4] for point in here.points]
    assert files(store) == []


async def test_models_of_groups_are_learnt_there(store: ModelStore, lent: Executor) -> None:
    """Each to the same bytes."""
    groups = Groups(names=("exam.a", "exam.b"), ends=(30, 60))
    await by_processes(store, replace(ORDER, groups=groups))
    async with running(store, lent) as jobs:
        job = await jobs.wait((await jobs.submit(replace(ORDER, groups=groups))).job, 60)

    assert (job.state, job.epoch) == (State.SUCCEEDED, 2)
    for name in groups.names:
        assert store.load(name, 1).sha256 == store.load(name, 2).sha256


async def test_a_training_on_of_a_version_remembers_the_same(store: ModelStore, lent: Executor) -> None:
    """What the optimizer remembers goes there and comes back."""
    memories: list[bytes] = []
    for execute in (by_processes, None):
        if execute is not None:
            await execute(store, ORDER)
        else:
            async with running(store, lent) as jobs:
                await jobs.wait((await jobs.submit(ORDER)).job, 60)
        memories.append((store.root / "exam" / f"{len(memories) + 1}.memory.safetensors").read_bytes())

    assert memories[0] == memories[1]
    assert memories[0]


async def test_what_a_training_tells_is_told_here(jobs: Jobs) -> None:
    """Its progress, and the network while it learns."""
    job = (await jobs.submit(replace(LONG, recipe=recipe(epochs=1_000_000)))).job
    live = LiveReader()

    seen = await at_epoch(jobs, job, 10)
    assert [point.epoch for point in seen.points[:10]] == list(range(1, 11))
    assert seen.waits_for is None
    path = jobs.folder.note(job.id, 1).live
    await until(lambda: live.read(path) is not None)

    await jobs.cancel(job.id, keep_best=False)
    await jobs.wait(job, 60)


@pytest.mark.parametrize("keep_best", [True, False])
async def test_a_training_can_be_cancelled(keep_best: bool, jobs: Jobs, ray: Ray) -> None:
    """With the best so far, or with nothing; its place is free."""
    job = (await jobs.submit(LONG)).job
    await at_epoch(jobs, job, 20)

    await jobs.cancel(job.id, keep_best=keep_best)
    job = await jobs.wait(job, 60)

    assert (job.state, job.partial, job.version) == (State.CANCELLED, keep_best, 1 if keep_best else None)
    await until(lambda: not ray.head.workers())
    assert ray.head.left() == []


async def test_a_training_that_takes_too_long_ends(jobs: Jobs) -> None:
    """Its time does not begin before it does."""
    job = await jobs.wait((await jobs.submit(LONG, Request(seconds=0.5))).job, 60)

    assert (job.state, type(job.error)) == (State.FAILED, errors.TrainingTooLong)


async def test_a_training_that_takes_too_much_memory_fails_alone(store: ModelStore, ray: Ray) -> None:
    """Its node goes on."""
    many = 1_000_000
    wide = TrainingRows(ORDER.rows.columns, ORDER.rows.targets, np.zeros((many, 2)), np.zeros((many, 1)))
    order = replace(ORDER, rows=wide, recipe=recipe(epochs=1, hidden=(50,), batch_size=many))
    async with running(store, RayExecutor(Cluster(ray.address, 1, 2**28))) as jobs:
        job = await jobs.wait((await jobs.submit(order)).job, 100)
        other = await jobs.wait((await jobs.submit(ORDER)).job, 60)

    assert (job.state, type(job.error), other.state) == (State.FAILED, errors.OutOfMemory, State.SUCCEEDED)


async def test_a_training_is_stepped_there(jobs: Jobs, store: ModelStore) -> None:
    """It comes to the same bytes as one in peace."""
    undisturbed = await jobs.wait((await jobs.submit(ORDER)).job, 60)
    job = (await jobs.submit(ORDER, PAUSED)).job

    for epoch in (1, 2):
        job = await pausing.step(jobs, job.id, 1)
        assert (job.state, job.paused, job.epoch) == (State.RUNNING, True, epoch)
    await pausing.resume(jobs, job.id)
    job = await jobs.wait(job, 60)

    assert (undisturbed.state, job.state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256


async def test_a_training_that_waits_for_room_says_so(jobs: Jobs) -> None:
    """It can be cancelled there, and begins once there is room; it waits in none of its own time."""
    others = [(await jobs.submit(LONG)).job for _ in range(2)]
    for other in others:
        await at_epoch(jobs, other, 1)
    waiting = [(await jobs.submit(ORDER, Request(seconds=30))).job for _ in range(2)]

    for job in waiting:
        assert (
            await jobs.get(job.id)
        ).waits_for == "It waits until the Ray cluster has room: 1 CPU, 1.0 GiB of memory."
    await jobs.cancel(waiting[0].id, keep_best=False)
    assert (await jobs.wait(waiting[0], 60)).state == State.CANCELLED

    for other in others:
        await jobs.cancel(other.id, keep_best=False)
    job = await jobs.wait(waiting[1], 60)
    assert (job.state, job.waits_for, job.attempt) == (State.SUCCEEDED, None, 1)


async def test_a_model_is_verified_there(jobs: Jobs) -> None:
    """By training it again, which saves nothing."""
    model = await retrained(jobs, ORDER, asyncio.sleep(60), None)

    assert model.report.epochs == 40


async def test_a_dataset_that_does_not_fit_into_memory_is_read_by_the_node(settings: Settings, ray: Ray) -> None:
    """Where it has the folder at the same path, to the same weights."""
    here = settings.model_copy(update={"most_cells": 300})
    there = here.model_copy(update={"executor": "ray", "ray_address": ray.address, "training_bytes": 2**30})
    found = []
    async with client_of(here) as client:
        dataset = (await uploaded(client, b"a,b\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(2000))))[
            "dataset"
        ]
    for name, where in (("here", here), ("there", there)):
        async with client_of(where) as client:
            await trained(client, name=name, dataset=dataset, target="b")
            found.append(await weights(client, name))

    assert found[0] == found[1]


def test_a_node_with_another_release_does_nothing() -> None:
    """Its bits could be others; the log says which there are."""
    luggage = packed(call_of(os._exit, (1,), {}), 2**30, b"key")

    (end,) = travelled(replace(luggage, versions=VERSIONS | {"numpy": "1.0"}))

    assert isinstance(end, End)
    assert isinstance(end.error, RuntimeError)
    assert "'numpy': '1.0'" in end.error.__notes__[0]


def away(folder: Path, where: Workplace, dataset: str = "0" * 32) -> None:
    """Train on a dataset as a node does."""
    plan = blocks_of(COLUMNS).plan
    note = Note(folder / "a-1.note")
    note.prepare()
    order = orders.encode(replace(ORDER, rows=plan.likeness.at_hand, plan=plan, dataset=dataset))
    train_and_pack(order, where, note)


def test_a_node_without_the_folder_of_a_dataset_says_so(tmp_path: Path) -> None:
    """And what to do, instead of learning something else."""
    where = tmp_path / "nowhere"

    with pytest.raises(errors.StorageError, match=f"{where} is not there on the node .* same path on all nodes"):
        away(tmp_path, Workplace(where))


def test_a_node_with_an_address_of_a_bucket_that_is_none_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the node's own, whatever the server has."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    where = Workplace(tmp_path, bucket=Address("s3://netlet-tests/1", 0))

    with pytest.raises(errors.StorageError, match=r"On the node .*: AWS_ENDPOINT_URL is not an address"):
        away(tmp_path, where)


@contextmanager
def of_others(folder: Path) -> Iterator[None]:
    """Let others put there whatever they like."""
    folder.mkdir()
    folder.chmod(0o777)
    yield
    folder.rmdir()


@contextmanager
def no_folder(folder: Path) -> Iterator[None]:
    """Let something else be in its place."""
    folder.touch()
    yield
    folder.unlink()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Let it be on a disk that takes nothing more."""
    with small_disk(folder, "16k"):
        folder.chmod(0o700)
        fill_up(folder / "filler")
        yield
    folder.rmdir()


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        (of_others, errors.StorageError, "is not this user's alone, and nothing is kept there"),
        (no_folder, errors.StorageError, "The folder for temporary files cannot be used"),
        pytest.param(full, errors.StorageFull, "The disk is full. Give it more space, or set", marks=needs_root),
    ],
)
async def test_a_node_with_no_place_for_what_a_training_reads_says_so(
    how: Callable[[Path], AbstractContextManager[None]], error: type[Exception], words: str, jobs: Jobs, ray: Ray
) -> None:
    """Whoever could plant files there would tell trainings what to do, and what to call."""
    folder = ray.head.folder / f"netlet-ray-{os.getuid()}"
    shutil.rmtree(folder, ignore_errors=True)
    with how(folder):
        job = await jobs.wait((await jobs.submit(ORDER)).job, 60)

    assert (job.state, type(job.error)) == (State.FAILED, error)
    assert str(job.error).startswith(f"On the node {platform.node()}: ")
    assert words in str(job.error)
