"""How requests leave and time passes: at once, for a client that waits, or while others go on.

A call is written once, as a coroutine over a `Wire`. Over a `WaitingWire` no coroutine ever waits for another, so that
`at_once` runs it to its end as a function.
"""

import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, BinaryIO, Concatenate, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar

import anyio
import httpx
from httpx_sse import EventSource, ServerSentEvent

from app.client.sending import Pairs, Table

OF_A_FILE = 2**18  # bytes that are read at once

P = ParamSpec("P")
T = TypeVar("T")


class Request(NamedTuple):
    """What is asked of a service."""

    method: str
    path: str
    params: Pairs = []  # noqa: RUF012 - of a tuple that nobody writes
    headers: dict[str, str] = {}  # noqa: RUF012 - the same
    body: bytes | Table | None = None
    is_repeatable: bool = True
    """Whether doing it twice is no more than doing it once: who does not know whether it was done may ask again."""
    seconds: float | None = None
    """How long nothing may be heard, where it is longer than usual."""


class WaitingWire:
    """A way to a service that stops whoever uses it until there is an answer."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - what httpx makes a client of
        self.http = httpx.Client(**settings)

    async def send(self, request: Request, *, is_stream: bool) -> httpx.Response:
        """Send a request."""
        content = request.body.from_its_beginning() if isinstance(request.body, Table) else request.body
        return self.http.send(_built(self.http, request, content), stream=is_stream)

    async def read(self, response: httpx.Response) -> None:
        """Read an answer to its end."""
        response.read()

    async def pieces(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        """Read an answer piece by piece."""
        for piece in response.iter_bytes():
            yield piece

    async def events(self, response: httpx.Response) -> AsyncGenerator[ServerSentEvent]:
        """Read an answer event by event."""
        for event in EventSource(response).iter_sse():
            yield event

    async def leave(self, response: httpx.Response) -> None:
        """Read no further."""
        response.close()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop, and nobody else in this thread

    async def close(self) -> None:
        """Let all connections go."""
        self.http.close()


class AsyncWire:
    """A way to a service on which others go on meanwhile, with asyncio or trio."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - what httpx makes a client of
        self.http = httpx.AsyncClient(**settings)

    async def send(self, request: Request, *, is_stream: bool) -> httpx.Response:
        """Send a request."""
        content = _read(request.body.from_its_beginning()) if isinstance(request.body, Table) else request.body
        return await self.http.send(_built(self.http, request, content), stream=is_stream)

    async def read(self, response: httpx.Response) -> None:
        """Read an answer to its end."""
        await response.aread()

    async def pieces(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        """Read an answer piece by piece."""
        async for piece in response.aiter_bytes():
            yield piece

    async def events(self, response: httpx.Response) -> AsyncGenerator[ServerSentEvent]:
        """Read an answer event by event."""
        async for event in EventSource(response).aiter_sse():
            yield event

    async def leave(self, response: httpx.Response) -> None:
        """Read no further."""
        await response.aclose()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await anyio.sleep(seconds)

    async def close(self) -> None:
        """Let all connections go."""
        await self.http.aclose()


Wire: TypeAlias = WaitingWire | AsyncWire
"""A way to a service."""


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await anyio.to_thread.run_sync(file.read, OF_A_FILE):
        yield piece


def _built(
    http: httpx.Client | httpx.AsyncClient, request: Request, content: bytes | BinaryIO | AsyncIterator[bytes] | None
) -> httpx.Request:
    about = _trace()
    if isinstance(request.body, Table):
        about["content-type"] = request.body.media_type
        if isinstance(content, AsyncIterator):
            about["content-length"] = str(request.body.size)
    return http.build_request(
        request.method,
        request.path,
        params=tuple(request.params),
        headers=request.headers | about,
        content=content,
        timeout=httpx.Timeout(request.seconds or http.timeout.read, connect=http.timeout.connect),
    )


def _trace() -> dict[str, str]:
    """Tell the service which trace a request is part of, as whoever uses OpenTelemetry here has it."""
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:  # where nobody has taken it up, there is no trace
        from opentelemetry import propagate  # noqa: PLC0415 - only who uses it has it

        propagate.inject(headers)
    return headers


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a WaitingWire to its end."""
    try:
        call.send(None)
    except StopIteration as done:
        answer: T = done.value
        return answer
    message = "a call waited for something else than its wire"
    raise RuntimeError(message)


class Waits(Protocol):
    """A client that waits: `calls` is one that need not, over a WaitingWire."""

    calls: Any


def waiting(call: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Waits, P], T]:
    """Make a call one that waits for its answer."""

    @wraps(call)
    def wait(client: Waits, /, *args: P.args, **named: P.kwargs) -> T:
        return at_once(call(client.calls, *args, **named))

    return wait


def one_by_one(call: Callable[Concatenate[Any, P], AsyncGenerator[T]]) -> Callable[Concatenate[Waits, P], Iterator[T]]:
    """Make a call one that waits for each of its answers."""

    @wraps(call)
    def wait(client: Waits, /, *args: P.args, **named: P.kwargs) -> Iterator[T]:
        told = call(client.calls, *args, **named)
        try:
            while True:
                yield at_once(anext(told))
        except StopAsyncIteration:
            return
        finally:
            at_once(told.aclose())

    return wait
