"""What wraps every request: an id, a log line, and headers that keep browsers from guessing."""

import logging
import re
from http import HTTPStatus
from random import getrandbits
from time import perf_counter

from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

log = logging.getLogger("netlet.requests")


class EveryRequest:
    """Gives each request an id (its own `X-Request-Id` if it brings one), which every answer carries.

    An answer to a request that was done before, under the same key, says so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        began = perf_counter()
        is_answered = False

        async def answer(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                is_answered = True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
                if scope["state"].get("is_replayed"):
                    headers["idempotency-replayed"] = "true"
                log_request(scope["method"], scope["path"], message["status"], request_id, perf_counter() - began)
            try:
                await send(message)
            except RuntimeError as error:  # in the words of uvloop: nobody is there any more to be answered
                if "closed" not in str(error):
                    raise

        try:
            await self.app(scope, receive, answer)
        except* BrokenResourceError:  # in those of anyio, where it was a stream
            if not is_answered:
                raise


def request_id_of(brought: str) -> str:
    """Take the id that a request brings if it can be one, else make one."""
    return brought if brought and REQUEST_ID.fullmatch(brought) else f"{getrandbits(64):016x}"


def log_request(method: str, path: str, status: int, request_id: str, seconds: float) -> None:
    """Note what changed something or went wrong; answers in their thousands only when asked for."""
    level = logging.INFO if status >= HTTPStatus.BAD_REQUEST or method == "DELETE" else logging.DEBUG
    if log.isEnabledFor(level):
        extra = {"request_id": request_id, "milliseconds": round(seconds * 1000, 2)}
        log.log(level, "%s %s %d", method, path, status, extra=extra)
