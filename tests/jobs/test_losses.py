"""Losses: of processes, of leases, of what was written; a job is done once, or says why not."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest
from sqlalchemy import update

from app import errors
from app.jobs.folder import JobFolder
from app.jobs.job import State
from app.jobs.ledger import Key, Request
from app.store.schema import jobs as jobs_table
from app.store.store import ModelStore
from tests.jobs.running import LEASES_ENDED, ORDER, Broken, Held, files, running
from tests.models.tables import wave


async def test_a_job_whose_owner_died_is_taken_over(store: ModelStore) -> None:
    """Once its lease has ended; whoever had it cannot write about it any more, even if he was only slow."""
    slow = Held()
    async with running(store, slow, lease=0.5) as dead:
        job = (await dead.submit(ORDER)).job
        for task in dead.tasks:
            if "_tend" in repr(task):
                task.cancel()

        async with running(store, ThreadPoolExecutor(1), lease=0.5) as alive:
            ended = await alive.wait(job, 30)
            assert (ended.state, ended.version, ended.attempt) == (State.SUCCEEDED, 1, 2)
            slow.futures[0].set_exception(errors.OutOfMemory())
            await asyncio.sleep(0.1)
            assert await alive.get(job.id) == ended


async def test_nobody_takes_over_what_it_still_runs_itself(store: ModelStore) -> None:
    """Whatever kept it from renewing its lease, such as a disk that was full."""
    held = Held()
    async with running(store, held, at_once=2, lease=1000) as jobs:
        job, other = [(await jobs.submit(ORDER)).job for _ in range(2)]
        await asyncio.wrap_future(store.catalogue.write(lambda unit: unit.execute(LEASES_ENDED)))

        held.futures[1].set_exception(errors.Diverged(epoch=1, layer=1, learning_rate=1.0, last_loss=None))
        await jobs.wait(other, 30)  # whose end is the time to take over another

        assert (await jobs.get(job.id)).attempt == 1
        await asyncio.wrap_future(store.catalogue.write(lambda unit: unit.execute(LEASES_ENDED)))
        async with running(store, lease=1000) as others:  # to whom it looks lost
            assert (await others.wait(job, 30)).attempt == 2


async def test_a_store_that_is_gone_fails_a_training_in_words(store: ModelStore) -> None:
    """Nothing unforeseen: whoever asked may try again."""
    async with running(store) as jobs:
        shutil.rmtree(store.root / ".jobs")

        job = (await jobs.submit(ORDER)).job
        job = await jobs.wait(job, 30)

        assert job.state == State.FAILED
        assert isinstance(job.error, errors.StorageError)
        assert "ENOENT" in str(job.error)


@pytest.mark.only_on("sqlite")
async def test_a_success_that_cannot_be_written_down_is_no_failure(store: ModelStore) -> None:
    """Whoever waits is told that the catalogue is away; once it is back, another attempt succeeds."""
    catalogue, elsewhere = store.root / ".catalogue.sqlite", store.root / "elsewhere"
    async with running(store, lease=0.5) as jobs:
        job = (await jobs.submit(ORDER, Request(paused=True))).job
        catalogue.rename(elsewhere)
        jobs.folder.note(job.id, job.attempt).hold(None)
        told = await jobs.wait(job, 30)
        elsewhere.rename(catalogue)

        assert isinstance(told.error, errors.StorageError)
        await asyncio.wrap_future(
            store.catalogue.write(lambda unit: unit.execute(update(jobs_table).values(until=None)))
        )
        for _ in range(500):
            told = await jobs.get(job.id)
            if told.is_over:
                break
            await asyncio.sleep(0.02)
        assert (told.state, told.version) == (State.SUCCEEDED, 1)


async def test_a_key_outlives_a_failure_that_was_nobodys_fault(store: ModelStore) -> None:
    """It is free for whatever is asked for under it."""
    request = Request(key=Key("order-66", "digest"))
    async with running(store, Broken(BrokenProcessPool("gone")), most_attempts=1) as jobs:
        lost = await jobs.wait((await jobs.submit(ORDER, request)).job, 10)
        assert isinstance(lost.error, errors.WorkerLost)
        assert await jobs.find(request.key or Key("", "")) is None

    async with running(store) as jobs:
        other = await jobs.submit(ORDER, Request(key=Key("order-66", "another's digest")))
        assert other.is_new


async def test_of_many_who_send_it_again_one_has_it_done(store: ModelStore) -> None:
    """A key that is free again stands for one job."""
    request = Request(key=Key("order-66", "digest"))
    async with running(store, Broken(BrokenProcessPool("gone")), most_attempts=1) as jobs:
        lost = await jobs.wait((await jobs.submit(ORDER, request)).job, 10)

    async with running(store) as jobs:
        again = await asyncio.gather(*[jobs.submit(ORDER, request) for _ in range(5)])
        assert len({found.job.id for found in again} - {lost.id}) == 1
        assert (await jobs.wait(again[0].job, 10)).state == State.SUCCEEDED
        assert not (await jobs.submit(ORDER, request)).is_new


@pytest.mark.parametrize("harm", ["a bit", "an end", "all"])
async def test_a_damaged_order_is_not_learnt_from(harm: str, store: ModelStore) -> None:
    """Its job fails in words that tell what to do."""
    rows = wave(6000)
    async with running(store, Held()) as jobs:
        job = (await jobs.submit(replace(ORDER, rows=rows))).job
    path = JobFolder(store.root).order(job.id)
    data = bytearray(path.read_bytes())
    match harm:
        case "a bit":
            data[-5] ^= 1
            path.write_bytes(data)
        case "an end":
            path.write_bytes(data[:-100])
        case _:
            path.unlink()

    async with running(store) as jobs:
        job = await jobs.wait(job, 30)

    assert job.state == State.FAILED
    assert isinstance(job.error, errors.OrderDamaged)


async def test_a_service_that_stops_in_peace_uses_no_attempt_up(store: ModelStore) -> None:
    """Not even the last one: whoever comes next goes on with it."""
    async with running(store, Held(), most_attempts=1) as jobs:
        job = (await jobs.submit(ORDER)).job
    async with running(store, most_attempts=1) as jobs:
        job = await jobs.wait(job, 30)

    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)


async def test_a_job_is_not_tried_for_ever(store: ModelStore) -> None:
    """Its process is lost each time: after so many attempts it fails."""
    executor = Broken(BrokenProcessPool("gone"))
    async with running(store, executor, most_attempts=4) as jobs:
        job = await jobs.wait((await jobs.submit(ORDER)).job, 10)

    assert (job.state, job.attempt, executor.calls) == (State.FAILED, 4, 4)
    assert isinstance(job.error, errors.WorkerLost)


async def test_a_job_whose_owners_all_died_fails(store: ModelStore) -> None:
    """Nobody tries a job for ever that takes its server with it."""
    async with running(store, Held(), most_attempts=1) as jobs:
        job = (await jobs.submit(ORDER)).job
        store.catalogue.write(lambda unit: unit.execute(LEASES_ENDED)).result()
        async with running(store, Held(), most_attempts=1) as other:
            ended = await other.wait(job, 10)
            assert isinstance(ended.error, errors.WorkerLost)
            assert files(store) == []
