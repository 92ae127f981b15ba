"""The guard in front of the application: what gets there has a proper and short head, and a body that arrives."""

from functools import cached_property
from typing import Any, cast

import httptools
from fastapi import FastAPI
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.connections.crowd import Crowd, Phase, State
from app.api.connections.framing import NOTHING, Body, Chunked, Opening, Plain, opening_of, told_of
from app.api.connections.load import SHORT, Ticket
from app.api.connections.refusals import refusal
from app.api.middleware import request_id_of
from app.api.parts import Parts
from app.errors import BadHost, MalformedHttp, NetletError, Overloaded
from app.telemetry.requests import OTHER, Requests

MOST_HELD = 2**20  # bytes of requests that are sent ahead of the answers of others
ODD_PART = "it has a part that none may have"
ALWAYS = {"/livez", "/readyz", "/metrics", "/ping", "/health", "/v2/health/live", "/v2/health/ready"}
"""What is answered however much there is to do: whoever asks would take the service for dead."""

ANSWER = b"%b%b%b%bx-request-id: %b\r\nx-content-type-options: nosniff\r\ncontent-length: %d\r\n\r\n%b"
PREDICTING = ("/predict", "/infer", "/invocations", ":predict")
"""How the paths of predictions end."""
BODILESS = {"GET", "HEAD", "OPTIONS", "DELETE"}
"""Methods whose bodies no route waits for."""
CLOSE = (b"connection", b"close")
"""The header of every answer of a server that drains."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection of uvicorn, which gets one request at a time, of those that are proper ones."""

    app_of_parts: FastAPI
    """The application, whose parts are there once it has started."""
    crowd: Crowd

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.limits = self.crowd.limits
        self.arrived = b""  # and is not looked at yet, or has no end yet
        self.opening = NOTHING  # of the request that was begun last
        self.body: Body | None = None  # what of a request is still to come
        self.taken = 0  # bytes of it that have come
        self.ticket: Ticket | None = None  # of a prediction that arrives, or is answered
        self.turn = 0  # requests that have begun to arrive here
        self.in_a_row = 0  # of them, those that came before the one in front was answered
        self.nearly_all = 0  # times that the client had taken nearly all that it was answered
        self.is_within = False  # what comes next is no beginning of a request
        self.is_passed_over = False  # the request whose body is to come is answered, and uvicorn has not seen it
        self.is_waited_for = False  # the body is, by the route
        self.is_deaf = False  # nothing that comes is listened to any more
        self.is_refused = False

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self.lingering = Lingering(self)
        self.crowd.join(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.crowd.leave(self)
        if self.ticket is not None:
            self.ticket.leave()
        if self.cycle is not None:
            self.cycle.transport = self.transport  # no circle is left for the collection
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived: a request, several of them, or parts."""
        if not self.is_deaf:
            self._unset_keepalive_if_required()
            self.arrived = self.arrived + data if self.arrived else data
            self._go_through()

    def _go_through(self) -> None:
        """Take all that can be taken of what has arrived."""
        try:
            while self.arrived and (self._begins() if self.body is None else self._goes_on()):
                pass
        except NetletError as error:
            self.refuse(error)
        if self.body is not None and self.is_waited_for and self.is_answering:
            self.crowd.take_body(self)
        self.is_within = self.is_deaf or bool(self.arrived) or self.body is not None
        if not self.is_within and not self.is_answering:
            self._wait_for_more()

    @property
    def is_answering(self) -> bool:
        """Whether uvicorn has a request whose answer is not written yet."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    @property
    def requests(self) -> Requests:
        """Those that were answered by this process."""
        requests: Requests = self.app_of_parts.state.requests
        return requests

    @cached_property
    def parts(self) -> Parts:
        """What the application works with."""
        parts: Parts = self.app_of_parts.state.parts
        return parts

    def _begins(self) -> bool:
        """Take the head of a request; tell whether it was there."""
        if self.is_answering or self.flow.write_paused:
            self._hold()
            return False
        opening = opening_of(self.arrived, self.limits)
        if opening is None:
            return False
        if not self.limits.hosts.allows(opening.host):
            self._refuse(BadHost(), opening)
            return False
        is_too_much = self._is_too_much(opening)
        if is_too_much and (opening.closes or CLOSE in self.server_state.default_headers):
            self._refuse(Overloaded(), opening)
            return False
        head, self.arrived = self.arrived[: opening.size], self.arrived[opening.size :]
        self.opening, self.turn, self.taken = opening, self.turn + 1, 0
        if is_too_much:  # told in front of the application; what follows is looked at again
            self._tell(Overloaded(), opening, closing=False)
        elif not self._hands_on(head, opening):
            return False
        if opening.length is None or opening.length:
            self.body = Chunked(self.limits) if opening.length is None else Plain(opening.length)
        self.is_passed_over = is_too_much and self.body is not None
        return True

    def _hands_on(self, head: bytes, opening: Opening) -> bool:
        """Let uvicorn begin to answer; tell whether it does."""
        try:
            self._feed(head)
        except MalformedHttp as error:
            self._refuse(error, opening)
            return False
        self.cycle.keep_alive = self.cycle.keep_alive and self.in_a_row < self.limits.pipelined
        self.cycle.transport = cast("Any", self.lingering)
        self.is_waited_for = opening.method not in BODILESS
        if is_long_prediction(opening.method, opening.path, opening.length):
            self.ticket = Ticket(self.parts.load)
            cast("dict[str, Any]", self.cycle.scope)[Ticket.KEY] = self.ticket
        return True

    def _goes_on(self) -> bool:
        """Take more of a body; tell whether there was any."""
        assert self.body is not None  # noqa: S101 - else it would begin
        piece, size = self.body.take(self.arrived)
        self.arrived = self.arrived[size:]
        self.taken += size
        if self.body.is_over:
            self.body = None
            self.crowd.let_go(self)
        if piece and not self.is_passed_over:
            self._feed(piece)
        if self.body is None and self.ticket is not None and not self.is_passed_over:
            self.ticket.take()
        self.is_passed_over = self.is_passed_over and self.body is not None
        return size > 0

    def _feed(self, data: bytes) -> None:
        """Let uvicorn have it, whose parser has a say in it too."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to which nobody is obliged: the request is answered as it is
        except httptools.HttpParserError:
            raise MalformedHttp(ODD_PART) from None

    def _hold(self) -> None:
        """Keep what was sent ahead, and take no more than can be kept."""
        if len(self.arrived) > MOST_HELD:
            self.arrived, self.is_deaf = b"", True
            self.cycle.keep_alive = False
        if len(self.arrived) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead."""
        super().on_response_complete()
        self.crowd.let_go(self)  # though not all of it may have come
        if self.ticket is not None:
            self.ticket.leave(is_answered=True)
            self.ticket = None
        self.in_a_row = self.in_a_row + 1 if self.arrived and self.body is None else 0
        self._look_again()

    def resume_writing(self) -> None:
        """Note that the client has taken nearly all that it was answered, and go on."""
        super().resume_writing()
        self.nearly_all += 1
        self._look_again()

    def _look_again(self) -> None:
        if self.arrived and self.body is None and not self.is_answering and not self.transport.is_closing():
            self.flow.resume_reading()
            data, self.arrived = self.arrived, b""
            self.is_within = False
            self.data_received(data)

    def _is_too_much(self, opening: Opening) -> bool:
        in_flight = len(self.tasks) - self.parts.streams.open - len(self.crowd.arriving)
        if in_flight >= self.limits.requests:
            return opening.path not in ALWAYS
        is_long = is_long_prediction(opening.method, opening.path, opening.length)
        return is_long and self.parts.load.refuses()

    def refuse(self, error: NetletError) -> None:
        """Tell the client why its connection ends, and end it once it has had the time to read that."""
        self._refuse(error, self.opening if self.is_answering else told_of(self.arrived))

    def _refuse(self, error: NetletError, opening: Opening) -> None:
        is_answered = self.body is not None and not self.is_answering
        if self.is_answering:
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
            is_answered = self.cycle.response_started
        self._unset_keepalive_if_required()
        if not is_answered:
            self._tell(error, opening, closing=True)
        self._listen_no_more()
        if is_answered:
            self.cut()
        else:
            self._say_no_more()

    def _listen_no_more(self) -> None:
        """Take what still comes, and forget it."""
        self.arrived, self.body = b"", None
        self.crowd.let_go(self)
        self.is_deaf = self.is_within = self.is_refused = True
        self.flow.resume_reading()

    def _say_no_more(self) -> None:
        """End the connection for the client, which has a moment to read what it was told."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.end()

    def close(self) -> None:
        """End the connection behind an answer: not at once where the body still comes, which would reset it."""
        if self.body is None or self.transport.is_closing():
            self.transport.close()
        else:
            self._listen_no_more()
            self._say_no_more()

    def _tell(self, error: NetletError, opening: Opening, *, closing: bool) -> None:
        request_id = request_id_of(opening.request_id)
        told = refusal(opening.path, error)
        self.requests.of(OTHER, opening.method, told.status).add(0.0)
        shared = self.limits.origins.headers(opening.origin)
        others = b"".join([b"%b: %b\r\n" % header for header in [*self.server_state.default_headers, *shared]])
        body, is_told = told.body(request_id), CLOSE in self.server_state.default_headers
        close = b"connection: close\r\n" if closing and not is_told else b""
        content = b"" if opening.method == "HEAD" else body
        filled = STATUS_LINE[told.status], told.lines, others, close, request_id.encode(), len(body), content
        self.transport.write(ANSWER % filled)
        self.crowd.note(f"a request from {self.client[0] if self.client else 'nowhere'}: {error}", request_id)

    def _wait_for_more(self) -> None:
        """Let the connection be open for a while though nothing is asked."""
        if self.timeout_keep_alive_task is None and self.turn:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def state(self) -> State:
        """Tell how the connection is."""
        if self.is_refused:
            return State(Phase.REFUSED, 0)
        if self.body is not None:
            if not self.is_answering:
                return State(Phase.REST, self.turn, self.taken)
            is_our_turn = self.flow.read_paused or self.cycle.waiting_for_100_continue
            return State(Phase.ANSWERING if is_our_turn else Phase.BODY, self.turn, self.taken)
        if self.is_answering or self.flow.write_paused:
            return State(Phase.ANSWERING, self.turn)
        if self.arrived:
            return State(Phase.HEAD, self.turn)
        timer = self.timeout_keep_alive_task
        return State(Phase.NEW, 0) if timer is None else State(Phase.IDLE, timer.when())

    def unsent(self) -> tuple[int, int]:
        """Tell how much the client has yet to take."""
        return self.transport.get_write_buffer_size(), self.nearly_all

    def end(self) -> None:
        """Close the connection; what the client does not take at once is lost."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def cut(self) -> None:
        """Close it at once."""
        self.transport.abort()


class Lingering:
    """What uvicorn knows of the transport as it answers; closing is left to the guard."""

    def __init__(self, guarded: GuardedProtocol) -> None:
        self.guarded = guarded

    def write(self, data: bytes) -> None:
        """Send a part of the answer."""
        self.guarded.transport.write(data)

    def is_closing(self) -> bool:
        """Tell whether nothing more can be sent."""
        return self.guarded.transport.is_closing()

    def close(self) -> None:
        """End the connection."""
        self.guarded.close()


def is_long_prediction(method: str, path: str, length: int | None) -> bool:
    """Tell whether a request is a prediction that may keep others waiting; the length is None where nobody tells it."""
    return method == "POST" and path.endswith(PREDICTING) and (length is None or length > SHORT)
