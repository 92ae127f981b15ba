"""Where trainings run: warm processes, niced and bounded, that can be lost one at a time; or threads, for tests."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

from pebble import ProcessPool
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10  # answers come before trainings


class ProcessExecutor(Executor):
    """Processes behind the standard interface.

    Each process is a pool of its own, so that whatever happens to one, busy or idle, concerns no other. A process that
    dies fails its own call (pebble.ProcessExpired or RuntimeError) and is replaced; one that takes longer than
    `seconds` is killed (TimeoutError); one that would take more `memory`, in bytes, than its process may have, is told
    so (MemoryError), if the system can hold it to that; `shutdown` kills whatever still runs.
    """

    def __init__(self, count: int, seconds: float, memory: int) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["app.jobs.work"])
        resource_tracker.ensure_running()  # which would unblock what is blocked now
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is the server's to handle,
        forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # from the first moment of a process on
        self.seconds, self.memory = seconds, memory
        self.pools = [self._new_pool() for _ in range(count)]
        self.running = [0] * count
        self.lock = Lock()

    def _new_pool(self) -> ProcessPool:
        pool = ProcessPool(max_workers=1, context=self.context, initializer=_settle_in, initargs=[self.memory])
        pool.submit(os.getpid, None)  # starts the process now rather than at the first training
        return pool

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of an importable module in the least busy of the processes."""
        with self.lock:
            index = self.running.index(min(self.running))
            if not self.pools[index].active:
                self.pools[index] = self._new_pool()
            self.running[index] += 1
            future = self.pools[index].submit(fn, self.seconds, *args, **kwargs)
        future.add_done_callback(lambda _future: self._ended(index))
        return future

    def _ended(self, index: int) -> None:
        with self.lock:
            self.running[index] -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Kill the processes; a training that was not finished has published nothing."""
        for pool in self.pools:
            pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it untyped
        for pool in self.pools:
            pool.join()


def _settle_in(memory: int) -> None:
    """Prepare a process: last in line for the processor, one BLAS thread, no more memory, gone when the server is."""
    os.nice(NICE)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory if most == resource.RLIM_INFINITY else min(memory, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    threadpool_limits(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


EXECUTORS: dict[str, Callable[[int, float, int], Executor]] = {
    "process": ProcessExecutor,
    "thread": lambda count, _seconds, _memory: ThreadPoolExecutor(count, thread_name_prefix="training"),
}
