"""Where trainings run: warm processes, niced and bounded, that can be lost one at a time; or threads, for tests."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from threading import RLock, Thread
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessPool
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10  # answers come before trainings


class ProcessExecutor(Executor):
    """Processes behind the standard interface: `count` that wait, and for a while more where that are not enough.

    Each process is a pool of its own that takes one call at a time, so that whatever happens to one, busy or idle,
    concerns no other call. A process that dies fails its own (pebble.ProcessExpired or RuntimeError); one that takes
    longer than `seconds` is killed (TimeoutError), and so is one whose call is cancelled; one that would take more
    `memory`, in bytes, than its process may have, is told so (MemoryError), if the system can hold it to that;
    `shutdown` kills whatever still runs.
    """

    def __init__(self, count: int, seconds: float, memory: int) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["app.jobs.work"])
        resource_tracker.ensure_running()  # which would unblock what is blocked now
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is the server's to handle,
        forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # from the first moment of a process on
        self.count, self.seconds, self.memory = count, seconds, memory
        self.lock = RLock()  # a call may end while it is handed over
        self.pools: list[ProcessPool] = []
        self.idle: list[ProcessPool] = []
        self.is_shut = False
        self.ending = ThreadPoolExecutor(1, thread_name_prefix="ending")
        self.idle += [self._new_pool() for _ in range(count)]

    def _new_pool(self) -> ProcessPool:
        pool = ProcessPool(max_workers=1, context=self.context, initializer=_settle_in, initargs=[self.memory])
        pool.submit(os.getpid, None)  # starts the process now rather than at the first training
        self.pools.append(pool)
        return pool

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of an importable module in a process of its own; raise RuntimeError after `shutdown`."""
        with self.lock:
            if self.is_shut:
                message = "The processes have been shut down."
                raise RuntimeError(message)
            while True:
                pool = self.idle.pop() if self.idle else self._new_pool()
                try:
                    future = pool.submit(fn, self.seconds, *args, **kwargs)
                    break
                except RuntimeError:  # it was lost while it was idle
                    self._retire(pool)
        future.add_done_callback(partial(self._ended, pool))
        return future

    def _ended(self, pool: ProcessPool, future: Future[Any]) -> None:
        """Take a process for another call, unless it is to die: pebble would lose a call that it was given by then."""
        with self.lock:
            is_lost = future.cancelled() or isinstance(future.exception(), OSError | RuntimeError)
            if not is_lost and len(self.idle) < self.count:
                self.idle.append(pool)
            elif not self.is_shut:
                self._retire(pool)

    def _retire(self, pool: ProcessPool) -> None:
        self.ending.submit(self._replace, pool).add_done_callback(Future.result)  # an error is logged

    def _replace(self, pool: ProcessPool) -> None:
        """Kill a process, and start another unless there are enough."""
        _kill(pool)
        with self.lock:
            self.pools.remove(pool)
            if len(self.pools) < self.count and not self.is_shut:
                self.idle.append(self._new_pool())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Kill the processes; a training that was not finished has published nothing."""
        with self.lock:
            self.is_shut = True
        self.ending.shutdown()
        _kill(*self.pools)


def _kill(*pools: ProcessPool) -> None:
    for pool in pools:
        pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it untyped
    for pool in pools:
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
