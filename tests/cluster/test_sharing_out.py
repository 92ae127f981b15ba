"""One training over several nodes: large batches are shared out, and nothing that happens to a node changes a bit."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine.network import Architecture
from app.engine.sharding import BLOCK, SHARD
from app.jobs import orders, pausing
from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from app.jobs.cluster.trips import call_of, packed
from app.jobs.job import State
from app.jobs.ledger import Request
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.work import Workplace, train_and_save
from app.store.store import ModelStore
from tests import networks, ray_cluster
from tests.cluster.test_losses import ASKED_OFTEN, at_attempt
from tests.cluster.test_trainings import by_processes, until
from tests.conftest import wait_until
from tests.jobs.running import running
from tests.models.tables import ensemble, wave
from tests.ray_cluster import Ray, be_impatient

ROWS = (2 * BLOCK + 1) * SHARD + 5
TRAINING = ensemble(epochs=40, patience=None, batch_size=ROWS, validation=0.0, members=2)
RECIPE = replace(TRAINING, network=Architecture(hidden=(64, 64)))
ORDER = Order(name="exam", rows=wave(ROWS), recipe=RECIPE)


@pytest.fixture
def sharing(ray: Ray) -> Iterator[RayExecutor]:
    """Share trainings out among two nodes, or what stands for them: Ray spreads them as far as it can."""
    executor = RayExecutor(Cluster(ray.address, 1, 2**30, nodes=2))
    yield executor
    executor.shutdown()


@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "killed"])
async def test_nodes_change_no_bit(kills: bool, sharing: RayExecutor, store: ModelStore, ray: Ray) -> None:
    """Another does its share; where it is killed, the training goes on by itself, in the same attempt."""
    await by_processes(store, ORDER)
    async with running(store, sharing) as jobs:
        job = (await jobs.submit(ORDER)).job
        await asyncio.to_thread(wait_until, lambda: bool(ray.head.workers("ray::shared")))
        if kills:
            for pid in ray.head.workers("ray::shared"):
                os.kill(pid, signal.SIGKILL)
        job = await jobs.wait(job, 100)

    assert (job.state, job.version, job.attempt) == (State.SUCCEEDED, 2, 1), job.error
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256


@pytest.mark.parametrize(("rows", "nodes"), [(ROWS, 3), (BLOCK * SHARD, 1), (60, 1)])
def test_no_more_nodes_are_taken_than_there_are_rows_for(rows: int, nodes: int, tmp_path: Path) -> None:
    """Who wants all rows in one batch names a size beyond them: a short table waits for no node but its own."""
    whole = ensemble(batch_size=10_000_000)
    note = Note(tmp_path / "1-1.note")
    note.prepare()
    order = orders.encode(Order(name="exam", rows=wave(rows), recipe=whole))

    luggage = packed(call_of(train_and_save, (order, Workplace(tmp_path), note), {}), 2**30, b"key", nodes=3)

    assert luggage.nodes == nodes


async def test_small_batches_stay_on_one_node(sharing: RayExecutor, store: ModelStore, ray: Ray) -> None:
    """Nobody keeps a place for what would not be shared out: two of them run where there is room for two."""
    order = replace(ORDER, rows=wave(60), recipe=ensemble(epochs=1_000_000, patience=None))
    async with running(store, sharing, at_once=2) as jobs:
        both = [(await jobs.submit(order)).job for _ in range(2)]
        await asyncio.to_thread(wait_until, lambda: len(ray.head.workers()) == 2)
        for job in both:
            await jobs.cancel(job.id, keep_best=False)
        assert [(await jobs.wait(job, 60)).state for job in both] == [State.CANCELLED] * 2


@pytest.mark.timeout(300)
async def test_a_node_that_is_lost_while_it_has_nothing_to_do_keeps_nobody_waiting(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would be handed later is done here: no call of its own tells that it is gone, and no other comes."""
    be_impatient(monkeypatch)
    order = replace(ORDER, recipe=replace(RECIPE, training=replace(RECIPE.training, epochs=10)))
    await by_processes(store, order)
    with ray_cluster.running(cpus=0) as ray:
        nodes = [ray.joined_from_afar(cpus=1) for _ in range(2)]
        async with running(store, RayExecutor(Cluster(ray.address, 1, 2**30, nodes=2))) as jobs:
            job = (await jobs.submit(order, Request(paused=True))).job
            job = await pausing.step(jobs, job.id, 3)
            await until(lambda: jobs.folder.note(job.id, 1).is_held())
            (other,) = [node for node in nodes if not node.workers()]
            await asyncio.to_thread(other.kill)

            await pausing.resume(jobs, job.id)
            job = await jobs.wait(job, 100)

    assert (job.state, job.version, job.attempt) == (State.SUCCEEDED, 2, 1), job.error
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256


@pytest.mark.timeout(300)
async def test_a_node_that_is_cut_off_keeps_no_places_of_others(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shared with it is free for the next attempt at once, though Ray still waits to hear of the one before."""
    if not networks.are_allowed():
        pytest.skip("needs root, and Debian's package iproute2")
    be_impatient(monkeypatch)
    order = replace(ORDER, recipe=replace(RECIPE, training=replace(RECIPE.training, epochs=10)))
    with ray_cluster.running(cpus=0, **ASKED_OFTEN) as ray:
        nodes = [ray.joined_from_afar(cpus=1) for _ in range(3)]
        async with running(store, RayExecutor(Cluster(ray.address, 1, 2**30, nodes=2))) as jobs:
            job = (await jobs.submit(order, Request(paused=True))).job
            job = await pausing.step(jobs, job.id, 3)
            await until(lambda: jobs.folder.note(job.id, 1).is_held())
            (home,) = [node for node in nodes if node.workers()]
            await asyncio.to_thread(home.cut_off)

            await at_attempt(jobs, job, 2)
            await pausing.resume(jobs, job.id)
            job = await jobs.wait(job, 60)

    assert (job.state, job.attempt) == (State.SUCCEEDED, 2), job.waits_for
