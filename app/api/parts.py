"""The parts that routes are handed, and how a request gets at them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from app.access.keyring import Caller, Keyring
from app.api.connections.load import Load
from app.api.connections.origins import NO_ORIGINS, Origins
from app.api.found import Found
from app.api.patience import Patience
from app.api.streams import Streams
from app.engine.arrays import Cells
from app.engine.control import GoOn
from app.errors import ForeignSite, ShuttingDown
from app.insight.drift import Drift
from app.jobs.budget import Cost
from app.jobs.jobs import Jobs
from app.models.model import Model
from app.serving.loaded import LoadedModels
from app.serving.statistics import Statistics
from app.serving.together import Together
from app.store.catalogue import Catalogue, Unit
from app.store.datasets import DatasetStore
from app.store.store import ModelStore, Stored
from app.tables.bounds import Bounds
from app.telemetry.account import Account

P = ParamSpec("P")
T = TypeVar("T")

FELT = 64 * 2**10
WORK_OF_A_TABLE = 64  # bytes of JSON to answer that take as long as one of a table whose columns are to be understood
PRODUCTS_PER_BYTE = 16  # multiplications that take as long as reading a byte of JSON
READING = {"GET", "HEAD", "OPTIONS"}


def work_of(size: int, rows: int, model: Model) -> int:
    """Tell what it takes to answer so many rows in so many bytes of JSON, in bytes of JSON."""
    return size + rows * model.parameters.size // PRODUCTS_PER_BYTE


@dataclass(frozen=True)
class Limits:
    """What one request may ask for."""

    train_bytes: int
    snapshot_bytes: int
    predict_bytes: int
    bulk_bytes: int
    """Of a table that is answered some rows at a time; also the most cells that it may have."""
    upload_bytes: int
    answers: int
    """Numbers in the answer to a prediction."""
    training: Cost
    training_seconds: float
    groups: int
    """Models that one request may make."""
    bounds: Bounds
    """Of a table that is taken at once; of others, too, but for the cells."""


@dataclass(frozen=True)
class Parts:
    """Everything a route may need."""

    store: ModelStore
    datasets: DatasetStore
    loaded: LoadedModels
    keyring: Keyring
    together: Together
    jobs: Jobs
    limits: Limits
    account: Account
    load: Load
    streams: Streams
    found: Found
    origins: Origins = NO_ORIGINS
    statistics: Statistics = field(default_factory=Statistics)
    tables: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    answers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    explanations: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    pictures: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """The library that draws them does so one at a time."""
    bulk: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    waiting: "set[asyncio.Task[Any] | None]" = field(default_factory=set)
    """For what clients have yet to send."""
    stopped: Event = field(default_factory=Event)
    """Set when the service waits no longer for what clients send, nor for long work."""

    def require_serving(self) -> None:
        """Raise ShuttingDown where the service is about to end, and others are to be asked instead."""
        if self.jobs.draining:
            raise ShuttingDown

    def stop(self) -> None:
        """Leave trainings to whoever comes next, and give up what has not arrived; those who wait are told at once."""
        self.stopped.set()
        self.jobs.stop()
        for task in self.waiting:
            if task is not None:
                task.cancel()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Raise ShuttingDown when the service stops while something of a client is waited for, or has stopped."""
        self.go_on()
        task = asyncio.current_task()
        self.waiting.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task is None or not self.stopped.is_set() or task.uncancel():
                raise
            raise ShuttingDown from None
        finally:
            self.waiting.discard(task)

    async def write(self, do: Callable[[Unit], T], about: Collection[str]) -> T:
        """Do something in a transaction of the catalogue, as `Catalogue.write` does."""
        return await asyncio.wrap_future(self.store.catalogue.write(do, about))

    async def read(self, work: Callable[Concatenate[Catalogue, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read the catalogue."""
        return await asyncio.to_thread(work, self.store.catalogue, *args, **kwargs)

    def count(self, stored: Stored, X: Cells) -> None:
        """Count rows that a version has answered, in whatever thread."""
        outside = len(X) - int(stored.model.encoder.in_range(X).sum())
        moved = Drift(stored.model).measure(X)
        self.together.loop.call_soon_threadsafe(self.loaded.uses.merge, stored, outside, moved)

    async def read_table(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read a table to learn from, of so many bytes; large ones one after the other, to bound their memory."""
        return await _off_the_loop(self.tables, size, work, *args, **kwargs)

    async def convert(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a dataset of what was uploaded; a table to learn from does not wait for it."""
        return await _off_the_loop(self.uploads, FELT, work, *args, **kwargs)

    def go_on(self) -> None:
        """Raise ShuttingDown where long work in a thread, which nobody can end from outside, is to end."""
        if self.stopped.is_set():
            raise ShuttingDown

    async def answer(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what an answer takes; the size is in bytes of JSON, or as much work. Large ones wait for no table."""
        return await _off_the_loop(self.answers, size, work, *args, **kwargs)

    async def answer_patiently(
        self, patience: Patience, size: int, work: Callable[Concatenate[GoOn, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do the same as long as somebody waits for it; the work asks for that between its pieces.

        Raises DeadlineExceeded, or ClientDisconnect.
        """
        return await self._patiently(self.answers, patience, size, work, *args, **kwargs)

    async def explain_patiently(
        self, patience: Patience, work: Callable[Concatenate[GoOn, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what an explanation takes, which is always much; answers do not wait for it."""
        return await self._patiently(self.explanations, patience, FELT, work, *args, **kwargs)

    async def export_patiently(
        self, patience: Patience, work: Callable[Concatenate[GoOn, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what an export or an import takes, which is much too; one after the other."""
        return await self._patiently(self.exports, patience, FELT, work, *args, **kwargs)

    async def draw_patiently(
        self, patience: Patience, work: Callable[Concatenate[GoOn, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what a picture takes; nothing but other pictures waits for it."""
        return await self._patiently(self.pictures, patience, FELT, work, *args, **kwargs)

    async def _patiently(
        self,
        places: asyncio.Semaphore,
        patience: Patience,
        size: int,
        work: Callable[Concatenate[GoOn, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do work as long as somebody waits for it, and the service does not stop."""

        def go_on() -> None:
            self.go_on()
            patience.go_on()

        patience.go_on()
        if size < FELT:
            return work(go_on, *args, **kwargs)
        watching = asyncio.create_task(patience.watch())
        try:
            async with patience.place_in(places):
                return await asyncio.to_thread(work, go_on, *args, **kwargs)
        finally:
            watching.cancel()

    async def steps(self, work: Generator[T]) -> AsyncGenerator[T]:
        """Do work of any length a step at a time, in threads; it waits for others of its kind, no other for it.

        However it ends, the work is closed, and with it the files that it reads.
        """
        with closing(work):
            while True:
                async with self.bulk:
                    step = await run_in_threadpool(next, work, None)
                if step is None:
                    return
                yield step


async def _off_the_loop(
    places: asyncio.Semaphore, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Do work in a thread if it is so much that others would feel it on the event loop."""
    if size < FELT:
        return work(*args, **kwargs)
    async with places:
        return await asyncio.to_thread(work, *args, **kwargs)


# What requests depend on is asynchronous, though it waits for nothing: FastAPI would call it in a thread otherwise.


async def parts_of(request: Request) -> Parts:
    """Give the parts that the application was made with."""
    return cast("Parts", request.app.state.parts)


async def require_own_site(request: Request) -> None:
    """Raise ForeignSite for a change that a browser asks for on behalf of a page from elsewhere.

    Bodies are read whatever their Content-Type, so that a browser asks nobody before it sends one; only these two
    headers, which a page cannot forge, tell where it comes from. Clients that are no browsers send neither.
    """
    parts: Parts = request.app.state.parts
    if request.method in READING or parts.origins.allow(request.headers.get("origin")):
        return
    site, host = request.headers.get("sec-fetch-site", "none"), request.headers.get("host")
    own = {None, f"http://{host}", f"https://{host}"}
    if site not in {"none", "same-origin"} or request.headers.get("origin") not in own:
        raise ForeignSite


async def caller_of(request: Request) -> Caller:
    """Give whoever sent a request."""
    return cast("Caller", request.state.caller)


CallerOf = Annotated[Caller, Depends(caller_of)]
PartsOf = Annotated[Parts, Depends(parts_of)]
