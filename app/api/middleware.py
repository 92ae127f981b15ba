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
from app.api.connections.origins import PREFLIGHT, Origins
from app.api.parts import Parts
from app.errors import StorageError
from app.store.deeds import Deed, note
from app.store.locks import NOTHING
from app.telemetry.current import telling
from app.telemetry.requests import OTHER, Requests, attributes_of, log_request
from app.telemetry.traces import Place, place_in

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

log = logging.getLogger(__name__)


class EveryRequest:
    """Gives each request an id (its own `X-Request-Id` if it brings one), which every answer carries.

    An answer to a request that was done before, under the same key, says so.
    """

    def __init__(self, app: ASGIApp, requests: Requests, origins: Origins) -> None:
        self.app, self.requests, self.origins = app, requests, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self.requests, self.origins)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        scope["state"]["place"] = exchange.place
        with telling(**exchange.facts()) as facts:
            try:
                await self._answer(exchange, receive)
            except Exception:
                if not exchange.is_answered:  # whoever is in front of this will
                    exchange.note(HTTPStatus.INTERNAL_SERVER_ERROR, None)
                raise
            finally:
                exchange.tell(facts)

    async def _answer(self, exchange: "_Exchange", receive: Receive) -> None:
        if exchange.is_preflight:
            await exchange.allow()
            return
        try:
            await self.app(exchange.scope, receive, exchange.answer)
        except* BrokenResourceError:  # nobody is there any more, in the words of anyio, where it was a stream
            if not exchange.is_answered:
                raise


class _Exchange:
    """A request and its answer."""

    def __init__(self, scope: Scope, send: Send, requests: Requests, origins: Origins) -> None:
        self.scope, self.send, self.requests, self.origins = scope, send, requests, origins
        headers = Headers(scope=scope)
        self.origin = headers.get("origin")
        self.is_preflight = _is_preflight(scope, headers) and origins.allow(self.origin)
        self.request_id = request_id_of(headers.get("x-request-id", ""))
        self.began = perf_counter()
        self.is_answered = False
        self.status: int | None = None
        self.parent = None if requests.spans is None else _parent_in(headers)
        self.place = None if requests.spans is None else requests.spans.place(scope["method"], self.parent)

    def facts(self) -> dict[str, str]:
        """Give what every line of the log tells meanwhile."""
        return {"request_id": self.request_id} | ({} if self.place is None else self.place.facts())

    def tell(self, facts: dict[str, str]) -> None:
        """Tell the span of the request, and which model and job it was about, where that is known."""
        if self.requests.spans is None or self.place is None:
            return
        told = attributes_of(self.scope["method"], self.scope["path"], route_of(self.scope), self.status)
        about = {f"netlet.{name}": facts[name] for name in ("model", "job") if name in facts}
        told |= {"netlet.request": self.request_id} | about
        self.requests.spans.request(self.place, self.parent, self.began, told)

    async def answer(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.is_answered = True
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            headers["x-content-type-options"] = "nosniff"
            headers.raw.extend(self.origins.headers(self.origin))
            if self.scope["state"].get("is_replayed"):
                headers["idempotency-replayed"] = "true"
            deed = deed_of(self.scope, message["status"], headers)
            self.note(message["status"], deed)
            if deed is not None:
                await _remember(self.scope, deed)
        try:
            await self.send(message)
        except RuntimeError as error:  # nobody is there any more, in the words of uvloop
            if "closed" not in str(error):
                raise

    async def allow(self) -> None:
        """Answer a browser that asks what a page may send: that needs no key, and nothing is done."""
        await self.answer({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": PREFLIGHT})
        await self.answer({"type": "http.response.body"})

    def note(self, status: int, deed: Deed | None) -> None:
        """Count the answer, and log it, as it begins."""
        self.status = status
        seconds, method, route = perf_counter() - self.began, self.scope["method"], route_of(self.scope)
        self.requests.of(route, method, status).add(seconds)
        if self.requests.logs_all or deed is not None or status >= HTTPStatus.BAD_REQUEST:
            told = {} if deed is None else {"who": deed.who or None, "address": deed.address, "made": deed.made}
            log_request(method, self.scope["path"], status, seconds, route=route, **told)


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _parent_in(headers: Headers) -> Place | None:
    """Read the place of whoever asks; several of them are none."""
    traceparents = headers.getlist("traceparent")
    return place_in(traceparents[0], ",".join(headers.getlist("tracestate"))) if len(traceparents) == 1 else None


def route_of(scope: Scope) -> str:
    """Name the route that took a request by its template: of these there are only so many, whatever clients ask for."""
    if (route := scope.get("route")) is not None:
        return str(route.path_format)
    is_bare = "endpoint" in scope and not scope.get("path_params")  # a route that is none of FastAPI's
    return str(scope["path"]) if is_bare else OTHER


async def _remember(scope: Scope, deed: Deed) -> None:
    """Write down what a request has changed before it is told so."""
    parts: Parts = scope["app"].state.parts
    try:
        await parts.write(lambda unit: note(unit, deed), NOTHING)
    except StorageError:  # as on a full disk: what was done is done, and the log has it
        log.exception("what was done could not be written down")


def request_id_of(brought: str) -> str:
    """Take the id that a request brings if it can be one, else make one."""
    return brought if brought and REQUEST_ID.fullmatch(brought) else f"{getrandbits(64):016x}"  # no secret # nosec B311
