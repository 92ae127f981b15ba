"""Where trainings run: warm processes, niced and bounded, that can be lost one at a time; or threads, for tests."""

import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Condition, Thread
from traceback import format_exc
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10  # answers come before trainings

log = logging.getLogger(__name__)


class ProcessExecutor(Executor):
    """Processes behind the standard interface: `count` that are kept warm, and more where calls overlap others' ends.

    Each takes one call at a time, which a thread here waits for as long as the process lives, so that no call is left
    without an end: pools that share a queue among calls lose those that come while a process dies. One that dies fails
    its own call (BrokenProcessPool); one whose call is cancelled is killed; one that would take more `memory`, in
    bytes, than its process may have, is told so (MemoryError), if the system can hold it to that; `shutdown` kills
    whatever still runs.
    """

    def __init__(self, count: int, memory: int) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["app.jobs.work"])
        resource_tracker.ensure_running()  # which would unblock what is blocked now
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is the server's to handle,
        forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # from the first moment of a process on
        self.count, self.memory = count, memory
        self.changed = Condition()
        self.is_shut = False
        self.busy: set[_Worker] = set()
        self.idle: list[_Worker] = []
        Thread(target=self._begin, daemon=True).start()  # the first takes a second, for which nobody else has to wait

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of an importable module in a process of its own.

        Raises BrokenProcessPool where none can be started, RuntimeError after `shutdown`.
        """
        with self.changed:
            if self.is_shut:
                message = "The processes have been shut down."
                raise RuntimeError(message)
            worker = self._take()
            self.busy.add(worker)
        future: Future[T] = Future()
        future.add_done_callback(lambda done: worker.kill() if done.cancelled() else None)
        Thread(target=self._do, args=(worker, future, partial(fn, *args, **kwargs)), daemon=True).start()
        return future

    def _begin(self) -> None:
        """Start the processes that wait for the first calls, unless these came before."""
        for _ in range(self.count):
            try:
                worker = self._new()
            except BrokenProcessPool as error:  # whoever needs one tries again
                log.warning("%s", error)
                return
            with self.changed:
                is_wanted = len(self.idle) + len(self.busy) < self.count and not self.is_shut
                if is_wanted:
                    self.idle.append(worker)
            if not is_wanted:
                worker.end()

    def _new(self) -> "_Worker":
        try:
            return _Worker(self.context, self.memory)
        except OSError as error:
            message = f"no process can be started ({error.strerror})"
            raise BrokenProcessPool(message) from error

    def _take(self) -> "_Worker":
        while self.idle:
            worker = self.idle.pop()
            if worker.process.is_alive():
                return worker
            worker.end()  # it was lost while it was idle
        return self._new()

    def _do(self, worker: "_Worker", future: Future[T], call: Callable[[], T]) -> None:
        """Wait for a call; whoever wants its end is told once the process may take another."""
        result, error = worker.do(call)
        is_wanted = future.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        self._give_back(worker, is_good=is_wanted and not isinstance(error, BrokenProcessPool))
        if is_wanted and error is not None:
            future.set_exception(error)
        elif is_wanted:
            future.set_result(result)

    def _give_back(self, worker: "_Worker", *, is_good: bool) -> None:
        with self.changed:
            self.busy.remove(worker)
            is_kept = is_good and len(self.idle) < self.count and not self.is_shut
            if is_kept:
                self.idle.append(worker)
            try:
                while len(self.idle) + len(self.busy) < self.count and not self.is_shut:
                    self.idle.append(self._new())
            except BrokenProcessPool as error:  # whoever needs one tries again
                log.warning("%s", error)
            self.changed.notify_all()
        if not is_kept:
            worker.end()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Kill the processes; a training that was not finished has published nothing."""
        with self.changed:
            self.is_shut = True
            for worker in self.busy:
                worker.kill()
            self.changed.wait_for(lambda: not self.busy)
        while self.idle:
            self.idle.pop().end()


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
            error.add_note(format_exc())
            answer = None, error
        try:
            connection.send(answer)
        except OSError:
            return
        except Exception as error:  # noqa: BLE001 - of what cannot be sent
            connection.send((None, RuntimeError(repr(error))))


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


EXECUTORS: dict[str, Callable[[int, int], Executor]] = {
    "process": ProcessExecutor,
    "thread": lambda count, _memory: ThreadPoolExecutor(count, thread_name_prefix="training"),
}
