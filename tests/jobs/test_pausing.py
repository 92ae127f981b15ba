"""Pausing: a training that waits, is stepped and goes on comes to the same bytes, whatever happens to its process."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import sleep

import pytest
from sqlalchemy import Update, update

from app.errors import JobNotFound, JobOver, NotPaused, TrainingTooLong
from app.jobs import pausing
from app.jobs.executors import ProcessExecutor
from app.jobs.job import Job, State
from app.jobs.jobs import Jobs
from app.jobs.ledger import Request
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.models.recipe import Recipe
from app.store.catalogue import Unit
from app.store.schema import jobs as jobs_table
from app.store.store import ModelStore
from tests.jobs.running import running
from tests.models.tables import ensemble, recipe, saddle, wave

ORDER = Order(name="exam", rows=wave(60), recipe=ensemble(epochs=6, patience=None))
LONG = replace(ORDER, recipe=ensemble(epochs=20_000, patience=None))
PAUSED = Request(paused=True)
ORDERS = {
    "by gradients": ORDER,
    "by a solver": replace(ORDER, recipe=recipe(optimizer="lbfgs", epochs=3, members=2, validation=0.3)),
    "in one of two ways": replace(
        ORDER, rows=saddle(40), recipe=replace(Recipe(), training=replace(Recipe().training, epochs=3))
    ),
}


async def submitted(jobs: Jobs, order: Order = LONG, request: Request = PAUSED) -> Job:
    return (await jobs.submit(order, request)).job


async def at_rest(jobs: Jobs, job: Job, least: int = 0) -> Job:
    """Wait until a job is so far, and stays there."""
    epochs: list[int] = []
    for _ in range(1000):
        job = await jobs.get(job.id)
        epochs = [*epochs[-9:], job.epoch]
        if len(set(epochs)) == 1 and len(epochs) == 10 and job.epoch >= least:
            return job
        await asyncio.sleep(0.03)
    message = f"it does not stay where it is: {epochs}"
    raise AssertionError(message)


@pytest.mark.parametrize("kind", ORDERS)
async def test_a_job_can_be_stepped_from_its_beginning(kind: str, store: ModelStore) -> None:
    """Nothing is learnt before the first step; each is an epoch; at the end the version is that of a job in peace."""
    order = ORDERS[kind]
    async with running(store) as jobs:
        undisturbed = await jobs.wait(await submitted(jobs, order, Request()), 60)
        job = await submitted(jobs, order)
        assert (job.paused, (await at_rest(jobs, job)).epoch) == (True, 0)

        for epoch in (1, 2):
            job = await pausing.step(jobs, job.id, 1)
            assert (job.state, job.paused, job.epoch) == (State.RUNNING, True, epoch)
        assert (await at_rest(jobs, job)).epoch == 2
        assert not (await pausing.resume(jobs, job.id)).paused
        job = await jobs.wait(job, 60)

    assert (job.state, undisturbed.state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256
    assert [point[:4] for point in job.points] == [point[:4] for point in undisturbed.points]


async def test_the_last_step_is_the_end(store: ModelStore) -> None:
    """As many epochs as there are, or more: the job is over, and is told as that."""
    async with running(store) as jobs:
        job = await submitted(jobs, ORDER)
        job = await pausing.step(jobs, job.id, 100)

        assert (job.state, job.paused, job.version, job.epoch) == (State.SUCCEEDED, False, 1, 6)


async def test_a_running_job_is_paused_and_goes_on(store: ModelStore) -> None:
    """It stays where it is, some steps further when it is asked to, and is as fast as before when it is resumed."""
    async with running(store) as jobs:
        job = await submitted(jobs, request=Request())
        while (await jobs.get(job.id)).epoch < 3:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
        with pytest.raises(NotPaused):
            await pausing.step(jobs, job.id, 1)
        with pytest.raises(NotPaused):
            await pausing.resume(jobs, job.id)
        assert (await pausing.pause(jobs, job.id)).paused
        here = (await at_rest(jobs, job)).epoch

        assert (await pausing.step(jobs, job.id, 7)).epoch == here + 7
        assert (await pausing.pause(jobs, job.id)).epoch == here + 7
        assert (await pausing.step(jobs, job.id, 1)).epoch == here + 8
        await pausing.resume(jobs, job.id)
        for _ in range(500):
            if (await jobs.get(job.id)).epoch > here + 100:
                break
            await asyncio.sleep(0.02)
        assert (await jobs.get(job.id)).epoch > here + 100
        await jobs.cancel(job.id, keep_best=False)


def looked_late(note: Note, look: Callable[[Note], bool] = Note.is_held) -> bool:
    """Let a training come to where it waits just before it is asked whether it does."""
    for _ in range(1000):
        if look(note):
            return True
        sleep(0.01)
    return False


@pytest.mark.parametrize("look", [Note.is_held, looked_late])
async def test_a_step_right_after_a_pause_is_one(
    look: Callable[[Note], bool], store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far the training came meanwhile, without telling it yet, another epoch follows where it waits."""
    monkeypatch.setattr(Note, "is_held", look)
    async with running(store) as jobs:
        job = await submitted(jobs, request=Request())
        while (await jobs.get(job.id)).epoch < 3:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
        for _ in range(5):
            await pausing.pause(jobs, job.id)

            stepped = await pausing.step(jobs, job.id, 1)

            assert (stepped.epoch, (await at_rest(jobs, job)).epoch) == (stepped.until, stepped.until)
            await pausing.resume(jobs, job.id)
            await asyncio.sleep(0.03)
        await jobs.cancel(job.id, keep_best=False)


async def test_two_steps_at_once_are_two_steps(store: ModelStore) -> None:
    """None is lost."""
    async with running(store) as jobs:
        job = await submitted(jobs)

        await asyncio.gather(*[pausing.step(jobs, job.id, 2) for _ in range(5)])

        assert (await at_rest(jobs, job, least=10)).epoch == 10


@pytest.mark.parametrize("keep_best", [False, True])
async def test_a_paused_job_is_cancelled_at_once(keep_best: bool, store: ModelStore) -> None:
    """With nothing, or with what the steps have come to."""
    async with running(store) as jobs:
        job = await submitted(jobs)
        await pausing.step(jobs, job.id, 3)

        await jobs.cancel(job.id, keep_best=keep_best)
        job = await jobs.wait(job, 5)

        assert (job.state, job.partial, job.version) == (State.CANCELLED, keep_best, 1 if keep_best else None)
    if keep_best:
        assert store.load("exam", 1).model.report.epochs == 3


async def test_a_paused_job_holds_its_place_no_longer_than_it_may(store: ModelStore) -> None:
    """Its own limit of time, or the service's, goes on meanwhile; then the next has its turn."""
    async with running(store) as jobs:
        job = await submitted(jobs, request=Request(paused=True, seconds=0.5))
        other = await submitted(jobs, ORDER, Request())

        assert isinstance((await jobs.wait(job, 10)).error, TrainingTooLong)
        assert (await jobs.wait(other, 30)).state == State.SUCCEEDED


async def test_a_job_that_is_over_cannot_be_paused(store: ModelStore) -> None:
    """Nor resumed or stepped, nor can one that never was."""
    async with running(store) as jobs:
        job = await jobs.wait(await submitted(jobs, ORDER, Request()), 30)

        for ask in (pausing.pause(jobs, job.id), pausing.resume(jobs, job.id), pausing.step(jobs, job.id, 1)):
            with pytest.raises(JobOver, match=r"is over \(succeeded\)"):
                await ask
        for ask in (pausing.pause(jobs, "none"), pausing.resume(jobs, "none"), pausing.step(jobs, "none", 1)):
            with pytest.raises(JobNotFound):
                await ask


async def test_a_job_that_waits_for_its_turn_can_be_paused(store: ModelStore) -> None:
    """It then waits before its first epoch."""
    async with running(store) as jobs:
        first, second = await submitted(jobs), await submitted(jobs, request=Request())
        assert (await pausing.pause(jobs, second.id)).state == State.QUEUED
        await jobs.cancel(first.id, keep_best=False)
        await jobs.wait(first, 10)
        while (await jobs.get(second.id)).state == State.QUEUED:  # noqa: ASYNC110 - it is another task's doing
            await asyncio.sleep(0.01)

        assert (await at_rest(jobs, second)).epoch == 0
        assert (await pausing.step(jobs, second.id, 1)).epoch == 1


@pytest.mark.parametrize("kind", ORDERS)
async def test_a_paused_job_outlives_its_service(kind: str, store: ModelStore) -> None:
    """The next one finds it where it was, paused, and the version is that of a job in peace."""
    async with running(store) as jobs:
        await jobs.wait(await submitted(jobs, ORDERS[kind], Request()), 60)
        job = await submitted(jobs, ORDERS[kind])
        await pausing.step(jobs, job.id, 2)

    async with running(store) as jobs:
        assert (await at_rest(jobs, job)).epoch == 2
        assert (await jobs.get(job.id)).paused
        assert (await pausing.step(jobs, job.id, 1)).epoch == 3
        with suppress(JobOver):  # that epoch may have been its last
            await pausing.resume(jobs, job.id)
        assert (await jobs.wait(job, 60)).version == 2
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256


async def test_a_paused_job_outlives_its_process(store: ModelStore, processes: ProcessExecutor) -> None:
    """Killed while it waits: another process waits in its stead, after the same epoch, and ends with the same bytes."""
    process = processes.submit(os.getpid).result()
    async with running(store, processes) as jobs:
        await jobs.wait(await submitted(jobs, ORDER, Request()), 60)
        job = await submitted(jobs, ORDER)
        assert (await pausing.step(jobs, job.id, 3)).epoch == 3

        os.kill(process, signal.SIGKILL)
        while (job := await jobs.get(job.id)).attempt == 1:  # noqa: ASYNC110 - it is another task's doing
            await asyncio.sleep(0.02)
        assert (job.state, job.paused, (await at_rest(jobs, job)).epoch) == (State.RUNNING, True, 3)
        assert (await pausing.step(jobs, job.id, 1)).epoch == 4
        await pausing.resume(jobs, job.id)
        assert (await jobs.wait(job, 60)).version == 2
    assert store.load("exam", 1).sha256 == store.load("exam", 2).sha256


def _execute(statement: Update, unit: Unit) -> int:
    return unit.execute(statement)


async def test_a_job_of_another_service_is_paused_too(store: ModelStore) -> None:
    """Whoever is asked; and what is only in the catalogue reaches the process as well."""
    async with running(store) as owner, running(store) as other:
        job = await submitted(owner, request=Request())
        while (await owner.get(job.id)).epoch < 3:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
        await pausing.pause(other, job.id)
        here = (await at_rest(other, job)).epoch
        assert (await pausing.step(other, job.id, 2)).epoch == here + 2

        for until in (here + 5, here + 9):
            further = update(jobs_table).values(until=until)
            store.catalogue.write(partial(_execute, further)).result()
            assert (await at_rest(other, job, least=until)).epoch == until
        await other.cancel(job.id, keep_best=False)
        assert (await other.wait(job, 10)).state == State.CANCELLED
