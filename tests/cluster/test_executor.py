"""The executor of a cluster: calls are done there, and end as those of processes do."""

import os
from concurrent.futures.process import BrokenProcessPool
from time import sleep

import pytest

from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from tests.conftest import wait_until
from tests.ray_cluster import Ray, be_impatient, is_alive


def test_calls_are_done_by_processes_of_nodes(executor: RayExecutor, ray: Ray) -> None:
    """Last in line for the processor."""
    parent = executor.submit(os.getppid).result(60)

    assert executor.submit(os.nice, 0).result(60) >= 10
    assert parent in ray.head.workers("forkserver")


def test_what_takes_too_much_memory_is_told_so(executor: RayExecutor) -> None:
    """The node goes on."""
    with pytest.raises(MemoryError):
        executor.submit(bytes, 2**30).result(60)
    assert len(executor.submit(bytes, 2**20).result(60)) == 2**20


def test_a_call_whose_process_dies_fails(executor: RayExecutor) -> None:
    """Alone; others go on."""
    with pytest.raises(BrokenProcessPool):
        executor.submit(os._exit, 0).result(60)
    assert executor.submit(abs, -1).result(60) == 1


def test_a_call_that_is_cancelled_is_killed_and_its_place_is_free(executor: RayExecutor, ray: Ray) -> None:
    """All of them that fit, and those that wait for them begin."""
    pids = [executor.submit(os.getpid).result(60)]
    calls = [executor.submit(sleep, 600) for _ in range(2)]
    wait_until(lambda: all(asked.has_begun for asked in executor.calls.values()))
    waiting = executor.submit(abs, -1)

    assert all(call.cancel() for call in calls)

    assert waiting.result(60) == 1
    wait_until(lambda: not any(map(is_alive, pids)))
    wait_until(lambda: not ray.head.workers())


def test_a_call_that_waits_for_room_can_be_cancelled(executor: RayExecutor) -> None:
    """It never begins."""
    calls = [executor.submit(sleep, 600) for _ in range(2)]
    wait_until(lambda: all(asked.has_begun for asked in executor.calls.values()))

    waiting = executor.submit(os._exit, 1)
    assert waiting.cancel()

    calls[0].cancel()
    assert executor.submit(abs, -1).result(60) == 1


def test_what_cannot_be_sent_fails_its_call(executor: RayExecutor) -> None:
    """A result that is no plain data; others go on."""
    with pytest.raises(RuntimeError, match="pickle"):
        executor.submit(open, os.devnull).result(60)
    assert executor.submit(abs, -1).result(60) == 1


def test_nothing_is_run_after_the_end(executor: RayExecutor, ray: Ray) -> None:
    """And what was being done ends with it."""
    call = executor.submit(sleep, 600)
    wait_until(lambda: all(asked.has_begun for asked in executor.calls.values()))

    executor.shutdown()

    assert isinstance(call.exception(1), BrokenProcessPool)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, -1)
    wait_until(lambda: not ray.head.workers())


def test_who_has_not_the_token_is_not_let_in(ray: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told so, soon."""
    be_impatient(monkeypatch)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another-that-is-as-long-as-that-one-is")
    executor = RayExecutor(Cluster(ray.address, 1, 2**30))
    try:
        assert "token" in (executor.first_trouble() or "").lower()
    finally:
        executor.shutdown()


def test_a_call_waits_until_there_is_a_cluster(unused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost while there is none, and each can be cancelled."""
    be_impatient(monkeypatch)
    executor = RayExecutor(Cluster(unused, 1, 2**30))
    try:
        call, other = executor.submit(abs, -1), executor.submit(abs, -1)

        assert "nothing answers there" in (executor.first_trouble() or "")
        assert not call.done()
        assert other.cancel()
    finally:
        executor.shutdown()
    assert isinstance(call.exception(1), BrokenProcessPool)
