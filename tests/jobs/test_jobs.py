"""Jobs: however a training ends, its job says so, and nothing else suffers."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from app import errors
from app.faults import Fault
from app.jobs import orders
from app.jobs.executors import ProcessExecutor
from app.jobs.folder import JobFolder
from app.jobs.job import State
from app.jobs.ledger import Key, Request
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.work import Workplace, train_and_save
from app.store.schema import jobs as jobs_table
from app.store.store import ModelStore
from tests.conftest import wait_until
from tests.engine.tables import EXAM, recipe, wave
from tests.jobs.running import running

ORDER = Order(name="exam", rows=EXAM, recipe=recipe(epochs=3))
LEASES_ENDED = update(jobs_table).values(lease=0.0)


class Broken(Executor):
    """An executor whose calls end as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """End at once."""
        self.calls += 1
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


class Held(Executor):
    """An executor whose calls end when they are told to, or are cancelled."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.begun: asyncio.Queue[Future[Any]] = asyncio.Queue()

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """Begin."""
        self.futures.append(Future())
        self.begun.put_nowait(self.futures[-1])
        return self.futures[-1]


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    executor = ProcessExecutor(2, seconds=30, memory=2**30)
    yield executor
    executor.shutdown()


def files(store: ModelStore) -> list[str]:
    return sorted(path.name for path in JobFolder(store.root).path.iterdir())


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
        (TimeoutError(), errors.TrainingTooLong),
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
    """Those that wait are told at once; new ones are refused; the next process runs them all, each once."""
    executor = Held()
    async with running(store, executor) as jobs:
        first, second = [(await jobs.submit(ORDER)).job for _ in range(2)]
        waiting = asyncio.create_task(jobs.wait(first, 60))
        await asyncio.sleep(0.05)
        jobs.stop()
        assert (await waiting).state == State.RUNNING
        with pytest.raises(errors.ShuttingDown):
            await jobs.submit(ORDER)

    async with running(store, ThreadPoolExecutor(1)) as jobs:
        ended = [await jobs.wait(job, 30) for job in (first, second)]
    assert [(job.state, job.version, job.attempt) for job in ended] == [
        (State.SUCCEEDED, 1, 1),
        (State.SUCCEEDED, 2, 1),
    ]


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


def test_processes_are_niced_and_their_own(processes: ProcessExecutor) -> None:
    """Work is done elsewhere, last in line for the processor."""
    assert processes.submit(os.getpid).result() != os.getpid()
    assert processes.submit(os.nice, 0).result() >= 10


def test_a_process_takes_no_more_memory_than_it_may(processes: ProcessExecutor) -> None:
    """What needs more is told so; the process lives and goes on."""
    process = processes.submit(os.getpid).result()

    with pytest.raises(MemoryError):
        processes.submit(bytes, 2**30).result()
    assert len(processes.submit(bytes, 2**20).result()) == 2**20
    assert processes.submit(os.getpid).result() == process


def test_a_process_killed_while_idle_is_replaced(processes: ProcessExecutor) -> None:
    """Calls go on, in new processes."""
    for _ in range(3):
        os.kill(processes.submit(os.getpid).result(), signal.SIGKILL)
        wait_until(lambda: not all(pool.active for pool in processes.pools))

        assert processes.submit(abs, -1).result() == 1
