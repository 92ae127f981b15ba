"""Requests that another server has taken, whose connections are its own: what of the guard holds for them all the same.

How long a head takes, how slowly an answer is taken and how many connections are open is for that server to bound.
"""

import asyncio
from time import monotonic

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from app.api.connections.crowd import SLOW, Phase
from app.api.connections.framing import LENGTH, METHODS, NO_LENGTH
from app.api.connections.guard import ALWAYS, is_long_prediction
from app.api.connections.limits import ConnectionLimits
from app.api.connections.load import Ticket
from app.api.middleware import EveryRequest
from app.api.parts import Parts
from app.api.problems import kind_of, render
from app.errors import (
    BadHost,
    HeadersTooLarge,
    MalformedHttp,
    NetletError,
    Overloaded,
    TooSlow,
    UnknownMethod,
    UriTooLong,
)
from app.telemetry.requests import Requests

BESIDE = 4  # bytes of a line of the head beside name and value


class Proxied:
    """Refuses what the guard would, and answers the rest."""

    def __init__(self, app: FastAPI, limits: ConnectionLimits) -> None:
        """Take the application, which has EveryRequest in front, and what a client may do."""
        self.app, self.limits = app, limits
        self.answering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.answering += 1
        arriving = _Arriving(receive, self.limits)
        answer = _Answer(send, self.limits, arriving)
        try:
            try:
                arriving.ticket = scope[Ticket.KEY] = self._admitted(scope)
            except NetletError as error:
                await self._refuse(error, scope, receive, answer)
            else:
                await self.app(scope, arriving, answer)
        finally:
            self.answering -= 1
            if arriving.ticket is not None:
                arriving.ticket.leave(is_answered=True)

    def _admitted(self, scope: Scope) -> Ticket | None:
        """Raise what the guard would; give the place in the queue of a prediction that others may wait for."""
        headers = Headers(scope=scope)
        _require_short(scope, self.limits)
        if scope["method"] not in METHODS:
            raise UnknownMethod
        if not self.limits.hosts.allows(headers.get("host", "")):
            raise BadHost
        parts: Parts = self.app.state.parts
        if self.answering - parts.streams.open > self.limits.requests and scope["path"] not in ALWAYS:
            raise Overloaded
        if not is_long_prediction(scope["method"], scope["path"], _length(headers)):
            return None
        if parts.load.refuses():
            raise Overloaded
        return Ticket(parts.load)

    async def _refuse(self, error: NetletError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in front of the application; count and log it as any other answer."""

        async def refused(scope: Scope, receive: Receive, send: Send) -> None:
            await render(Request(scope), kind_of(error), error)(scope, receive, send)

        requests: Requests = self.app.state.requests
        await EveryRequest(refused, requests, self.limits.origins)({**scope, "app": self.app}, receive, send)


class _Arriving:
    """A body, which is to come as fast as on a connection of our own."""

    def __init__(self, receive: Receive, limits: ConnectionLimits) -> None:
        self.receive, self.limits = receive, limits
        self.ticket: Ticket | None = None
        self.waited = 0.0  # since it came fast enough
        self.taken = 0  # bytes, since then
        self.is_over = self.is_too_slow = False

    async def __call__(self) -> Message:
        """Give the next part of it; raise TooSlow."""
        if self.is_over:
            return await self.receive()
        began = monotonic()
        try:
            async with asyncio.timeout(self.limits.receive_seconds - self.waited):
                message = await self.receive()
        except TimeoutError:
            self.is_too_slow = True
            raise TooSlow(SLOW[Phase.BODY]) from None
        self._took(message, monotonic() - began)
        return message

    def _took(self, message: Message, seconds: float) -> None:
        self.waited, self.taken = self.waited + seconds, self.taken + len(message.get("body", b""))
        if self.taken and self.taken >= self.waited * self.limits.bytes_per_second:
            self.waited, self.taken = 0.0, 0
        self.is_over = not message.get("more_body", False)
        if self.is_over and self.ticket is not None:
            self.ticket.take()


class _Answer:
    """An answer, with what the server adds to all of its own; the id of its request is added in front, once more."""

    def __init__(self, send: Send, limits: ConnectionLimits, arriving: _Arriving) -> None:
        self.send, self.limits, self.arriving = send, limits, arriving

    async def __call__(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            del headers["x-request-id"]
            if self.limits.origins.allowed:
                headers.add_vary_header("Origin")
            if self.arriving.is_too_slow:
                headers["connection"] = "close"
        await self.send(message)


def _length(headers: Headers) -> int | None:
    """Read how long a body is to be; None where that is not told. Raises MalformedHttp."""
    announced = headers.get("content-length")
    if announced is None:
        return None
    if not LENGTH.fullmatch(announced.encode("latin-1")):
        raise MalformedHttp(NO_LENGTH)
    return int(announced)


def _require_short(scope: Scope, limits: ConnectionLimits) -> None:
    """Raise UriTooLong or HeadersTooLarge."""
    url = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if url > limits.url_bytes:
        raise UriTooLong(limits.url_bytes)
    fields = scope["headers"]
    if len(fields) > limits.headers:
        raise HeadersTooLarge(limits.headers, "lines")
    if url + sum(len(name) + len(value) + BESIDE for name, value in fields) > limits.head_bytes:
        raise HeadersTooLarge(limits.head_bytes, "bytes")
