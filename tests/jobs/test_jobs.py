"""Jobs: however a training ends, its job says so, and nothing else suffers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from app import errors
from app.faults import Fault
from app.jobs import orders
from app.jobs.job import State
from app.jobs.ledger import Key, Request
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.work import Workplace, train_and_save
from app.store.store import ModelStore
from tests.conftest import wait_until
from tests.jobs.running import ORDER, Broken, Held, files, running
from tests.models.tables import recipe, wave


async def test_a_training_that_begins_while_the_lease_is_renewed_goes_on(store: ModelStore) -> None:
    """The renewal that does not know of it yet does not take it for one that was taken over."""
    held = Held()
    async with running(store, held, at_once=2) as jobs:
        await jobs.submit(ORDER)
        submitting = asyncio.create_task(jobs.submit(ORDER))
        await asyncio.sleep(0)
        beating = asyncio.create_task(jobs.beat())
        await asyncio.sleep(0)
        later = (await submitting).job
        await beating

        assert jobs.folder.note(later.id, 1).wish_path.read_bytes()[:1] == b"\0"


async def test_an_end_that_cannot_be_written_down_keeps_what_the_next_attempt_needs(store: ModelStore) -> None:
    """Who waits is told; the order, too long for the catalogue, is still there for whoever takes the job over."""
    held = Held()
    async with running(store, held) as jobs:
        job = (await jobs.submit(replace(ORDER, rows=wave(5000)))).job
        await asyncio.to_thread(wait_until, lambda: bool(held.futures))
        await asyncio.to_thread(store.catalogue.close)
        held.futures[0].set_exception(ValueError("bug"))

        assert (await jobs.wait(job, 10)).state == State.FAILED
        assert f"{job.id}.order" in files(store)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), errors.OutOfMemory),
        (ValueError("bug"), errors.Unforeseen),
        (BrokenProcessPool("gone"), errors.WorkerLost),
        (errors.BadTable("no", [Fault("a number", row=3, got="\0 and \ud800")]), errors.BadTable),
    ],
)
async def test_whatever_ends_a_training_becomes_its_jobs_error(
    error: Exception, kind: type[errors.NetletError], store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The job fails with a reason, for ever; what was not foreseen is logged with its traceback."""
    async with running(store, Broken(error)) as jobs:
        job = await jobs.wait((await jobs.submit(ORDER)).job, 10)

        assert job.state == State.FAILED
        assert isinstance(job.error, kind)
        assert ("ValueError: bug" in caplog.text) is isinstance(error, ValueError)
        known = await jobs.get(job.id)
        assert (type(known.error), str(known.error)) == (kind, str(job.error))
        assert getattr(known.error, "faults", ()) == getattr(error, "faults", ())
        assert files(store) == []


async def test_a_job_ends_as_a_version(store: ModelStore) -> None:
    """Running, succeeded; the version is in the store, and its progress stays to be read."""
    async with running(store, ThreadPoolExecutor(1)) as jobs:
        found = await jobs.submit(ORDER)
        assert (found.job.state, found.is_new) == (State.RUNNING, True)
        job = await jobs.wait(found.job, 30)

        assert (job.state, job.version, job.error, job.attempt) == (State.SUCCEEDED, 1, None, 1)
        assert [point.epoch for point in job.points] == [1, 2, 3]
        assert await jobs.get(job.id) == job
    assert store.versions("exam") == [1]
    assert files(store) == []
    assert list((store.root / ".incoming").iterdir()) == []


async def test_a_long_order_is_a_file(store: ModelStore) -> None:
    """Until the job is over."""
    order = Order(name="exam", rows=wave(20_000), recipe=recipe(epochs=1))
    async with running(store, ThreadPoolExecutor(1)) as jobs:
        job = (await jobs.submit(order)).job
        assert f"{job.id}.order" in files(store)

        assert (await jobs.wait(job, 60)).state == State.SUCCEEDED
        assert files(store) == []


def test_threads_change_no_byte_of_what_is_saved(store: ModelStore) -> None:
    """A batch that three threads share out gives the snapshot that one gives."""
    order = Order(name="exam", rows=wave(3000), recipe=recipe(epochs=2, batch_size=3000, optimizer="adam"))
    note = Note(store.root / "note")
    saved = [
        train_and_save(orders.encode(order), Workplace(store.root, threads=threads), note).sha256 for threads in (1, 3)
    ]

    assert saved[0] == saved[1]


def test_a_training_computes_where_it_was_told_to(store: ModelStore) -> None:
    """The workplace's device is asked for, not another."""
    with pytest.raises(KeyError, match="abacus"):
        train_and_save(orders.encode(ORDER), Workplace(store.root, device="abacus"), Note(store.root / "note"))


async def test_only_so_many_run_and_wait(store: ModelStore) -> None:
    """One running, one waiting allowed: the third is refused until there is a place again."""
    executor = Held()
    async with running(store, executor, most_waiting=1) as jobs:
        first, second = [(await jobs.submit(ORDER)).job for _ in range(2)]
        assert (first.state, second.state) == (State.RUNNING, State.QUEUED)
        with pytest.raises(errors.Busy):
            await jobs.submit(ORDER)

        executor.futures[0].set_exception(errors.OutOfMemory())
        await jobs.wait(first, 10)
        for _ in range(500):
            if len(executor.futures) < 2:
                await asyncio.sleep(0.01)
        third = (await jobs.submit(ORDER)).job
        assert (await jobs.get(second.id)).state == State.RUNNING
        assert third.state == State.QUEUED


async def test_the_queue_is_fair_to_callers_and_heeds_priority(store: ModelStore) -> None:
    """A caller who asked for many waits behind one who was served longer ago; higher priorities go first of all."""
    executor = Held()
    async with running(store, executor) as jobs:
        asked = [("many", 0), ("many", 0), ("many", 0), ("one", 0), ("many", 1)]
        made = [(await jobs.submit(ORDER, Request(caller=who, priority=level))).job for who, level in asked]
        order = []
        for _ in made:
            begun = await executor.begun.get()
            order.append(next(iter(jobs.running)))
            begun.set_exception(errors.OutOfMemory())

    assert [[job.id for job in made].index(job_id) for job_id in order] == [0, 4, 3, 1, 2]


async def test_a_submission_leaves_files_only_where_it_may_be_a_job(store: ModelStore) -> None:
    """Refused, it leaves nothing; where nobody can tell whether it was written down, what it needs stays."""
    large = replace(ORDER, rows=wave(5000))
    async with running(store, Held(), most_waiting=0) as jobs:
        job = (await jobs.submit(ORDER)).job
        with pytest.raises(errors.Busy):
            await jobs.submit(large)
        assert files(store) == [f"{job.id}-1.wish"]

        await asyncio.to_thread(store.catalogue.close)
        with pytest.raises(errors.StorageError):
            await jobs.submit(large)
        assert [name.partition(".")[2] for name in files(store) if job.id not in name] == ["order"]


async def test_of_trainings_that_begin_under_one_key_all_but_one_end(store: ModelStore) -> None:
    """They leave nothing, and their places are free."""
    held, request = Held(), Request(key=Key("a key", "digest"))
    async with running(store, held, at_once=2) as jobs:
        first, second = await asyncio.gather(*[jobs.submit(ORDER, request) for _ in range(2)])
        assert first.job.id == second.job.id
        await asyncio.to_thread(wait_until, lambda: any(future.cancelled() for future in held.futures))

        assert [future.cancelled() for future in held.futures] == [False, True]
        assert jobs.free == 1
        await asyncio.to_thread(wait_until, lambda: files(store) == [f"{first.job.id}-1.wish"])


async def test_a_key_stands_for_one_job(store: ModelStore) -> None:
    """However often it is sent, from however many at once, and later; another request under it is refused."""
    key = Key("a key", "digest")
    async with running(store, ThreadPoolExecutor(1), at_once=4) as jobs:
        found = await asyncio.gather(*[jobs.submit(ORDER, Request(key=key)) for _ in range(50)])
        assert len({submitted.job.id for submitted in found}) == 1
        assert sum(submitted.is_new for submitted in found) == 1
        job = await jobs.wait(found[0].job, 30)
        assert await jobs.find(key) == job
        with pytest.raises(errors.KeyReused):
            await jobs.submit(ORDER, Request(key=key._replace(digest="another")))
        await jobs.submit(ORDER)  # without a key, there are as many as were sent

    async with running(store, ThreadPoolExecutor(1)) as jobs:
        assert (await jobs.submit(ORDER, Request(key=key))).job == job


async def test_stopping_leaves_every_job_to_whoever_comes_next(store: ModelStore) -> None:
    """Those that wait are told at once; new ones wait as well; the next process runs them all, each once."""
    executor = Held()
    async with running(store, executor) as jobs:
        first, second = [(await jobs.submit(ORDER)).job for _ in range(2)]
        waiting = asyncio.create_task(jobs.wait(first, 60))
        await asyncio.sleep(0.05)
        jobs.stop()
        assert (await waiting).state == State.RUNNING
        third = (await jobs.submit(ORDER)).job
        assert (await jobs.wait(third, 60)).state == State.QUEUED

    async with running(store, ThreadPoolExecutor(1)) as jobs:
        ended = [await jobs.wait(job, 30) for job in (first, second, third)]
    assert [(job.state, job.version, job.attempt) for job in ended] == [
        (State.SUCCEEDED, 1, 1),
        (State.SUCCEEDED, 2, 1),
        (State.SUCCEEDED, 3, 1),
    ]


async def test_who_wanted_to_keep_the_best_may_still_want_nothing(store: ModelStore) -> None:
    """A process that does not listen is killed then; what was kept by nobody's wish stays nothing."""
    executor = Held()
    async with running(store, executor) as jobs:
        job = (await jobs.submit(ORDER)).job
        for keep_best in (True, True, False, True):
            assert (await jobs.cancel(job.id, keep_best=keep_best)).state == State.RUNNING
        ended = await jobs.wait(job, 10)

    assert (ended.state, ended.version) == (State.CANCELLED, None)
    assert executor.futures[0].cancelled()


async def test_cancelling_is_the_end_of_a_job(store: ModelStore) -> None:
    """Of one that waits at once, of one that runs when its process is gone; cancelling again changes nothing."""
    executor = Held()
    async with running(store, executor) as jobs:
        first, second = [(await jobs.submit(ORDER)).job for _ in range(2)]
        assert (await jobs.cancel(second.id, keep_best=False)).state == State.CANCELLED
        asked = await jobs.cancel(first.id, keep_best=False)
        assert asked.state in {State.RUNNING, State.CANCELLED}
        ended = await jobs.wait(first, 10)

        assert ended.state == State.CANCELLED
        assert executor.futures[0].cancelled()
        assert await jobs.cancel(first.id, keep_best=False) == ended
        with pytest.raises(errors.JobNotFound):
            await jobs.cancel("nothing", keep_best=False)
    assert files(store) == []


async def test_a_training_that_takes_too_long_fails(store: ModelStore) -> None:
    """Its own limit counts, where it is tighter than that of the service."""
    async with running(store, Held()) as jobs:
        job = await jobs.wait((await jobs.submit(ORDER, Request(seconds=0.1))).job, 10)

    assert isinstance(job.error, errors.TrainingTooLong)
