"""Where trainings run: warm processes, niced and bounded, that can be lost one at a time; or threads, for tests."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Condition, Thread
from traceback import format_tb
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from threadpoolctl import threadpool_limits

from app.telemetry import log_json_lines

P = ParamSpec("P")
T = TypeVar("T")

PRELOADED = ["app.jobs.work", "cattrs.preconf.json", "numpy.random"]  # for all processes at once
GRACE_SECONDS = 1.0  # that a training has to end by itself
NICE = 10  # answers come before trainings
BLAS_BEGINS = 256  # rows of a product that is large enough for BLAS to take room of its own


class ProcessExecutor(Executor):
    """Processes behind the standard interface: `count` that are kept, and more where calls overlap others' ends.

    They begin with the calls that need them, the first of which takes about a second: a service that only answers
    programs has the memory and the processor to itself. Each takes one call at a time, which a thread here waits for as
    long as the process lives, so that no call is left without an end: pools that share a queue among calls lose those
    that come while a process dies. One that dies fails its own call (BrokenProcessPool), as one does that cannot be
    started; one whose call is cancelled is killed; one that would take more `memory`, in bytes, than its process may
    have, is told so (MemoryError), if the system can hold it to that; `shutdown` kills whatever still runs.
    """

    def __init__(self, count: int, memory: int) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        self.count, self.memory = count, memory
        self.changed = Condition()
        self.is_shut = False
        self.calls = 0
        self.busy: set[_Worker] = set()
        self.idle: list[_Worker] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of an importable module in a process of its own.

        Raises BrokenProcessPool where there is no thread to wait for it, RuntimeError after `shutdown`.
        """
        with self.changed:
            if self.is_shut:
                message = "The processes have been shut down."
                raise RuntimeError(message)
            self.calls += 1
        future: Future[T] = Future()
        try:
            Thread(target=self._do, args=(future, partial(fn, *args, **kwargs)), daemon=True).start()
        except RuntimeError as error:
            self._give_back(None, is_good=False)
            message = f"no process can be started ({error})"
            raise BrokenProcessPool(message) from error
        return future

    def _do(self, future: Future[T], call: Callable[[], T]) -> None:
        """Wait for a call; whoever wants its end is told once the process may take another."""
        result: T | None = None
        worker: _Worker | None = None
        error: BaseException | None = None
        try:
            worker = self._take()
            future.add_done_callback(worker.kill_if_cancelled)
            result, error = worker.do(call)
        except Exception as problem:  # noqa: BLE001 - whatever keeps a process from starting belongs to who asked for it
            error = problem
        is_wanted = future.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        self._give_back(worker, is_good=is_wanted and not isinstance(error, BrokenProcessPool))
        if is_wanted and error is not None:
            future.set_exception(error)
        elif is_wanted:
            future.set_result(cast("T", result))

    def _take(self) -> "_Worker":
        """Take a process that lives, or start one."""
        lost = []
        with self.changed:
            while self.idle and not self.idle[-1].process.is_alive():
                lost.append(self.idle.pop())
            worker = self.idle.pop() if self.idle else None
        for each in lost:
            each.end()
        if worker is None:
            worker = self._new()
        with self.changed:
            self.busy.add(worker)
            if self.is_shut:
                worker.kill()
        return worker

    def _new(self) -> "_Worker":
        try:
            begin_quietly()
            return _Worker(self.context, self.memory)
        except (OSError, EOFError) as error:
            message = f"no process can be started ({error})"
            raise BrokenProcessPool(message) from error

    def _give_back(self, worker: "_Worker | None", *, is_good: bool) -> None:
        with self.changed:
            if worker is not None:
                self.busy.remove(worker)
                if is_good and len(self.idle) < self.count and not self.is_shut:
                    self.idle.append(worker)
                    worker = None
            self.calls -= 1
            self.changed.notify_all()
        if worker is not None:
            worker.end()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Kill the processes; a training that was not finished has published nothing."""
        with self.changed:
            self.is_shut = True
            for worker in self.busy:
                worker.kill()
            self.changed.wait_for(lambda: not self.calls)
        while self.idle:
            self.idle.pop().end()


def begin_quietly() -> None:
    """Let the process begin that others are made by, none of which hears of Ctrl-C, which is the server's to handle."""
    resource_tracker.ensure_running()  # which would unblock what is blocked now
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()  # from the first moment of a process on
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """A process that does one call after the other."""

    def __init__(self, context: multiprocessing.context.ForkServerContext, memory: int) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, memory), daemon=True)
        self.process.start()
        theirs.close()

    def do(self, call: Callable[[], T]) -> tuple[Any, BaseException | None]:
        """Have a call done; give its result, or what it raised, which is BrokenProcessPool if the process is lost."""
        try:
            self.connection.send(call)
            if self.connection in wait([self.connection, self.process.sentinel]):
                result, error = self.connection.recv()
                return result, error
        except (EOFError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - what cannot be sent belongs to who asked for it
            return None, error
        return None, BrokenProcessPool("the process has died")

    def kill_if_cancelled(self, call: Future[Any]) -> None:
        """Let it die with a call that nobody wants any more."""
        if call.cancelled():
            self.kill()

    def kill(self) -> None:
        """Let it die at once, whatever it does."""
        if self.process.is_alive():
            self.process.kill()

    def end(self) -> None:
        """Let it die, and leave nothing of it."""
        self.kill()
        self.process.join()
        self.connection.close()


def _work(connection: Connection, memory: int) -> None:
    """Do one call after the other, for as long as there is somebody to tell."""
    _settle_in(memory)
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[Any, Exception | None] = call(), None
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked for it
            error.add_note("".join(format_tb(error.__traceback__)))
            answer = None, error
        try:
            connection.send(answer)
        except OSError:
            return
        except Exception as error:  # noqa: BLE001 - of what cannot be sent
            connection.send((None, RuntimeError(repr(error))))


def _settle_in(memory: int) -> None:
    """Prepare a process: last in line for the processor, one BLAS thread, no more memory, gone when the server is."""
    log_json_lines()
    os.nice(NICE)
    threadpool_limits(1)
    square = np.ones((BLAS_BEGINS, BLAS_BEGINS))
    np.matmul(square, square)  # OpenBLAS takes its room now: where it finds none later, it ends the whole process
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory if most == resource.RLIM_INFINITY else min(memory, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What trainings may take, and where."""

    at_once: int
    memory: int
    """Of each, in bytes."""
    threads: int = 1
    gpus: int = 0
    nodes: int = 1
    """Those that one may be shared out among."""
    address: str = "auto"
    """Where the cluster is, if they run on one."""


def _on_a_cluster(means: Means) -> Executor:
    from app.jobs.cluster.bridge import Cluster  # noqa: PLC0415 - an extra
    from app.jobs.cluster.executor import RayExecutor  # noqa: PLC0415 - the same

    return RayExecutor(Cluster(means.address, means.threads, means.memory, means.gpus, means.nodes))


def trouble_with(executor: Executor) -> str | None:
    """Say why no training can begin now wherever they run; None where they can, as far as is known."""
    trouble: str | None = getattr(executor, "trouble", None)
    return trouble


def grace_of(executor: Executor) -> float:
    """Tell for how many seconds trainings are waited for that are asked to put their state down and end."""
    seconds: float = getattr(executor, "grace_seconds", GRACE_SECONDS)
    return seconds


EXECUTORS: dict[str, Callable[[Means], Executor]] = {
    "process": lambda means: ProcessExecutor(means.at_once, means.memory),
    "thread": lambda means: ThreadPoolExecutor(means.at_once, thread_name_prefix="training"),
    "ray": _on_a_cluster,
}
