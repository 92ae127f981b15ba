"""More predictions than can be answered in time: those that are taken are answered, others are told at once."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.api.connections import load
from app.api.connections.load import Load, Ticket
from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import TABLE, asked, one_of, opened, request

LONG = json.dumps({"X": [[1]] * 100_000}).encode()
MEDIUM = json.dumps({"X": [[1]] * 1_000}).encode()  # waits as a long one does, and is all in a socket's buffer
SHORT = json.dumps({"X": [[1]]}).encode()
EXPLAINED = json.dumps({"X": [[row] for row in range(300)], "explain": True}).encode()
TOGETHER = 48


def is_stopped(process: int) -> bool:
    """Tell whether no thread of a process goes on."""
    threads = [path.read_text(encoding="utf-8") for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return all(told.rpartition(")")[2].split()[0] == "T" for told in threads)


@pytest.fixture(params=["0.3"])
def server(start_server: StartServer, request: pytest.FixtureRequest) -> Server:
    """Start a service whose predictions may not wait for long, and that has a model."""
    server = start_server(NETLET_QUEUE_SECONDS=request.param, NETLET_EXECUTOR="thread")
    httpx.post(f"{server.url}/train", json=TABLE, timeout=60).raise_for_status()
    return server


@pytest.mark.parametrize("server", ["0.05"], indirect=True)  # which 48 take until more is known of how long one does
def test_a_prediction_that_would_wait_for_too_long_is_503_at_once(server: Server) -> None:
    """Those before it are answered, and so are short ones, which wait for nobody; it is answered when it comes back.

    The service is held until all have been sent: so they are all there at once, however fast it is.
    """
    probe = request("POST", "/models/line/predict", MEDIUM)
    others = [probe, request("POST", "/models/line/predict", SHORT), request("GET", "/models/line")]
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(server)) for _ in range(TOGETHER)]
        for client in clients:
            client.sendall(probe.replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n").removesuffix(MEDIUM))
            assert client.recv(99).startswith(b"HTTP/1.1 100 ")  # it is taken
        later = [stack.enter_context(opened(server)) for _ in others]
        for client in later:
            client.sendall(request("GET", "/livez"))
            assert one_of(client).status == 200  # the connection is taken, too

        server.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(server.process.pid))
        try:
            for client in clients:
                client.sendall(MEDIUM)
            for client, sent in zip(later, others, strict=True):
                client.sendall(sent)
        finally:
            server.process.send_signal(signal.SIGCONT)

        refused, short, alive = map(one_of, later)
        answers = [*map(one_of, clients)]
    assert (refused.status, refused.slug, refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert (short.status, alive.status) == (200, 200)
    assert [answer.status for answer in answers] == [200] * TOGETHER
    assert asked(server, probe).status == 200


def test_predictions_do_not_wait_for_explanations(server: Server) -> None:
    """However many of those wait, they are not what others are behind."""
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(server)) for _ in range(TOGETHER)]
        for client in clients:
            client.sendall(request("POST", "/models/line/predict", EXPLAINED))
        first = one_of(clients[0])
        assert asked(server, request("GET", "/livez")).status == 200  # by then all are known for what they are

        assert asked(server, request("POST", "/models/line/predict", LONG)).status == 200

        assert {first.status, *(one_of(client).status for client in clients[1:])} == {200}


def test_bodies_that_do_not_arrive_are_no_predictions_that_wait(server: Server) -> None:
    """Whoever sends slowly takes nobody's place."""
    with ExitStack() as stack:
        for _ in range(2 * load.FEWEST):
            stack.enter_context(opened(server)).sendall(request("POST", "/models/line/predict", LONG)[:-1])

        assert asked(server, request("POST", "/models/line/predict", LONG)).status == 200


async def test_the_load_is_those_that_wait_times_the_seconds_between_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Little's law; a few may always wait, and who leaves unanswered tells nothing of how long answers take."""
    now = 100.0
    monkeypatch.setattr(load, "monotonic", lambda: now)
    service = Load(1.0)
    tickets = [Ticket(service) for _ in range(41)]
    for ticket in tickets[:40]:
        ticket.take()
    assert not service.refuses()  # 40 / 256 of a second
    for ticket in tickets[:10]:
        now += 0.5
        ticket.leave(is_answered=True)
    assert service.interval == pytest.approx(0.5 + (load.USUAL - 0.5) * (7 / 8) ** 10)
    assert service.refuses()
    for ticket in tickets[10:25]:
        ticket.leave()
        ticket.leave(is_answered=True)  # it has left already
    assert service.waiting == 15
    assert not service.refuses()
    tickets[40].take()
    assert service.refuses()
