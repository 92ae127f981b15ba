"""Jobs: however a training ends, its job says so, and nothing else suffers."""

import asyncio
import gc
import os
import signal
import weakref
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import errors
from app.engine.control import Progress
from app.jobs.executors import ProcessExecutor
from app.jobs.jobs import Jobs
from app.jobs.progress import ProgressNote, ProgressWriter
from app.jobs.work import Order, Workplace, train_and_publish
from app.store.store import ModelStore
from tests.conftest import wait_until
from tests.engine.tables import EXAM, recipe, wave


class Broken(Executor):
    """An executor whose calls end as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """End at once."""
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), errors.TrainingTooLong),
        (MemoryError(), errors.OutOfMemory),
        (ValueError("bug"), errors.Unforeseen),
        (BrokenProcessPool("gone"), errors.WorkerLost),
    ],
)
async def test_whatever_ends_a_training_becomes_its_jobs_error(
    error: Exception, kind: type[errors.NetletError], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job fails with a reason; what was not foreseen is logged with its traceback."""
    jobs = Jobs(Broken(error), Workplace(tmp_path), at_once=1, most_waiting=1)

    job = jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe()))
    await jobs.wait(job, 10)
    await jobs.close()

    assert job.status == "failed"
    assert isinstance(job.error, kind)
    assert ("ValueError: bug" in caplog.text) is isinstance(error, ValueError)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    ModelStore(tmp_path).open()
    return tmp_path


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    executor = ProcessExecutor(2, seconds=30)
    yield executor
    executor.shutdown()


async def test_a_job_ends_as_a_version(root: Path) -> None:
    """Queued, running, succeeded; the version is in the store."""
    jobs = Jobs(ThreadPoolExecutor(1), Workplace(root), at_once=1, most_waiting=1)

    job = jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe(epochs=3)))
    assert job.status == "queued"
    await jobs.wait(job, 30)
    await jobs.close()

    assert (job.status, job.version, job.error) == ("succeeded", 1, None)
    assert job.progress is not None
    assert job.progress.epoch == 3
    assert ModelStore(root).versions("exam") == [1]


def test_threads_change_no_byte_of_what_is_published(root: Path) -> None:
    """A batch that three threads share out gives the snapshot that one gives."""
    order = Order(name="exam", rows=wave(3000), recipe=recipe(epochs=2, batch_size=3000, optimizer="adam"))
    for threads in (1, 3):
        train_and_publish(order, Workplace(root, threads=threads), ProgressNote(root / ".incoming" / "note"))

    one, three = [(root / "exam" / f"{version}.safetensors").read_bytes() for version in (1, 2)]
    assert one == three


def test_a_training_computes_where_it_was_told_to(root: Path) -> None:
    """The workplace's device is asked for, not another."""
    order = Order(name="exam", rows=EXAM, recipe=recipe(epochs=1))

    with pytest.raises(KeyError, match="abacus"):
        train_and_publish(order, Workplace(root, device="abacus"), ProgressNote(root / ".incoming" / "note"))


async def test_only_so_many_run_and_wait(root: Path) -> None:
    """One running, none waiting allowed: the second is refused until the first has ended."""
    jobs = Jobs(ThreadPoolExecutor(1), Workplace(root), at_once=1, most_waiting=0)
    order = Order(name="exam", rows=EXAM, recipe=recipe(epochs=3))

    first = jobs.submit(order)
    with pytest.raises(errors.Busy):
        jobs.submit(order)
    await jobs.wait(first, 30)
    await asyncio.sleep(0)
    second = jobs.submit(order)
    await jobs.wait(second, 30)
    await jobs.close()

    assert (first.version, second.version) == (1, 2)


async def test_only_so_many_are_remembered(root: Path) -> None:
    """The oldest that have ended are forgotten."""
    jobs = Jobs(ThreadPoolExecutor(1), Workplace(root), at_once=1, most_waiting=1, remembered=2)
    made = []
    for _ in range(4):
        made.append(jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe(epochs=1))))
        await jobs.wait(made[-1], 30)
    await jobs.close()

    assert [job.version for job in jobs.newest(10)] == [4, 3]
    with pytest.raises(errors.JobNotFound):
        jobs.get(made[0].id)


async def test_stopping_ends_every_job_at_once(root: Path) -> None:
    """Those that wait are told; new ones are refused."""
    jobs = Jobs(ThreadPoolExecutor(1), Workplace(root), at_once=1, most_waiting=5)
    running, waiting = [jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe(epochs=2000))) for _ in range(2)]

    await asyncio.sleep(0.01)
    jobs.stop()
    for job in (running, waiting):
        await jobs.wait(job, 10)

    assert all(isinstance(job.error, errors.ShuttingDown) for job in (running, waiting))
    with pytest.raises(errors.ShuttingDown):
        jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe()))
    await jobs.close()


async def test_a_failed_job_does_not_keep_its_rows(root: Path) -> None:
    """A job is remembered for long; the table that it could not learn is not."""
    jobs = Jobs(ThreadPoolExecutor(1), Workplace(root), at_once=1, most_waiting=1)
    wild = recipe(optimizer="gradient_descent", learning_rate=1e6, hidden=())
    rows = replace(EXAM, X=EXAM.X.copy())
    kept = weakref.ref(rows.X)

    job = jobs.submit(Order(name="exam", rows=rows, recipe=wild))
    del rows
    await jobs.wait(job, 30)
    await jobs.close()
    gc.collect()

    assert isinstance(job.error, errors.Diverged)
    assert kept() is None


async def test_a_call_whose_process_had_died_is_given_to_another(root: Path) -> None:
    """The first attempt never began, so that the second is the only one."""

    class OnceBroken(ThreadPoolExecutor):
        attempts = 0

        def submit(self, *call: Any, **named: Any) -> Future[Any]:
            self.attempts += 1
            return Broken(BrokenProcessPool()).submit() if self.attempts == 1 else super().submit(*call, **named)

    jobs = Jobs(OnceBroken(1), Workplace(root), at_once=1, most_waiting=1)
    job = jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe(epochs=1)))
    await jobs.wait(job, 30)
    await jobs.close()

    assert (job.status, job.version) == ("succeeded", 1)


def test_processes_are_niced_and_their_own(processes: ProcessExecutor) -> None:
    """Work is done elsewhere, last in line for the processor."""
    assert processes.submit(os.getpid).result() != os.getpid()
    assert processes.submit(os.nice, 0).result() >= 10


def test_a_process_killed_while_idle_is_replaced(processes: ProcessExecutor) -> None:
    """Calls go on, in new processes."""
    for _ in range(3):
        os.kill(processes.submit(os.getpid).result(), signal.SIGKILL)
        wait_until(lambda: not all(pool.active for pool in processes.pools))

        assert processes.submit(abs, -1).result() == 1


def test_progress_comes_through_a_file(tmp_path: Path) -> None:
    """Nothing before the first epoch; then the numbers, at the latest when the writer is closed."""
    note = ProgressNote(tmp_path / "gone" / "note")
    assert note.read() is None

    writer = ProgressWriter(note)
    assert note.read() is None
    told = [Progress(1, 9, 0.5, None), Progress(2, 9, 0.25, 0.125)]
    for progress in told:
        writer(progress)
    assert note.read() == told[0]
    writer.close()

    assert note.read() == told[1]
    note.remove()
    assert note.read() is None
    assert np.isfinite(told[1].loss)


def test_a_training_goes_on_where_progress_cannot_be_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file where the folder should be, or a full disk: one line in the log, and no more notes."""
    (tmp_path / "file").write_text("in the way")
    nowhere = ProgressWriter(ProgressNote(tmp_path / "file" / "note"))
    full = ProgressWriter(ProgressNote(Path("/dev/full")))

    for writer in (nowhere, full):
        writer(Progress(1, 9, 0.5, None))
        writer(Progress(2, 9, 0.5, None))
        writer.close()

    assert caplog.text.count("progress cannot be told") == 2
