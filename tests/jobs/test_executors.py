"""Executors: processes that train, each on its own."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from threading import Event, Thread
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
        os.kill(processes.submit(os.getpid).result(), signal.SIGKILL)
        wait_until(lambda: not all(worker.process.is_alive() for worker in processes.idle))

        assert processes.submit(abs, -1).result() == 1


def test_a_call_whose_process_dies_fails(processes: ProcessExecutor) -> None:
    """Alone, and at once: others go on, and are not waited for."""
    other = processes.submit(sleep, 60)

    with pytest.raises(BrokenProcessPool):
        processes.submit(os._exit, 0).result(timeout=30)
    assert not other.done()
    assert processes.submit(abs, -1).result(timeout=30) == 1


def test_every_call_has_an_end_however_processes_die(processes: ProcessExecutor) -> None:
    """Killed at any moment, while they begin, wait, or do one call after the other."""
    is_over = Event()
    assert processes.submit(abs, -1).result() == 1

    def kill() -> None:
        while not is_over.is_set():
            for worker in (*processes.idle, *processes.busy):
                if worker.process.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(worker.process.pid, signal.SIGKILL)
            sleep(0.004)

    killer = Thread(target=kill)
    killer.start()
    calls = []
    for _ in range(100):
        calls.append(processes.submit(abs, -1))
        sleep(0.01)
    is_over.set()
    killer.join()

    ends = [call.exception(timeout=20) for call in calls]
    assert {type(end) for end in ends} <= {type(None), BrokenProcessPool}
    assert any(ends)
    wait_until(lambda: processes.submit(abs, -1).exception(timeout=20) is None)  # the last may still be dying


def test_a_call_is_never_given_to_a_process_that_is_to_die(processes: ProcessExecutor) -> None:
    """One that is cancelled takes no other call with it, whether it ends before its process is killed or not."""
    for seconds in (0, 0.001, 0.01, 0.03, 60):
        processes.submit(sleep, seconds).cancel()
        after = [processes.submit(sleep, 0.1) for _ in range(2)]

        assert [future.result(timeout=20) for future in after] == [None, None]


def test_a_process_that_does_not_listen_is_killed_all_the_same(processes: ProcessExecutor) -> None:
    """However many there are of them, at once."""
    stopped = []
    for _ in range(6):
        call = processes.submit(sleep, 60)
        wait_until(lambda: bool(processes.busy))
        (worker,) = processes.busy
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGSTOP)
        call.cancel()
        wait_until(lambda: not processes.busy)
        stopped.append(worker.process)

    wait_until(lambda: not any(process.is_alive() for process in stopped))


def test_a_call_waits_for_no_other(processes: ProcessExecutor) -> None:
    """Also where more are under way than there are processes: some may be those of which nobody wants the result."""
    others = [processes.submit(sleep, 60) for _ in range(processes.count)]

    assert processes.submit(abs, -1).result(timeout=20) == 1
    assert not any(other.done() for other in others)


def test_no_process_is_there_before_it_is_needed(processes: ProcessExecutor) -> None:
    """A service that only answers has the memory to itself; what was started for a call is kept for the next."""
    assert not processes.idle

    process = processes.submit(os.getpid).result()
    assert processes.submit(os.getpid).result() == process


def test_no_more_processes_are_kept_than_asked_for(processes: ProcessExecutor) -> None:
    """However many calls there were at once."""
    for future in [processes.submit(sleep, 0.3) for _ in range(processes.count + 2)]:
        future.result()

    wait_until(lambda: not processes.busy)
    assert len(processes.idle) == processes.count


def test_what_cannot_be_sent_fails_its_call(processes: ProcessExecutor) -> None:
    """A function that is not importable, or a result that is no plain data; the process goes on."""
    process = processes.submit(os.getpid).result()

    with pytest.raises(Exception, match="pickle"):
        processes.submit(lambda: 1).result(timeout=20)
    with pytest.raises(RuntimeError, match="pickle"):
        processes.submit(open, os.devnull).result(timeout=20)
    assert processes.submit(os.getpid).result() == process


def test_nothing_is_run_after_the_end(processes: ProcessExecutor) -> None:
    """As the standard interface has it."""
    processes.shutdown()

    with pytest.raises(RuntimeError, match="shut down"):
        processes.submit(abs, -1)


def test_a_key_press_ends_no_process(processes: ProcessExecutor) -> None:
    """Ctrl-C is the server's to handle, from the first moment of a process on."""
    assert signal.SIGINT in processes.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()


def test_a_call_that_no_thread_can_wait_for_fails_and_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may have no thread left; once it has, calls go on, and there is an end."""
    executor = ProcessExecutor(1, memory=2**30)
    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refuse)
        with pytest.raises(BrokenProcessPool, match="no thread"):
            executor.submit(abs, -1)

    assert executor.submit(abs, -1).result(timeout=30) == 1
    executor.shutdown()


def refuse(_thread: Thread) -> None:
    """Do as Python does where there is no thread left."""
    message = "no thread"
    raise RuntimeError(message)
