"""Executors: processes that train, each on its own."""

import os
import signal
from time import sleep

import pytest

from app.jobs.executors import ProcessExecutor
from tests.conftest import wait_until


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
        process = processes.submit(os.getpid).result()
        wait_until(lambda: len(processes.idle) == len(processes.pools))
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: not all(pool.active for pool in processes.idle))

        assert processes.submit(abs, -1).result() == 1
        wait_until(lambda: len(processes.idle) == len(processes.pools))


def test_a_call_is_never_given_to_a_process_that_is_to_die(processes: ProcessExecutor) -> None:
    """One that is cancelled, and yet ends just before its process is killed, takes no other call with it."""
    for _ in range(5):
        cancelled = processes.submit(sleep, 0.03)
        wait_until(cancelled.running)
        cancelled.cancel()
        after = [processes.submit(sleep, 0.3) for _ in range(2)]

        assert [future.result(timeout=10) for future in after] == [None, None]


def test_a_call_waits_for_no_other(processes: ProcessExecutor) -> None:
    """Also where more are under way than there are processes: some may be those of which nobody wants the result."""
    others = [processes.submit(sleep, 60) for _ in processes.pools]

    assert processes.submit(abs, -1).result(timeout=20) == 1
    assert not any(other.done() for other in others)


def test_there_are_as_many_processes_as_before_once_all_calls_have_ended(processes: ProcessExecutor) -> None:
    """However many calls there were at once."""
    count = len(processes.pools)

    for future in [processes.submit(sleep, 0.3) for _ in range(count + 2)]:
        future.result()

    wait_until(lambda: len(processes.pools) == len(processes.idle) == count)


def test_nothing_is_run_after_the_end(processes: ProcessExecutor) -> None:
    """As the standard interface has it."""
    processes.shutdown()

    with pytest.raises(RuntimeError, match="shut down"):
        processes.submit(abs, -1)


def test_a_key_press_ends_no_process(processes: ProcessExecutor) -> None:
    """Ctrl-C is the server's to handle, from the first moment of a process on."""
    assert signal.SIGINT in processes.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
