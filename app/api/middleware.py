"""What wraps every request: an id, a count, a log line, and headers that keep browsers from guessing."""

import logging
import re
from http import HTTPStatus
from random import getrandbits
from time import perf_counter

from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.access import deed_of
from app.api.parts import Parts
from app.errors import StorageError
from app.store.deeds import note
from app.telemetry.requests import OTHER, Requests

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

log = logging.getLogger("netlet.requests")
deeds_log = logging.getLogger("netlet.deeds")


class EveryRequest:
    """Gives each request an id (its own `X-Request-Id` if it brings one), which every answer carries.

    An answer to a request that was done before, under the same key, says so.
    """

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self.requests)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        try:
            await self._answer(exchange, receive)
        except Exception:
            if not exchange.is_answered:  # whoever is in front of this will
                exchange.note(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    async def _answer(self, exchange: "_Exchange", receive: Receive) -> None:
        try:
            await self.app(exchange.scope, receive, exchange.answer)
        except* BrokenResourceError:  # nobody is there any more, in the words of anyio, where it was a stream
            if not exchange.is_answered:
                raise


class _Exchange:
    """A request and its answer."""

    def __init__(self, scope: Scope, send: Send, requests: Requests) -> None:
        self.scope, self.send, self.requests = scope, send, requests
        self.request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        self.began = perf_counter()
        self.is_answered = False

    async def answer(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.is_answered = True
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            headers["x-content-type-options"] = "nosniff"
            if self.scope["state"].get("is_replayed"):
                headers["idempotency-replayed"] = "true"
            self.note(message["status"])
            await _remember(self.scope, message["status"], headers)
        try:
            await self.send(message)
        except RuntimeError as error:  # nobody is there any more, in the words of uvloop
            if "closed" not in str(error):
                raise

    def note(self, status: int) -> None:
        """Count the answer, and log it, as it begins."""
        seconds, method = perf_counter() - self.began, self.scope["method"]
        self.requests.of(route_of(self.scope), method, status).add(seconds)
        log_request(method, self.scope["path"], status, self.request_id, seconds)


def route_of(scope: Scope) -> str:
    """Name the route that took a request by its template: of these there are only so many, whatever clients ask for."""
    if (route := scope.get("route")) is not None:
        return str(route.path)
    is_bare = "endpoint" in scope and not scope.get("path_params")  # a route that is none of FastAPI's
    return str(scope["path"]) if is_bare else OTHER


async def _remember(scope: Scope, status: int, headers: Headers) -> None:
    """Write down what a request has changed before it is told so."""
    deed = deed_of(scope, status, headers)
    if deed is None:
        return
    parts: Parts = scope["app"].state.parts
    told = {"who": deed.who, "address": deed.address, "made": deed.made, "request_id": deed.request}
    deeds_log.info("%s %s %d", deed.method, deed.path, deed.status, extra=told)
    try:
        await parts.write(lambda unit: note(unit, deed))
    except StorageError:  # as on a full disk: what was done is done, and the log has it
        deeds_log.exception("what was done could not be written down")


def request_id_of(brought: str) -> str:
    """Take the id that a request brings if it can be one, else make one."""
    return brought if brought and REQUEST_ID.fullmatch(brought) else f"{getrandbits(64):016x}"  # no secret # nosec B311


def log_request(method: str, path: str, status: int, request_id: str, seconds: float) -> None:
    """Note what changed something or went wrong; answers in their thousands only when asked for."""
    level = logging.INFO if status >= HTTPStatus.BAD_REQUEST or method == "DELETE" else logging.DEBUG
    if log.isEnabledFor(level):
        extra = {"request_id": request_id, "milliseconds": round(seconds * 1000, 2)}
        log.log(level, "%s %s %d", method, path, status, extra=extra)
