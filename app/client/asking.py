"""Asking a service until it answers for good: when a client tries again, how long it waits, when it gives up."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from json import loads
from typing import Any, TypedDict, TypeVar
from uuid import uuid4

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay, wait_exponential, wait_random

from app.client.errors import Conflict, NotFound, NotUsable, Problem, TimedOut, Unreachable, problem_of
from app.client.rows import as_json
from app.client.wires import Request, Wire

DEFAULT_URL = "http://127.0.0.1:8000"
SECONDS_TO_BE_FOUND = 5
SECONDS_TO_CONNECT = 5
PASSING = {408, 429, 502, 503, 504}
OVERLOADED = "overloaded"
"""The kind of the one 503 of a service that has certainly not begun: others may tell of what fails at the end."""
SAFE = {"GET", "HEAD", "PUT", "DELETE"}
FOR_GOOD = {501, 505, 507}
MOST_FAULTS = 3  # times that a service may fail at the same thing
OWN_DEADLINE = "deadline"
"""The kind of a 504 that the service itself answers, as it was asked to."""
NOT_BEGUN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
BACKOFF = wait_exponential(multiplier=0.2, max=5) + wait_random(0, 0.2)

T = TypeVar("T")


class How(TypedDict, total=False):
    """How a client asks."""

    api_key: str | None
    """Sent as `Authorization: Bearer …`; NETLET_KEY where it is not given."""
    timeout: float
    """Seconds without a word from the service after which an answer is given up: 60."""
    patience: float
    """Seconds that a service which has answered before may be busy or away: 60. One that never did is given 5."""
    say: Callable[[str], object]
    """Told, once for each request, when the service has to be asked again."""


class Asking:
    """Base of clients: a way to a service, and how it is asked."""

    def __init__(self, wire_of: type[Wire], url: str | None, how: How) -> None:
        self.url = _checked(os.environ.get("NETLET_URL") or DEFAULT_URL if url is None else url)
        key = os.environ.get("NETLET_KEY") if how.get("api_key") is None else how.get("api_key")
        timeout = httpx.Timeout(how.get("timeout", 60), connect=SECONDS_TO_CONNECT)
        self._wire = wire_of(base_url=self.url, timeout=timeout, headers=headers_of(key))
        self._patience = how.get("patience", 60)
        self._say = how.get("say", _nobody)
        self._has_answered = False

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: object = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Ask for anything else that the service has, such as `GET` `/models/exam/importance`, and give its JSON.

        What is not `GET`, `PUT` or `DELETE` is asked again only where it has certainly not been done.
        """
        body, repeatable = None if json is None else as_json(json), method.upper() in SAFE
        response = await self._ask(
            Request(method, path, [*(params or {}).items()], body=body, is_repeatable=repeatable)
        )
        return self._json(response) if response.content else None

    async def _told(self, request: Request) -> dict[str, Any]:
        """Ask, and give the JSON object that is answered."""
        answer = self._json(await self._ask(request))
        if not isinstance(answer, dict):
            raise self._other(TypeError("no object"))
        return answer

    async def _ask(self, request: Request) -> httpx.Response:
        """Ask, and give the answer, read to its end."""

        async def once() -> httpx.Response:
            response = await self._sent(request)
            await self._wire.read(response)
            return response

        return await self._until_answered(request, once)

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncGenerator[httpx.Response]:
        """Ask until there is an answer, and give it, to be read while it comes."""

        async def once() -> httpx.Response:
            return await self._sent(request)

        response = await self._until_answered(request, once)
        try:
            yield response
        finally:
            await self._wire.leave(response)

    @asynccontextmanager
    async def _reading(self, request: Request) -> AsyncGenerator[httpx.Response]:
        """Ask once, and give the answer, to be read while it comes."""
        response = await self._sent(request)
        try:
            yield response
        finally:
            await self._wire.leave(response)

    async def _gone(self, path: str) -> None:
        """Delete; what is not there because it was deleted when no answer came has been deleted."""
        lost = False
        request = Request("DELETE", path)

        async def once() -> None:
            nonlocal lost
            try:
                await self._wire.leave(await self._sent(request))
            except httpx.TransportError as error:
                lost = lost or not isinstance(error, NOT_BEGUN)
                raise
            except NotFound:
                if not lost:
                    raise

        await self._until_answered(request, once)

    async def _sent(self, request: Request) -> httpx.Response:
        response = await self._wire.send(request, is_stream=True)
        self._has_answered = True
        if not response.is_success:
            try:
                await self._wire.read(response)
            finally:
                await self._wire.leave(response)
            raise problem_of(response)
        return response

    async def _until_answered(self, request: Request, once: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer for good; raises Problem, or Unreachable where that takes too long."""
        retrying = AsyncRetrying(
            sleep=self._wire.sleep,
            retry=retry_if_exception(lambda error: _may_pass(error, request)),
            wait=_pause,
            stop=self._is_enough,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer: T = await retrying(once)
        except httpx.TimeoutException as error:
            message = f"{self.url} does not answer in time ({type(error).__name__}). A longer timeout may do."
            raise TimedOut(message) from error
        except httpx.TransportError as error:
            message = f"Nobody answers at {self.url} ({error}). NETLET_URL or --url name another address."
            raise Unreachable(message) from error
        except (UnicodeEncodeError, httpx.InvalidURL) as error:
            message = f"What is asked for cannot stand in an address ({error})."
            raise NotUsable(message) from error
        return answer

    def _is_enough(self, state: RetryCallState) -> bool:
        """Tell when to give up: a service that has not even taken a connection is probably not there at all."""
        error = _error_of(state)
        is_fault = isinstance(error, Problem) and not _is_passing(error)
        is_there = self._has_answered or not isinstance(error, NOT_BEGUN)
        seconds = self._patience if is_there else min(self._patience, SECONDS_TO_BE_FOUND)
        return stop_before_delay(seconds)(state) or (is_fault and state.attempt_number >= MOST_FAULTS)

    def _tell(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:
            self._say(f"{self.url} does not answer as it should ({_error_of(state)}); trying again.")

    def _json(self, response: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        try:
            return loads(response.content)
        except ValueError as error:
            raise self._other(error) from error

    def _other(self, error: Exception) -> Unreachable:
        return Unreachable(f"What answers at {self.url} is no netlet ({error}).")


def key_of_a_request() -> dict[str, str]:
    """Name a request that makes something, so that it makes one however often it is sent."""
    return {"idempotency-key": uuid4().hex}


def _checked(url: str) -> str:
    """Complete an address; raise NotUsable for what is none."""
    whole = url if "://" in url else f"http://{url}"
    try:
        read = httpx.URL(whole)
    except httpx.InvalidURL:
        read = httpx.URL()
    if read.scheme not in {"http", "https"} or not read.host:
        message = f"{url} is no address of a service, which is one such as {DEFAULT_URL}"
        raise NotUsable(message)
    return whole.rstrip("/")


def headers_of(key: str | None) -> dict[str, str]:
    """Say who asks; raise NotUsable for what cannot be a key."""
    if not key:
        return {}
    if not key.isascii() or not key.isprintable() or " " in key:
        message = "That is no key: one has neither spaces nor letters beyond ASCII."
        raise NotUsable(message)
    return {"authorization": f"Bearer {key}"}


def _may_pass(error: BaseException, request: Request) -> bool:
    """Tell whether the same request may be answered another time, and does no harm if it was done this time."""
    if isinstance(error, httpx.TransportError):
        return request.is_repeatable or isinstance(error, NOT_BEGUN)
    if not isinstance(error, Problem) or error.status in FOR_GOOD or error.kind == OWN_DEADLINE:
        return False
    if not request.is_repeatable:
        return error.status == HTTPStatus.TOO_MANY_REQUESTS or error.kind == OVERLOADED
    return _is_passing(error) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _is_passing(problem: Problem) -> bool:
    """Tell whether waiting helps: the service is busy or away, or still at the same request."""
    return problem.status in PASSING or (isinstance(problem, Conflict) and problem.retry_after is not None)


def _pause(state: RetryCallState) -> float:
    """Give the seconds to wait: those that the service asks for, else more each time."""
    asked = getattr(_error_of(state), "retry_after", None)
    return BACKOFF(state) if asked is None else float(asked)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _nobody(_told: str) -> None:
    pass
