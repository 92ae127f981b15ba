"""Refusals in front of the routes: each is an answer as its client, its method and its protocol expect it."""

import asyncio
import json
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
import uvloop

from app.api.patience import Patience
from app.errors import DeadlineExceeded
from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import (
    QUESTION,
    SECONDS,
    TABLE,
    answers_in,
    ask,
    asked,
    is_open,
    one_of,
    opened,
    request,
    rest_of,
)

LONG = json.dumps(TABLE | {"name": "long", "preset": "tutorial", "training": {"epochs": 60_000}}).encode()
LONGER = json.dumps({"X": [[1]] * 1000}).encode()  # than what the lane answers however much there is
OTHERS = request("POST", "/predict", QUESTION, origin="http://localhost")  # which the lane leaves to its route
MOST = 2


@pytest.fixture
def small(start_server: StartServer) -> Server:
    """Start a service that answers two requests at once, and has a model."""
    server = start_server(NETLET_MOST_REQUESTS=str(MOST), NETLET_RECEIVE_SECONDS="60", NETLET_EXECUTOR="thread")
    httpx.post(f"{server.url}/train", json=TABLE, timeout=60).raise_for_status()
    return server


@pytest.fixture
def busy(small: Server) -> Iterator[Server]:
    """Keep it from answering more than that."""
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(opened(small)).sendall(request("POST", "/train", LONG))
        wait_until(lambda: asked(small, request("GET", "/models")).status == 503)
        yield small


def test_who_would_close_is_refused_and_the_connection_ends(busy: Server) -> None:
    """By its header, wherever that stands, or as HTTP/1.0 has it: such a client reads to the end of the connection."""
    closing = request("GET", "/models", connection="close")
    among_others = closing.replace(b": close", b": x-hop, Close").replace(b"\r\n\r\n", b"\r\nconnection: te\r\n\r\n")
    for sent in (closing, among_others, b"GET /models HTTP/1.0\r\nhost: localhost\r\n\r\n"):
        (answer,) = ask(busy, sent)
        assert (answer.status, answer.slug, answer.headers["connection"]) == (503, "overloaded", "close")


def test_a_refusal_has_no_body_where_only_a_head_was_asked_for(busy: Server) -> None:
    """The next answer of the connection begins where that of the head ends."""
    with opened(busy) as client:
        client.sendall(request("HEAD", "/models") + request("GET", "/livez", connection="close"))
        head, _, rest = rest_of(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert [answer.status for answer in answers_in(rest)] == [200]


def test_a_refusal_is_written_in_the_words_of_its_protocol(busy: Server) -> None:
    """JSON that its clients read."""
    for path in ("/v2/models/line/infer", "/v1/models/line:predict"):
        answer = asked(busy, request("POST", path, b"{}"))
        assert answer.status == 503
        assert list(json.loads(answer.body)) == ["error"]


def test_probes_are_answered_however_much_there_is_to_do(busy: Server) -> None:
    """Else a service that works would be taken for dead."""
    for path in ("/livez", "/readyz", "/metrics", "/ping", "/health", "/v2/health/live", "/v2/health/ready"):
        assert asked(busy, request("GET", path)).status == 200


def test_who_is_told_while_sending_may_send_a_little_more(small: Server) -> None:
    """The connection is not reset meanwhile, which could take the answer along."""
    head = request("POST", "/predict", connection="close", content_length=str(10**9))
    with opened(small) as client:
        client.sendall(head)
        assert select.select([client], [], [], 30)[0]  # the answer is there, and not read yet
        for _ in range(10):
            client.sendall(bytes(2**16))
        answer = one_of(client)
        assert (answer.status, answer.slug, answer.headers["connection"]) == (413, "body-too-large", "close")
        assert client.recv(1) == b""


def test_what_has_arrived_whole_ends_no_body_that_arrives(small: Server) -> None:
    """It needs no place among them."""
    with ExitStack() as stack:
        slow = [stack.enter_context(opened(small)) for _ in range(MOST)]
        for client in slow:
            client.sendall(OTHERS[:-1])
            assert asked(small, request("GET", "/livez")).status == 200
        assert asked(small, OTHERS).status == 200
        for client in slow:
            client.sendall(OTHERS[-1:])
            assert one_of(client).status == 200


def test_bodies_that_the_lane_waits_for_have_a_bound(small: Server) -> None:
    """As many as there may be requests, and as many again behind it; of these the slowest goes."""
    sent = request("POST", "/models/line/predict", LONGER)
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(small)) for _ in range(2 * MOST + 1)]
        for client in clients:
            client.sendall(sent[:-1])
            assert asked(small, request("GET", "/livez")).status == 200
        left = [client for client in clients if is_open(client)]
        assert len(left) == 2 * MOST
        for client in left:
            client.settimeout(SECONDS)
            client.sendall(sent[-1:])
            assert one_of(client).status == 200


def test_a_head_that_has_half_arrived_is_waited_for_when_the_service_ends(small: Server) -> None:
    """It may be a request that somebody counts on; what is idle is closed meanwhile."""
    with opened(small) as client, opened(small) as idle:
        client.sendall(OTHERS[:30])
        idle.sendall(request("GET", "/livez"))
        assert one_of(idle).status == 200
        small.process.send_signal(signal.SIGINT)
        assert idle.recv(1) == b""
        client.sendall(OTHERS[30:])
        assert one_of(client).status == 200
    assert small.end(signal.SIGCONT) == 0


def test_a_deadline_that_passes_in_a_queue_is_a_deadline() -> None:
    """Also where the event loop's clock, which has whole milliseconds, is ahead of ours."""

    async def waits() -> None:
        for _ in range(40):
            with pytest.raises(DeadlineExceeded):
                async with Patience(0.003, _never).place_in(asyncio.Semaphore(0)):
                    pass

    uvloop.run(waits())


async def _never() -> bool:
    return False
