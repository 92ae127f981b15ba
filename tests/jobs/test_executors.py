"""Executors: processes that train, each on its own."""

import os
import signal

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
        os.kill(processes.submit(os.getpid).result(), signal.SIGKILL)
        wait_until(lambda: not all(pool.active for pool in processes.pools))

        assert processes.submit(abs, -1).result() == 1


def test_a_key_press_ends_no_process(processes: ProcessExecutor) -> None:
    """Ctrl-C is the server's to handle, from the first moment of a process on."""
    assert signal.SIGINT in processes.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
