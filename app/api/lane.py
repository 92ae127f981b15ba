"""The lane: short predictions are answered in front of everything else, as they would be behind it.

What is unusual about a request, its head, its rows or its model is left to the route: that is the one place for every
rule and every error, and here is only what is nothing but rows to be answered.
"""

import logging
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import FastAPI
from pydantic_core import from_json

from app.access.keyring import ANYBODY, Caller
from app.api.connections.crowd import Crowd, Phase, State
from app.api.connections.framing import Opening
from app.api.connections.guard import CLOSE, GuardedProtocol
from app.api.connections.limits import ConnectionLimits
from app.api.connections.load import SHORT
from app.api.heads import ROUTES, Head, head_of
from app.api.middleware import request_id_of
from app.api.parts import FELT, Parts, work_of
from app.api.predictions import numbers_in
from app.api.unread import is_unread
from app.engine.arrays import Cells
from app.errors import MalformedBody, NetletError, Overloaded
from app.serving.ready import Ready
from app.tables.json_arrays import arrays_of
from app.tables.json_limits import require_short_numbers
from app.tables.plain import PlainRow
from app.telemetry.durations import Durations
from app.telemetry.requests import Requests, attributes_of, log_request
from app.telemetry.traces import place_in

if TYPE_CHECKING:
    from app.telemetry.spans import Spans

FELT_HERE = 2 * FELT  # plain rows take less than half the time of others
LONGEST_HEAD = 2048  # bytes: those that are recognised are remembered
END = b"\r\n\r\n"
NUMBERS = {int, float}
TYPES = {"X": {list, *NUMBERS}, "rows": {list, dict, *NUMBERS}}  # of rows, or of the cells of a bare one
ANSWER = (
    b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\ncontent-type: application/json\r\nx-request-id: %b\r\n"
    b"x-content-type-options: nosniff\r\n\r\n%b"
)

log = logging.getLogger(__name__)


class _Request(NamedTuple):
    """One that the lane has begun to take."""

    head: Head
    end: int
    """Of all of it, in what has arrived."""
    began: float


class _Asked(NamedTuple):
    """What a request asks for: who is to answer, and one row, or several."""

    ready: Ready
    row: PlainRow
    X: Cells | None


class LaneProtocol(GuardedProtocol):
    """One connection of uvicorn, which looks at a request itself before it hands it on."""

    requests: Requests
    counts: dict[str, Durations]
    """How long those took that were answered here, by their route."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.held = b""  # what has arrived of a request that is not answered yet
        self.request: _Request | None = None  # that one
        self.ready: Ready | None = None  # who answers it
        self.is_asked = False  # it has arrived, and is being answered

    def data_received(self, data: bytes) -> None:
        """Take what has arrived: a request, several of them, or parts."""
        data = self.held + data
        if self.is_asked or (self.request is not None and len(data) < self.request.end):
            self.held = data
            return
        if self.held:
            self.held = b""
            self.crowd.in_front.discard(self)
        if not self._takes(data):
            self._hand_over(data)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for long, and has no request that is only not read yet."""
        if not is_unread(self.transport):
            super().timeout_keep_alive_handler()

    def drain(self) -> None:
        """Let the answer that is under way, if there is one, be the last on this connection."""
        if self.is_answering:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Leave what has not arrived to the route, which tells that the service stops."""
        if self.held:
            self._hand_over(self.held)
        super().shutdown()

    def state(self) -> State:
        """Tell how the connection is: the body of a request for the lane is waited for here."""
        if self.request is None:
            return super().state()
        return State(Phase.ANSWERING if self.is_asked else Phase.BODY, self.request.began, len(self.held))

    def refuse(self, error: NetletError) -> None:
        """Forget what has arrived of a request, too."""
        self.arrived = self.held or self.arrived
        self.held, self.request, self.is_asked = b"", None, False
        super().refuse(error)

    def _hand_over(self, data: bytes) -> None:
        self.held, self.request, self.is_asked, self.ready = b"", None, False, None
        self.crowd.in_front.discard(self)
        super().data_received(data)

    def _takes(self, data: bytes) -> bool:
        """Begin to answer a request, or to wait for the rest of its body, if it is one for the lane."""
        if self.request is None:
            if self.is_within or self.flow.write_paused or self.is_answering:
                return False
            end = data.find(END, 0, LONGEST_HEAD)
            head = head_of(data[:end]) if end >= 0 else None
            limit = min(FELT_HERE, self.parts.limits.predict_bytes + 1)
            if head is None or head.length >= limit or not self.limits.hosts.allows(head.host):
                return False
            if head.length > SHORT and self.parts.load.is_behind():  # what is shorter is answered as soon as refused
                return False
            self.request = _Request(head, end + len(END) + head.length, perf_counter())
            self._unset_keepalive_if_required()
            if len(data) < self.request.end:
                self.held = data
                return head.length <= SHORT or self.crowd.take_in_front(self)
        try:
            return self._answers(data, self.request)
        except Exception:
            log.exception("the lane failed, and leaves a request to its route")
            return False

    def _answers(self, data: bytes, request: _Request) -> bool:
        """Answer a request that has arrived, at once or together with others."""
        parts = self.parts
        head = request.head
        if len(data) > request.end or parts.stopped.is_set():
            return False
        if head.length > SHORT and _has_more(data):
            return parts.load.refuses() and self._sends_back(head)
        caller = parts.keyring.at_hand(head.key)
        asked = None if caller is None else _read(parts, data[-head.length :], head.reference)
        if caller is None or asked is None or not _is_allowed(caller, asked):
            return False
        ready, row, X = asked
        self.ready = ready
        if X is not None:
            content = ready.answer(X)
            return content is not None and self._write(content)
        self.held, self.is_asked = data, True
        parts.together.answer(ready, row, self._answered)
        return True

    def _sends_back(self, head: Head) -> bool:
        """Refuse what would wait too long behind its route, as the guard would after a longer look."""
        if CLOSE in self.server_state.default_headers:
            return False
        self.request = None
        opening = Opening(0, "POST", head.path, head.host, head.length, head.request_id, "", closes=False)
        self._tell(Overloaded(), opening, closing=False)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        return True

    def _answered(self, content: bytes | None) -> None:
        """Write an answer that was asked for, and go on with what has arrived meanwhile."""
        if self.transport.is_closing() or not self.is_asked or self.request is None:
            return
        data, end = self.held, self.request.end
        if content is None:
            self._hand_over(data)
            return
        self.held, self.is_asked = b"", False
        self._write(content)
        if len(data) > end and not self.transport.is_closing():
            self.data_received(data[end:])

    def _write(self, content: bytes) -> bool:
        """Do all that uvicorn does at the end of a request, and be ready for the next."""
        assert self.request is not None  # noqa: S101 - it is being answered
        (head, _, began), ready = self.request, self.ready
        self.request = self.ready = None
        request_id = request_id_of(head.request_id)
        headers = self.server_state.default_headers
        told = b"".join([b"%b: %b\r\n" % header for header in headers])
        seconds = perf_counter() - began
        self.counts[head.route].add(seconds)
        facts = {} if self.requests.spans is None else self._tell_span(self.requests.spans, head, request_id, began)
        if self.requests.logs_all:
            told_of = {"request_id": request_id, "route": head.route, "model": _reference(ready), **facts}
            log_request("POST", head.path, HTTPStatus.OK, seconds, **told_of)
        self.transport.write(ANSWER % (told, len(content), request_id.encode(), content))
        self.server_state.total_requests += 1
        if CLOSE in headers:
            self.transport.close()
            return True
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        return True

    def _tell_span(self, spans: "Spans", head: Head, request_id: str, began: float) -> dict[str, str]:
        """Tell the span of a request; give what the log tells of it."""
        parent = place_in(head.traceparent, head.tracestate)
        place = spans.place("POST", parent)
        if place.is_sampled:
            told = attributes_of("POST", head.path, head.route, HTTPStatus.OK)
            spans.request(place, parent, began, told | {"netlet.request": request_id})
        return place.facts() if self.requests.logs_all else {}


def lane_of(app: FastAPI, limits: ConnectionLimits) -> type[LaneProtocol]:
    """Make the protocol of a server of an application."""
    requests: Requests = app.state.requests
    counts = {route: requests.of(route, "POST", HTTPStatus.OK) for route in ROUTES.values()}
    shared = {"app_of_parts": app, "requests": requests, "counts": counts, "crowd": Crowd(limits)}
    return type("Lane", (LaneProtocol,), shared)


def _reference(ready: Ready | None) -> str | None:
    return None if ready is None else f"{ready.stored.name}/{ready.stored.version}"


def _is_allowed(caller: Caller, asked: _Asked) -> bool:
    """Tell whether somebody may ask this; what counts against a quota is left to the route, which says what is left."""
    if caller is ANYBODY:
        return True
    grant = caller.grant
    is_counted = grant.quotas.requests is not None or grant.quotas.rows is not None
    return grant.may("predict") and not is_counted and grant.sees(asked.ready.stored.name)


def _read(parts: Parts, body: bytes, in_path: str | None) -> _Asked | None:
    """Read what has nothing but rows and perhaps the model's name, which is loaded, no key of it twice."""
    arrays = arrays_of(body) if len(body) > SHORT else None
    if arrays is None:
        return _read_row(parts, body, in_path)
    beside = dict(arrays.beside)
    ready = _at_hand(parts, beside, in_path)
    if ready is None or beside or not ready.plain.takes(arrays.X) or not _is_short(parts, body, len(arrays.X), ready):
        return None
    return _Asked(ready, (), arrays.X)


def _has_more(data: bytes) -> bool:
    """Tell at a glance that more comes after the rows than the model's name, before they are read for nothing."""
    after = data[data.rfind(b"]") :]
    return b":" in after and b'"model"' not in after


def _read_row(parts: Parts, body: bytes, in_path: str | None) -> _Asked | None:
    """Read one row, or some where they are objects."""
    try:
        require_short_numbers(body, "body")
        sent = from_json(body, allow_inf_nan=False)
    except (ValueError, MalformedBody):
        return None
    if type(sent) is not dict:
        return None
    ready = _at_hand(parts, sent, in_path)
    name, rows = next(iter(sent.items()), ("", None))
    if ready is None or len(sent) > 1 or name not in TYPES or type(rows) is not list or not rows:
        return None
    keys = 1 + (in_path is None)
    if type(rows[0]) is dict:
        keys += sum(len(row) for row in rows if type(row) is dict)
    if body.count(b":") != keys or type(rows[0]) not in TYPES[name] or not _is_short(parts, body, len(rows), ready):
        return None
    alone = ready.plain.alone(rows)
    if alone is None:
        X = ready.plain.rows(rows)
        return None if X is None else _Asked(ready, (), X)
    row = ready.plain.row(alone)
    return None if row is None else _Asked(ready, row, None)


def _at_hand(parts: Parts, sent: dict[str, Any], in_path: str | None) -> Ready | None:
    """Take the model's name out of what was sent, unless the path has it, and give that model."""
    reference = sent.pop("model", None) if in_path is None else in_path
    return parts.loaded.at_hand(reference) if type(reference) is str else None


def _is_short(parts: Parts, body: bytes, rows: int, ready: Ready) -> bool:
    """Tell whether no bound of a request could be passed, and others do not feel the work."""
    limits, bounds, model, width = parts.limits, parts.limits.bounds, ready.stored.model, ready.plain.width
    return (
        rows <= bounds.rows
        and width <= bounds.columns
        and rows * width <= bounds.cells
        and numbers_in(model, rows) <= limits.answers
        and (ready.plain.all_numbers or len(body) <= bounds.cell_bytes)
        and work_of(len(body), rows, model) < FELT_HERE
    )
