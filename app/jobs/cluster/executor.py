"""The executor of a Ray cluster: calls wait until it is there and has room, and are lost where it loses them."""

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Condition, Thread
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from app.jobs.cluster.bridge import Cluster, Told, work
from app.jobs.cluster.trips import Call, call_of
from app.jobs.executors import GRACE_SECONDS, PRELOADED, begin_quietly

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 30.0
FAR_SECONDS = 5.0  # that trainings have to end by themselves
HINT = (
    "Is its head up, this machine one of its nodes (`ray start --address=…`), and with RAY_AUTH_MODE=token, is the "
    "cluster's token in RAY_AUTH_TOKEN, or in the file that RAY_AUTH_TOKEN_PATH names?"
)
RETRY_SECONDS = 1.0  # between attempts to reach the cluster
MOST_SENDINGS = 5  # of a call that never begins: it may be what breaks the bridge

log = logging.getLogger(__name__)


@dataclass
class _Asked:
    """A call, and how far it is."""

    call: Call
    future: Future[Any]
    sendings: int = 0
    has_begun: bool = False

    def tell(self, waits: str | None) -> None:
        """Say what it waits for, to whoever looks at its job."""
        if self.call.note is not None:
            self.call.note.wait_for(waits)


class RayExecutor(Executor):
    """A Ray cluster behind the standard interface, at the other end of a bridge that begins anew where it breaks.

    What has not begun is sent again then, what has begun fails (BrokenProcessPool), as a call does whose node or worker
    is lost; one that is cancelled is killed wherever it is; `shutdown` kills whatever still runs.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        self.changed = Condition()
        self.numbers = count()
        self.calls: dict[int, _Asked] = {}
        self.is_open = self.has_failed = self.is_shut = False
        self.trouble: str | None = "it has not been reached yet."
        """Why trainings wait; None where nothing keeps them but that others have what they need."""
        self.connection: Connection | None = None
        self.outbox: SimpleQueue[tuple[int, Call | None] | None] = SimpleQueue()
        self.process: multiprocessing.process.BaseProcess | None = None
        self.tending = Thread(target=self._tend, name="cluster", daemon=True)
        self.tending.start()

    @property
    def grace_seconds(self) -> float:
        """For how long trainings are waited for that are to put their state down: from afar, if there are any."""
        return FAR_SECONDS if any(asked.has_begun for asked in [*self.calls.values()]) else GRACE_SECONDS

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function of an importable module called by a node; raise RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self.changed:
            if self.is_shut:
                message = "The way to the cluster has been shut down."
                raise RuntimeError(message)
            number = next(self.numbers)
            asked = self.calls[number] = _Asked(call_of(fn, args, kwargs), future)
            asked.tell(self._waits())
            if self.is_open:
                self._send(number, asked)
        future.add_done_callback(lambda done: self._cancel(number) if done.cancelled() else None)
        return future

    def first_trouble(self) -> str | None:
        """Wait until the cluster is reached, and give None; or for what kept it from that at the first attempt."""
        with self.changed:
            self.changed.wait_for(lambda: self.is_open or self.has_failed)
            return self.trouble

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """End the bridge, with which Ray ends whatever it has begun."""
        with self.changed:
            self.is_shut = True
            self.changed.notify_all()
            self._kill()
        self.tending.join()
        for asked in self._taken(lambda _: True):
            _end(asked, None, BrokenProcessPool("the way to the cluster has been shut down"))

    def _waits(self) -> str:
        if self.trouble is not None:
            return f"The Ray cluster at {self.cluster.address} cannot be used: {self.trouble} It is tried again."
        return f"It waits until the Ray cluster has room: {self.cluster}."

    def _tend(self) -> None:
        """Keep a bridge, for as long as it is needed."""
        while not self.is_shut:
            try:
                self._open()
                self._follow()
            except (OSError, EOFError):
                self._trouble("it was lost." if self.is_open else f"nothing answers there. {HINT}")
            self._lose()
            with self.changed:
                self.changed.wait_for(lambda: self.is_shut, RETRY_SECONDS)

    def _open(self) -> None:
        begin_quietly()
        environment = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=work, args=(theirs, self.cluster, environment), daemon=True)
        with self.changed:
            if self.is_shut:
                return
            process.start()
            self.connection, self.process = ours, process
        theirs.close()

    def _follow(self) -> None:
        """Hear what the bridge says, to its end."""
        connection, deadline = self.connection, monotonic() + CONNECT_SECONDS
        while connection is not None:
            if not (self.is_open or connection.poll(max(0.0, deadline - monotonic()))):
                self._trouble(f"it has not answered in {CONNECT_SECONDS:.0f} seconds. {HINT}")
                return
            told: Told = connection.recv()
            match told.what:
                case "open":
                    self._begin()
                case "trouble" if not self.is_open:
                    self._trouble(f"{told.result}. {HINT}")
                    return
                case "trouble":
                    self._trouble(None if told.result is None else str(told.result))
                case "begun":
                    self._note_begun(told.number)
                case _:
                    self._note_over(told)

    def _begin(self) -> None:
        """Send all that waits."""
        log.info("the Ray cluster at %s is there", self.cluster.address)
        with self.changed:
            self.is_open, self.trouble, self.outbox = True, None, SimpleQueue()
            Thread(target=_deliver, args=(self.outbox, self.connection), daemon=True).start()
            for number, asked in self.calls.items():
                asked.tell(self._waits())
                self._send(number, asked)
            self.changed.notify_all()

    def _trouble(self, trouble: str | None) -> None:
        """Let those who wait know what for."""
        with self.changed:
            if trouble is not None and trouble != self.trouble and not self.is_shut:
                log.warning("trainings wait for the Ray cluster at %s: %s", self.cluster.address, trouble)
            self.trouble = trouble
            for asked in self.calls.values():
                if not asked.has_begun:
                    asked.tell(self._waits())

    def _note_begun(self, number: int) -> None:
        with self.changed:
            if (asked := self.calls.get(number)) is not None:
                asked.has_begun = True
                asked.tell(None)

    def _note_over(self, told: Told) -> None:
        for asked in self._taken(lambda number: number == told.number):
            _end(asked, told.result, told.error)

    def _lose(self) -> None:
        """End a bridge; what it had begun is lost."""
        with self.changed:
            self.is_open, self.has_failed = False, True
            self.changed.notify_all()
            self._kill()
            self.outbox.put(None)
            if self.connection is not None:
                self.connection.close()
            self.connection = None
        for asked in self._taken(lambda number: self._is_lost(self.calls[number])):
            _end(asked, None, BrokenProcessPool("the cluster was lost"))

    def _is_lost(self, asked: _Asked) -> bool:
        return asked.has_begun or asked.sendings >= MOST_SENDINGS

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None

    def _send(self, number: int, asked: _Asked) -> None:
        asked.sendings += 1
        self.outbox.put((number, asked.call))

    def _cancel(self, number: int) -> None:
        """Let nobody work for a call that nobody wants."""
        with self.changed:
            self.calls.pop(number, None)
            if self.is_open:
                self.outbox.put((number, None))

    def _taken(self, chosen: Callable[[int], bool]) -> list[_Asked]:
        """Take calls out of those that are under way."""
        with self.changed:
            return [self.calls.pop(number) for number in [*self.calls] if chosen(number)]


def _deliver(outbox: "SimpleQueue[tuple[int, Call | None] | None]", connection: Connection) -> None:
    """Hand over what is to be sent: it may be much, and nobody else waits for it."""
    try:
        while (each := outbox.get()) is not None:
            connection.send(each)
    except OSError as error:  # what was on its way is sent again to the next, where it still can be
        log.debug("the bridge has ended (%s)", error)


def _end(asked: _Asked, result: object, error: BaseException | None) -> None:
    """Tell whoever wants to know how a call ended, if anybody still does."""
    if not asked.future.set_running_or_notify_cancel():
        return
    if error is not None:
        asked.future.set_exception(error)
    else:
        asked.future.set_result(result)
