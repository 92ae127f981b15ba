"""Where trainings run: processes that are warm, niced and can be lost one at a time; or threads, for tests."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing.connection import wait
from threading import Thread
from typing import ParamSpec, TypeVar

from pebble import ProcessPool
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10  # answers come before trainings


class ProcessExecutor(Executor):
    """Processes behind the standard interface.

    A process that dies fails its own call only (pebble.ProcessExpired); one that takes longer than `seconds` is
    killed (TimeoutError); `shutdown` kills whatever still runs.
    """

    def __init__(self, count: int, seconds: float) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["app.jobs.work"])
        self.pool = ProcessPool(max_workers=count, context=context, initializer=_settle_in)
        self.seconds = seconds
        for _ in range(count):
            self.pool.submit(os.getpid, None)  # starts a process now rather than at the first training

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of an importable module in one of the processes."""
        return self.pool.submit(fn, self.seconds, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Kill the processes; a training that was not finished has published nothing."""
        self.pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it untyped
        self.pool.join()


def _settle_in() -> None:
    """Prepare a process: last in line for the processor, one BLAS thread, and gone when the server is."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    threadpool_limits(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


EXECUTORS: dict[str, Callable[[int, float], Executor]] = {
    "process": ProcessExecutor,
    "thread": lambda count, _seconds: ThreadPoolExecutor(count, thread_name_prefix="training"),
}
