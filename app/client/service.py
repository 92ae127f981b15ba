"""A service as its client sees it: send a table, follow the training, read the model.

ServiceError
├── Unreachable   nobody answers, or somebody else
└── Problem       it answers that it cannot
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from time import sleep
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
from httpx_sse import EventSource, SSEError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_exponential, wait_random

from app.client.sending import NotUsable, Pairs, Said, Table

LARGEST_AT_ONCE = 64 * 2**20  # bytes; services take no longer ones in a training's request, unless set otherwise
SECONDS_TO_BE_FOUND = 5
SECONDS_TO_COME_BACK = 60
SECONDS_TO_CONNECT = 5
SECONDS_TO_READ_A_TABLE = 600
SECONDS_BETWEEN_STREAMS = 0.2
SILENCE = 60  # seconds; a stream of events says something every 15
ENDS = {"succeeded", "failed", "cancelled"}
PASSING = {408, 429, 502, 503, 504}
BACKOFF = wait_exponential(multiplier=0.2, max=5) + wait_random(0, 0.2)


class ServiceError(Exception):
    """Base of what goes wrong with a service."""


class Unreachable(ServiceError):
    """Nobody answers at the address, or nobody who speaks as a service does."""


class Problem(ServiceError):
    """The service answers that it cannot do what was asked for, and why (RFC 9457)."""

    def __init__(self, status: int, told: dict[str, Any], retry_after: float | None) -> None:
        super().__init__(told["detail"])
        self.status, self.told, self.retry_after = status, told, retry_after

    @classmethod
    def of(cls, response: httpx.Response) -> "Problem":
        """Read an answer, whoever sent it."""
        with closing(response):
            response.read()
        told = {"detail": f"{response.status_code} {response.reason_phrase}"}
        with suppress(ValueError, TypeError):
            told |= response.json()
        after = response.headers.get("retry-after", "")
        return cls(response.status_code, told, float(after) if after.isdecimal() else None)


class Event(NamedTuple):
    """One thing told of a job: its new state with the job, or `progress` with where it stands."""

    name: str
    data: dict[str, Any]


class Service:
    """A service at an address; `say` is told of what takes longer than it should. A context manager."""

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        self.url = _checked(url)
        self.say = say
        self.has_answered = False
        timeout = httpx.Timeout(SECONDS_TO_READ_A_TABLE, connect=SECONDS_TO_CONNECT)
        self.http = httpx.Client(base_url=self.url, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    def train(self, table: Table, said: Said, how: Pairs) -> dict[str, Any]:
        """Begin to train on a table and give the job, or the model where that is there already.

        A table that is too large for one request is made a dataset first. Raises Problem, Unreachable.
        """
        how = [*how, ("wait", "0")]
        headers = {"idempotency-key": uuid4().hex}
        if table.size <= LARGEST_AT_ONCE:
            try:
                return self._post("/train", said.beside_a_table() + how, headers, table)
            except Problem as problem:
                if problem.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    raise
        dataset = self._post("/datasets", said.beside_an_upload(), {}, table)["dataset"]
        self.say(f"The table is kept as dataset {dataset}, since it is too large for one request.")
        return self._post("/train", said.beside_a_dataset(dataset) + how, headers)

    def follow(self, job: str) -> Iterator[Event]:
        """Tell what happens to a job until it is over, whatever happens to the connection meanwhile.

        Raises Problem, Unreachable.
        """
        seen = ""
        while True:
            with closing(self._events(job, seen)) as response:
                try:
                    for event in EventSource(response).iter_sse():
                        seen = event.id
                        yield Event(event.event, json.loads(event.data))
                        if event.event in ENDS:
                            return
                except SSEError as error:
                    raise self._other(error) from error
                except httpx.TransportError:
                    pass  # whoever sent it is gone, or will be back
            sleep(SECONDS_BETWEEN_STREAMS)

    def model(self, name: str, version: int) -> dict[str, Any]:
        """Read a version of a model; raise Problem, Unreachable."""
        return self._get(f"/models/{name}/versions/{version}")

    def _post(self, path: str, params: Pairs, headers: dict[str, str], table: Table | None = None) -> dict[str, Any]:
        if table is not None:
            headers = headers | {"content-type": table.media_type}

        def build() -> httpx.Request:
            content = None if table is None else table.from_its_beginning()
            return self.http.build_request("POST", path, params=tuple(params), headers=headers, content=content)

        return self._json(self._send(build))

    def _get(self, path: str) -> dict[str, Any]:
        return self._json(self._send(lambda: self.http.build_request("GET", path)))

    def _events(self, job: str, seen: str) -> httpx.Response:
        path = f"/jobs/{quote(job, safe='')}/events"
        headers = {"accept": "text/event-stream", "last-event-id": seen}
        return self._send(
            lambda: self.http.build_request("GET", path, headers=headers, timeout=SILENCE), is_stream=True
        )

    def _send(self, build: Callable[[], httpx.Request], *, is_stream: bool = False) -> httpx.Response:
        """Send a request until it is answered for good; raise Problem, or Unreachable where that takes too long."""

        def once() -> httpx.Response:
            response = self.http.send(build(), stream=is_stream)
            self.has_answered = True
            if response.is_error:
                raise Problem.of(response)
            return response

        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=_pause,
            stop=self._is_enough,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(once)
        except httpx.TransportError as error:
            message = f"Nobody answers at {self.url} ({error}). NETLET_URL or --url name another address."
            raise Unreachable(message) from error

    def _is_enough(self, state: RetryCallState) -> bool:
        """Tell when a service was away for too long: one that has never answered is probably not there at all."""
        return stop_before_delay(SECONDS_TO_COME_BACK if self.has_answered else SECONDS_TO_BE_FOUND)(state)

    def _tell(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:
            self.say(f"{self.url} does not answer as it should ({_error_of(state)}); trying again.")

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as error:
            raise self._other(error) from error
        return answer

    def _other(self, error: Exception) -> Unreachable:
        return Unreachable(f"What answers at {self.url} is no netlet ({error}).")


def _checked(url: str) -> str:
    """Complete an address; raise NotUsable for what is none."""
    whole = url if "://" in url else f"http://{url}"
    try:
        read = httpx.URL(whole)
    except httpx.InvalidURL:
        read = httpx.URL()
    if read.scheme not in {"http", "https"} or not read.host:
        message = f"{url} is no address of a service, which is one such as http://127.0.0.1:8000"
        raise NotUsable(message)
    return whole.rstrip("/")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, httpx.TransportError) or (isinstance(error, Problem) and error.status in PASSING)


def _pause(state: RetryCallState) -> float:
    """Give the seconds to wait: those that the service asks for, else more each time."""
    asked = getattr(_error_of(state), "retry_after", None)
    return BACKOFF(state) if asked is None else float(asked)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
