"""Losses: of a worker, a node, all of a cluster, a server: at most the work since the last checkpoint is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from app.jobs import pausing
from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from app.jobs.executors import trouble_with
from app.jobs.job import Job, State
from app.jobs.jobs import Jobs
from app.jobs.ledger import Request
from app.jobs.orders import Order
from app.store.store import ModelStore
from tests import networks, ray_cluster
from tests.cluster.test_trainings import ORDER, at_epoch, by_processes, until
from tests.jobs.running import files, running
from tests.ray_cluster import Node, Ray, be_impatient, kill

HERE = 10
"""The epoch after which trainings are paused, so that a checkpoint is there when they are lost."""
ASKED_OFTEN = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""How a head notices soon that a node does not answer; by itself it does after some 30 seconds."""


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    """Run a cluster for one test, with room for one training."""
    be_impatient(monkeypatch)
    with ray_cluster.running(cpus=1) as ray:
        yield ray


@asynccontextmanager
async def on(ray: Ray, store: ModelStore) -> AsyncIterator[Jobs]:
    async with running(store, RayExecutor(Cluster(ray.address, 1, 2**30))) as jobs:
        yield jobs


async def halfway(jobs: Jobs, order: Order = ORDER) -> Job:
    """Begin a training, and let it pause in the middle, where it writes a checkpoint that arrives here."""
    job = (await jobs.submit(order, Request(paused=True))).job
    job = await pausing.step(jobs, job.id, HERE)
    folder = jobs.folder.note(job.id, 1).checkpoints
    await until(lambda: [path.name[:8] for path in folder.glob("*.safetensors")] == [f"{HERE:08}"])
    return await jobs.get(job.id)


async def ends_as_usual(jobs: Jobs, job: Job, store: ModelStore) -> Job:
    """Let a training that was lost go on; it comes to the same bytes as one in peace, and leaves nothing."""
    await pausing.resume(jobs, job.id)
    job = await jobs.wait(job, 90)
    assert job.state == State.SUCCEEDED, job.error
    assert [point.epoch for point in job.points] == list(range(1, 41))
    assert [name for name in files(store) if name.startswith(job.id)] == []
    await by_processes(store, ORDER)
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256
    return job


async def at_attempt(jobs: Jobs, job: Job, attempt: int) -> Job:
    while (now := await jobs.get(job.id)).attempt < attempt:  # noqa: ASYNC110 - the catalogue sends none
        await asyncio.sleep(0.05)
    return now


async def test_a_worker_that_is_killed_costs_what_was_not_written_down(store: ModelStore, ray: Ray) -> None:
    """Another goes on from the last checkpoint."""
    async with on(ray, store) as jobs:
        job = await halfway(jobs)
        (worker,) = ray.head.workers()
        await asyncio.to_thread(kill, worker)

        await at_attempt(jobs, job, 2)
        again = await at_epoch(jobs, job, HERE)
        assert again.points[:HERE] == job.points  # none of which is taken again
        assert (await ends_as_usual(jobs, job, store)).attempt == 2
        await until(lambda: ray.head.left() == [])


@pytest.mark.parametrize("lose", [Node.kill, Node.cut_off], ids=["dead", "cut off"])
async def test_a_node_that_is_lost_costs_what_was_not_written_down(
    lose: Callable[[Node], None], store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training goes on, on another, also where the one that had it still runs, and hears no more of anybody."""
    if lose is Node.cut_off and not networks.are_allowed():
        pytest.skip("needs root, and Debian's package iproute2")
    be_impatient(monkeypatch)
    with ray_cluster.running(cpus=0, **ASKED_OFTEN) as ray:
        nodes = [ray.joined_from_afar(cpus=1) for _ in range(2)]
        async with on(ray, store) as jobs:
            job = await halfway(jobs)
            (lost,) = [node for node in nodes if node.workers()]
            (other,) = [node for node in nodes if node is not lost]

            await asyncio.to_thread(lose, lost)

            await at_attempt(jobs, job, 2)
            await until(lambda: bool(other.workers()))
            assert (await ends_as_usual(jobs, job, store)).attempt == 2


async def test_what_a_node_has_not_begun_that_is_cut_off_is_sent_to_another(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would wait for its answer for long, and the training with it, for room that is there."""
    if not networks.are_allowed():
        pytest.skip("needs root, and Debian's package iproute2")
    be_impatient(monkeypatch)
    with ray_cluster.running(cpus=0, **ASKED_OFTEN) as ray:
        lost = ray.joined_from_afar(cpus=1)
        async with on(ray, store) as jobs:
            job = (await jobs.submit(ORDER, Request())).job
            await until(lambda: bool(lost.workers()))
            os.kill(lost.workers()[0], signal.SIGSTOP)  # before it says so: it has much to import

            await asyncio.to_thread(lost.cut_off)
            await asyncio.to_thread(ray.joined_from_afar, cpus=1)

            job = await jobs.wait(job, 90)
            assert job.state == State.SUCCEEDED, job.error


async def test_a_cluster_that_is_lost_costs_what_was_not_written_down(store: ModelStore, own: Ray) -> None:
    """Trainings wait, those that come too, and say so; once it is there again, they go on."""
    async with on(own, store) as jobs:
        job = await halfway(jobs)

        await asyncio.to_thread(own.kill)
        lost = await at_attempt(jobs, job, 2)
        other = (await jobs.submit(ORDER, Request(paused=True))).job
        await until(lambda: "cannot be used" in (jobs.folder.note(job.id, 2).waits() or ""))
        assert lost.state == State.RUNNING
        assert trouble_with(jobs.executor)

        await asyncio.to_thread(own.begin)
        assert (await ends_as_usual(jobs, job, store)).attempt == 2
        await pausing.resume(jobs, other.id)
        assert (await jobs.wait(other, 60)).attempt == 1
        assert trouble_with(jobs.executor) is None
