"""Faults 1 to 10 and 18 to 20: what a client may do to a connection, each by its number, on a real server."""

import json
import random
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import (
    QUESTION,
    TABLE,
    Others,
    answers_in,
    ask,
    asked,
    connections,
    ended,
    is_open,
    memory,
    one_of,
    opened,
    request,
    rest_of,
)

MANY = 60
SOON = 20.0  # seconds, for what takes one or two on a machine that has nothing else to do
CLOSING = request("GET", "/livez", connection="close")


def test_fault_01_slow_headers_end_with_408(server: Server) -> None:
    """Each of many connections that send a byte now and then is told so and closed; others are answered meanwhile."""
    with ExitStack() as stack, Others(server):
        clients = [stack.enter_context(opened(server)) for _ in range(MANY)]
        began = time.monotonic()
        for byte in b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: " + b"y" * 40:
            for client in clients:
                with suppress(ConnectionError):
                    client.send(bytes([byte]))
            time.sleep(0.05)
        found = ended(clients)

    assert time.monotonic() - began < SOON
    assert [[(answer.status, answer.slug) for answer in each] for each in found] == [[(408, "request-timeout")]] * MANY


@pytest.mark.parametrize("path", ["/predict", "/train", "/datasets"])
def test_fault_02_slow_bodies_end_with_408(server: Server, path: str) -> None:
    """Whoever is to read it, the lane, a route or a file: less than a kilobyte a second is too little."""
    with ExitStack() as stack, Others(server):
        clients = [stack.enter_context(opened(server)) for _ in range(MANY // 3)]
        began = time.monotonic()
        for client in clients:
            client.sendall(request("POST", path, content_length="5000") + b'{"model": ')
        for _ in range(30):
            for client in clients:
                with suppress(ConnectionError):
                    client.send(b" " * 10)
            time.sleep(0.05)
        found = ended(clients)

    assert time.monotonic() - began < SOON
    assert {(answer.status, answer.slug) for each in found for answer in each} == {(408, "request-timeout")}
    assert {len(each) for each in found} == {1}


def test_fault_02_a_body_may_take_its_time(server: Server) -> None:
    """One that arrives for longer than a head may, but not too slowly, is answered."""
    body = b" " * 10_000 + QUESTION
    with opened(server) as client:
        client.sendall(request("POST", "/models/line/predict", content_length=str(len(body))))
        for start in range(0, len(body), 500):
            client.sendall(body[start : start + 500])
            time.sleep(0.1)
        assert one_of(client).status == 200


def test_fault_03_who_takes_no_answer_is_left(server: Server) -> None:
    """A long answer that nobody takes ends with its connection, and takes no memory after that."""
    body = b'{"model": "line", "X": [' + b",".join([b"[1]"] * 400_000) + b"]}"
    before, few = memory(server), connections(server)
    with ExitStack() as stack, Others(server):
        clients = [stack.enter_context(opened(server, buffer=2**12)) for _ in range(3)]
        for client in clients:
            client.sendall(request("POST", "/predict", body))
        wait_until(lambda: connections(server) > few + 3)
        wait_until(lambda: connections(server) <= few + 1, seconds=60)
        for client in clients:
            assert len(rest_of(client)) < 400_000 * 17, "all of it came"
    assert memory(server) - before < 400e6, "what it takes to make two answers is kept for the next, and no more"


def test_fault_04_headers_have_a_limit(server: Server) -> None:
    """64 MB of them, or 101: 431, in no more memory than before."""
    before, filler = memory(server), b"x: " + b"y" * 4093 + b"\r\n"
    endless = ask(server, request("GET", "/livez").removesuffix(b"\r\n"), *[filler] * 2**14)
    many = ask(server, request("GET", "/livez", **{f"x{number}": "y" for number in range(100)}))
    one = ask(server, request("GET", "/livez", cookie="y" * 33_000))

    for answers in (endless, many, one):
        assert [(answer.status, answer.slug) for answer in answers] == [(431, "headers-too-large")]
        assert answers[0].headers["connection"] == "close"
    assert asked(server, request("GET", "/livez", **{f"x{number}": "y" for number in range(99)})).status == 200
    assert memory(server) - before < 20e6


def test_fault_05_addresses_have_a_limit(server: Server) -> None:
    """8 KB and one byte more, with an end or without one."""
    for sent in (request("GET", "/" + "a" * 8192), b"GET /" + b"a" * 9000):
        assert [(answer.status, answer.slug) for answer in ask(server, sent)] == [(414, "uri-too-long")]
    assert asked(server, request("GET", "/" + "a" * 8191)).status == 404


@pytest.mark.parametrize(("path", "limit"), [("/predict", 2_000_000), ("/train", 3_000_000)])
def test_fault_06_a_body_that_is_too_long_is_refused_before_it_comes(server: Server, path: str, limit: int) -> None:
    """By its length alone; and a client that sends all of it first can still read why."""
    head = request("POST", path, content_length=str(limit + 1), connection="close")
    with opened(server) as client:
        client.sendall(head)
        assert (early := one_of(client)).status == 413
    assert early.slug == "body-too-large"

    (late,) = ask(server, head, *[b" " * 100_000] * (limit // 100_000), b" ")
    assert late.slug == "body-too-large"


def test_fault_07_chunks_have_a_limit(server: Server) -> None:
    """Of all their bytes, however they come; and of their number."""
    head = request("POST", "/train", transfer_encoding="chunked", connection="close")
    long, short = b"186a0\r\n" + b" " * 100_000 + b"\r\n", b"1\r\n \r\n"
    for chunks in ([long] * 31, [short * 1000] * 101):
        before = memory(server)
        answers = ask(server, head, *chunks)
        assert [(answer.status, answer.slug) for answer in answers] == [(413, "body-too-large")]
        assert memory(server) - before < 30e6


HIDDEN = request("DELETE", "/models/line")
SMUGGLING = {
    "length and chunks": request("POST", "/predict", b"0\r\n\r\n", content_length="5", transfer_encoding="chunked"),
    "chunks and length": request("POST", "/predict", b"0\r\n\r\n", transfer_encoding="chunked", Content_Length="5"),
    "two lengths": request("POST", "/predict", b"", content_length="2\r\ncontent-length: 40") + b"{}",
    "the same length twice": request("POST", "/predict", b"", content_length="2\r\nContent-Length: 2") + b"{}",
    "lengths in one": request("POST", "/predict", b"", content_length="2, 2") + b"{}",
    "two codings": request("POST", "/predict", b"", transfer_encoding="chunked\r\ntransfer-encoding: chunked"),
    "a folded line": request("POST", "/predict", b"", x_y="a\r\n content-length: 5"),
    "a folded first line": b"GET /livez HTTP/1.1\r\n host: localhost\r\n\r\n",
    "bare line feeds": request("GET", "/livez").replace(b"\r\n", b"\n"),
    "one bare line feed": request("GET", "/livez", x_y="a\nx-z: b"),
    "a bare carriage return": request("GET", "/livez", x_y="a\rcontent-length: 5"),
    "a space before the colon": request("POST", "/predict", b"{}").replace(b"content-length:", b"content-length :"),
    "a NUL": request("GET", "/livez", x_y="a\0b"),
    "a chunk without an end": request("POST", "/predict", transfer_encoding="chunked") + b"2\r\n{}0\r\n\r\n",
    "a chunk of a bare line feed": request("POST", "/predict", transfer_encoding="chunked") + b"2\n{}\n0\n\n",
    "a chunk of no size": request("POST", "/predict", transfer_encoding="chunked") + b"x\r\n{}\r\n0\r\n\r\n",
    "a chunk of a huge size": request("POST", "/predict", transfer_encoding="chunked") + b"f" * 17 + b"\r\n",
    "chunks in HTTP/1.0": request("POST", "/predict", transfer_encoding="chunked").replace(b"1.1", b"1.0"),
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": request("GET", "/livez", Host="localhost"),
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_fault_08_what_may_be_read_as_two_requests_is_none(server: Server, name: str) -> None:
    """400, and nothing that follows on the connection is done."""
    answers = ask(server, SMUGGLING[name] + HIDDEN + CLOSING)

    assert [(answer.status, answer.slug) for answer in answers] == [(400, "malformed-http")]
    assert answers[0].headers["connection"] == "close"
    assert asked(server, request("POST", "/predict", QUESTION)).status == 200  # the model is still there


@pytest.mark.parametrize(
    "target", ["http://localhost", "http://localhost?x", "http://localhost:99999/livez", "/a\x7fb"]
)
@pytest.mark.parametrize("body", [b"", b"{}"], ids=["alone", "in front of a body"])
def test_fault_08_an_address_that_none_can_be_is_told(server: Server, target: str, body: bytes) -> None:
    """Whoever finds it: what the guard takes for an address, the parser behind it may not."""
    answers = ask(server, request("POST", target, body, x_request_id="mine") + CLOSING)

    assert [(answer.status, answer.slug) for answer in answers] == [(400, "malformed-http")]
    assert answers[0].headers["connection"] == "close"


REFUSED_HEADS = {
    400: request("HEAD", "/livez", Host="localhost"),
    408: b"HEAD /livez HTTP/1.1\r\nhost: local",
    414: b"\r\n" + request("HEAD", "/" + "a" * 8192),
    421: request("HEAD", "/livez").replace(b"localhost", b"elsewhere.example"),
    431: request("HEAD", "/livez", **{f"x{number}": "y" for number in range(100)}),
    501: request("HEAD", "/livez", transfer_encoding="gzip"),
}


@pytest.mark.parametrize("status", REFUSED_HEADS)
def test_what_asks_for_a_head_is_refused_with_a_head(server: Server, status: int) -> None:
    """Its length is told, and nothing follows it, which the client would take for the next answer."""
    (answer,) = ask(server, REFUSED_HEADS[status])

    assert (answer.status, answer.body) == (status, b"")
    assert int(answer.headers["content-length"]) > 100


REFUSED = {
    "a length that is none": request("POST", "{}", x_request_id="mine", content_length="x"),
    "too many headers": request("POST", "{}", x_request_id="mine", **{f"x{number}": "y" for number in range(100)}),
    "a chunk that is none": request("POST", "{}", x_request_id="mine", transfer_encoding="chunked") + b"x\r\n",
    "an unknown method": request("BREW", "{}", x_request_id="mine"),
    "an address without an end": request("POST", "{}?" + "a" * 8192, x_request_id="mine"),
    "a body that hardly arrives": request("POST", "{}", x_request_id="mine", content_length="9"),
    "one in chunks": request("POST", "{}", x_request_id="mine", transfer_encoding="chunked"),
    "a head that hardly arrives": request("POST", "{}", x_request_id="mine")[:-2],
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_is_refused_is_told_in_the_form_of_the_path_with_the_id_that_was_sent(server: Server, name: str) -> None:
    """As far as that has come: also where nobody could read all of the head, or the rest of the body."""
    own, foreign = [ask(server, REFUSED[name].replace(b"{}", path)) for path in (b"/predict", b"/v2/models/line/infer")]

    assert [json.loads(answer.body)["instance"] for answer in own] == ["/predict"]
    assert [[*json.loads(answer.body)] for answer in foreign] == [["error"]]
    assert {answer.headers["x-request-id"] for answer in own + foreign} == {"mine"}


def test_fault_08_headers_behind_a_body_are_none(server: Server) -> None:
    """What stands behind the last chunk cannot say for whom or from where the request is."""
    body = b"%x\r\n%b\r\n0\r\norigin: http://elsewhere.example\r\nhost: elsewhere.example\r\n\r\n" % (
        len(QUESTION),
        QUESTION,
    )
    answers = ask(server, request("POST", "/predict", transfer_encoding="chunked") + body + CLOSING)

    assert [answer.status for answer in answers] == [200, 200]


@pytest.mark.parametrize("length", ["x", "-1", "+2", "0x2", "1e3", "", " ", "2 2", "9" * 19, "2,", "٢"])
def test_fault_09_a_length_is_a_number(server: Server, length: str) -> None:
    """Nothing else, and no more than any body could have."""
    sent = request("POST", "/predict", content_length="?") + b"{}"
    answers = ask(server, sent.replace(b"?", length.encode()) + CLOSING)

    assert [(answer.status, answer.slug) for answer in answers] == [(400, "malformed-http")]


@pytest.mark.parametrize("linger", [b"", b"\x01\0\0\0\0\0\0\0"], ids=["politely", "with a reset"])
def test_fault_10_a_body_that_breaks_off_starts_nothing(server: Server, linger: bytes) -> None:
    """There is no training, no model and no dataset after its client has gone."""
    body = json.dumps(TABLE | {"name": "broken"}).encode()
    with server.client() as client:
        before = [client.get(path).json() for path in ("/jobs", "/models", "/datasets")]
    for path in ("/train", "/datasets", "/models/broken/snapshot"):
        with opened(server) as half:
            half.sendall(request("PUT" if "snapshot" in path else "POST", path, body)[:-5])
            if linger:
                half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with server.client() as client:
        assert [client.get(path).json() for path in ("/jobs", "/models", "/datasets")] == before
        assert client.post("/predict", content=QUESTION).status_code == 200


def test_fault_18_requests_ahead_of_answers_are_answered_in_order(server: Server) -> None:
    """Ten thousand at once: as many as are taken ahead, one after the other in bounded memory, and then the end."""
    before = memory(server)
    with opened(server) as client:
        sending = Thread(target=_send, args=(client, b"".join(_numbered(number) for number in range(10_000))))
        sending.start()
        answers = answers_in(rest_of(client))
        sending.join()

    assert [answer.headers["x-request-id"] for answer in answers] == [str(number) for number in range(501)]
    assert {answer.status for answer in answers} == {200}
    assert [answer.headers.get("connection") for answer in answers] == [None] * 500 + ["close"]
    assert memory(server) - before < 20e6


def _send(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        client.sendall(data)


def _numbered(number: int) -> bytes:
    if number % 3:
        return request("GET", "/livez", x_request_id=str(number))
    return request("POST", "/predict", QUESTION, x_request_id=str(number))


def test_fault_19_idle_and_slow_connections_make_room(start_server: StartServer) -> None:
    """However many there are, whoever comes with a request is answered; the oldest of the others are ended."""
    server = start_server(
        NETLET_MOST_CONNECTIONS="20", NETLET_RECEIVE_SECONDS="60", NETLET_IDLE_SECONDS="60", NETLET_EXECUTOR="thread"
    )
    with ExitStack() as stack:
        clients = []
        for number in range(60):
            client = stack.enter_context(opened(server))
            client.sendall(
                [b"", b"GET /li", request("GET", "/livez"), request("POST", "/train", content_length="9")][number % 4]
            )
            clients.append(client)
            assert asked(server, request("GET", "/livez")).status == 200
        assert connections(server) < 25
        open_still = [client for client in clients[-8:] if is_open(client)]
        assert open_still, "the newest should be there"
        assert not [client for client in clients[:20] if is_open(client)]


def test_fault_19_more_requests_than_can_be_answered_are_503_at_once(start_server: StartServer) -> None:
    """Those in work go on, the service is seen to live, and the connection of who was refused may be used again."""
    server = start_server(NETLET_MOST_REQUESTS="2", NETLET_RECEIVE_SECONDS="60", NETLET_EXECUTOR="thread")
    body = json.dumps(TABLE | {"preset": "tutorial", "training": {"epochs": 60_000}, "X": [[1, 2]] * 3}).encode()
    with ExitStack() as stack:
        working = [stack.enter_context(opened(server)) for _ in range(2)]
        for client in working:
            client.sendall(request("POST", "/train", body))
        other = stack.enter_context(opened(server))
        wait_until(lambda: asked(server, request("GET", "/models")).status == 503)
        other.sendall(request("POST", "/train", body))
        answer = one_of(other)
        assert (answer.status, answer.slug, answer.headers["retry-after"]) == (503, "overloaded", "1")
        other.sendall(request("GET", "/livez"))
        assert one_of(other).status == 200
        assert {one_of(client).status for client in working} <= {201, 202}  # the latter after half a minute
        assert asked(server, request("GET", "/models")).status == 200


def test_fault_19_bodies_that_do_not_arrive_keep_no_request_from_being_answered(start_server: StartServer) -> None:
    """As many as there may be requests; where one more comes, the one of which nothing came for longest ends."""
    server = start_server(NETLET_MOST_REQUESTS="2", NETLET_RECEIVE_SECONDS="60", NETLET_EXECUTOR="thread")
    body = json.dumps(TABLE).encode()
    with ExitStack() as stack:
        slow = [stack.enter_context(opened(server)) for _ in range(3)]
        for client in slow[:2]:
            client.sendall(request("POST", "/train", body)[:-1])
            assert asked(server, request("GET", "/models")).status == 200
        slow[2].sendall(request("POST", "/train", body)[:-1])
        assert [(answer.status, answer.slug) for answer in answers_in(rest_of(slow[0]))] == [(408, "request-timeout")]
        assert asked(server, request("POST", "/predict", b"{")).status == 400

        slow[2].sendall(body[-1:])

        assert one_of(slow[2]).status == 201


HELLO = bytes.fromhex("16030100c4010000c00303") + bytes(range(180))  # how TLS begins
GARBAGE = {
    "TLS": HELLO,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
    "HTTP/0.9": b"GET /livez\r\n",
    "HTTP/3": b"GET /livez HTTP/3.0\r\nhost: localhost\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "noise": random.Random(0).randbytes(5000),
    "zeros": bytes(1000),
    "words": b"hello, is anybody there?\n",
    "an address that is no path": request("GET", "livez"),
}


def test_fault_20_what_is_no_http_is_400_and_one_line_of_the_log(
    environment_of_all: dict[str, str], tmp_path: Path
) -> None:
    """TLS, HTTP/2 and noise: told and closed at once, not after a while."""
    server = Server(environment_of_all | {"NETLET_MODELS": str(tmp_path), "NETLET_RECEIVE_SECONDS": "600"})
    try:
        for name, sent in GARBAGE.items():
            answers = ask(server, sent)
            assert [(answer.status, answer.slug) for answer in answers] == [(400, "malformed-http")], name
            time.sleep(0)
    finally:
        server.process.terminate()
        _, log = server.process.communicate(timeout=30)
    lines = [json.loads(line) for line in log.splitlines() if "refused" in line]
    assert len([line for line in lines if line["logger"] == "netlet.connections"]) == len(lines)
    assert sum(1 for line in lines if "no HTTP/1.1" in line["message"]) + sum(
        int(line["message"].split()[1]) for line in lines if line["message"].endswith("more")
    ) == len(GARBAGE)
