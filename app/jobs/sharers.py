"""Sharers: how a training process reaches the machines that share in its large batches."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from itertools import count
from multiprocessing.connection import Client
from threading import Lock, Thread
from typing import Any, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Share(NamedTuple):
    """How a call ended elsewhere."""

    number: int
    result: object
    is_done: bool


class Sharers(Executor):
    """An executor whose calls are done elsewhere, at the other end of a socket of this machine.

    What is not done there, since a machine is lost, is done here: it comes to the same.
    """

    def __init__(self, address: str) -> None:
        self.connection = Client(address, "AF_UNIX")
        self.numbers, self.sending, self.lock = count(), Lock(), Lock()
        self.calls: dict[int, tuple[Callable[[], Any], Future[Any]]] = {}
        self.is_lost = False
        self.hearing = Thread(target=self._hear, name="sharers", daemon=True)
        self.hearing.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function of an importable module called."""
        future: Future[T] = Future()
        number, call = next(self.numbers), partial(fn, *args, **kwargs)
        with self.lock:
            self.calls[number] = call, future
        try:
            with self.sending:
                self.connection.send((number, call))
        except OSError:
            self._do_here(number)
        if self.is_lost:  # by whoever hears: it may have been just before this call was known
            self._do_here(number)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the standard signature
        """Let go of them."""
        self.is_lost = True
        with suppress(OSError):
            self.connection.close()

    def _hear(self) -> None:
        try:
            while True:
                number, result, is_done = self.connection.recv()
                if not is_done:
                    self._do_here(number)
                elif (known := self._taken(number)) is not None:
                    known[1].set_result(result)
        except Exception:  # noqa: BLE001 - whatever it is, as want of memory, who waits for an answer gets none there
            self.is_lost = True
            for number in [*self.calls]:
                self._do_here(number)

    def _taken(self, number: int) -> "tuple[Callable[[], Any], Future[Any]] | None":
        with self.lock:
            return self.calls.pop(number, None)

    def _do_here(self, number: int) -> None:
        """Do a call here, beside whatever else is done."""
        if (known := self._taken(number)) is not None:
            Thread(target=_done, args=known, daemon=True).start()


def _done(call: Callable[[], Any], future: "Future[Any]") -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked for it
        future.set_exception(error)
