"""Faults 11 to 17: what a request may say of itself, each by its number, on a real server and raw sockets."""

import gzip
import json
import zlib
from contextlib import ExitStack
from functools import partial
from time import sleep
from typing import Any

import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import (
    QUESTION,
    TABLE,
    ask,
    asked,
    memory,
    one_of,
    opened,
    request,
)


def test_fault_11_bodies_may_be_compressed_but_not_without_bounds(server: Server) -> None:
    """Two ways are read, others are 415, and what inflates to too much is 413 in little memory."""
    for coding, body in (("gzip", gzip.compress(QUESTION)), ("deflate", zlib.compress(QUESTION))):
        assert asked(server, request("POST", "/predict", body, content_encoding=coding)).status == 200
    for coding in ("br", "compress", "gzip, gzip", "x"):
        answer = asked(server, request("POST", "/predict", QUESTION, content_encoding=coding))
        assert (answer.status, answer.slug) == (415, "unsupported-encoding")
    before = memory(server)
    answer = asked(server, request("POST", "/predict", gzip.compress(b" " * 10**8), content_encoding="gzip"))
    assert (answer.status, answer.slug) == (413, "body-too-large")
    assert memory(server) - before < 30e6


def test_who_waits_for_a_training_takes_no_memory_for_what_was_sent(start_server: StartServer) -> None:
    """As many may wait as there are requests: what each has sent is held no longer than it takes to write it down."""
    server = start_server(NETLET_TRAININGS_AT_ONCE="1")
    table = TABLE | {"preset": "tutorial", "training": {"epochs": 1_000_000}, "X": [[1, 2]] * 3}
    body = b" " * 30_000_000 + json.dumps(table).encode()
    with ExitStack() as stack:
        for number in range(14):
            client = stack.enter_context(opened(server))
            client.sendall(request("POST", "/train?wait=3600", body))
            wait_until(partial(are_submitted, server, number + 1))
            if number == 1:  # all that a training needs is loaded by now
                before = memory(server)

        # A thread that has read one keeps as much for the next; what was sent since is 360 MB.
        wait_until(lambda: memory(server) - before < 200e6)

    for job in jobs_of(server):
        assert asked(server, request("DELETE", f"/jobs/{job['job']}")).status == 200


def test_bodies_that_are_still_arriving_take_little_memory(start_server: StartServer) -> None:
    """However many there are, and however much of each has come; each is read once it is whole."""
    server = start_server(NETLET_RECEIVE_SECONDS="60")
    body = request("POST", "/train", b" " * 20_000_000)
    before = memory(server)
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(server)) for _ in range(8)]
        for client in clients:
            client.sendall(body[:-1])
        for _ in range(20):
            assert memory(server) - before < 60e6
            sleep(0.05)

        for client in clients:
            client.sendall(body[-1:])
            answer = one_of(client)
            assert (answer.status, answer.slug) == (400, "malformed-json")


def are_submitted(server: Server, count: int) -> bool:
    """Tell whether a server has so many trainings."""
    return len(jobs_of(server)) == count


def jobs_of(server: Server) -> list[dict[str, Any]]:
    """List the trainings of a server."""
    found: list[dict[str, Any]] = json.loads(asked(server, request("GET", "/jobs")).body)["jobs"]
    return found


def test_fault_12_a_body_is_what_it_is(server: Server) -> None:
    """JSON under any type that names no format, or none; what is neither JSON nor what it says is 400 or 422."""
    for media_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", "image/png", ";;"):
        assert asked(server, request("POST", "/predict", QUESTION, content_type=media_type)).status == 200
        answer = asked(server, request("POST", "/predict", b"hello", content_type=media_type))
        assert (answer.status, answer.slug) == (400, "malformed-json")
    assert asked(server, request("POST", "/predict", QUESTION)).status == 200
    answer = asked(server, request("POST", "/predict?model=line", QUESTION, content_type="application/x-npy"))
    assert (answer.status, answer.slug) == (422, "table-format")


def test_fault_13_methods_that_are_none_and_those_of_other_paths(server: Server) -> None:
    """501 for what no path takes; 405 names all that the path does take."""
    for method in ("FOO", "get", "PROPFIND", "TRACE", "CONNECT", "X" * 32):
        (answer,) = ask(server, request(method, "/livez"))
        assert (answer.status, answer.slug) == (501, "unknown-method")
    for method, path, allowed in (
        ("DELETE", "/train", "POST"),
        ("POST", "/models/line", "DELETE, GET, HEAD, PATCH"),
        ("PATCH", "/models/line/aliases/live", "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", "/jobs/1/events", "GET, HEAD"),
    ):
        answer = asked(server, request(method, path))
        assert (answer.status, answer.slug, answer.headers["allow"]) == (405, "method-not-allowed", allowed)


@pytest.mark.parametrize("path", ["/train/", "//train", "/./train", "/x/../train", "/train//", "/predict/", "/TRAIN"])
def test_fault_14_a_path_is_as_it_is_written(server: Server, path: str) -> None:
    """Others are 404: nobody is sent elsewhere with a body."""
    answer = asked(server, request("POST", path, json.dumps(TABLE).encode()))

    assert (answer.status, answer.slug) == (404, "not-found")


def test_fault_15_names_that_are_not_the_services_are_421(server: Server) -> None:
    """Those that a page could have point here; its own names, addresses and those that were set are answered."""
    for host in ("evil.example", "localhost.evil.example", "evil.example:80", "example.net", "127.0.0.1.evil.example"):
        for sent in (request("GET", "/livez"), request("POST", "/predict", QUESTION)):
            (answer,) = ask(server, sent.replace(b"host: localhost", f"host: {host}".encode()))
            assert (answer.status, answer.slug) == (421, "bad-host")
    (whole,) = ask(server, request("GET", "http://evil.example/livez"))
    assert (whole.status, whole.slug) == (421, "bad-host")
    for host in (
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:1",
        "10.1.2.3",
        "[::1]:8000",
        "a.b.example.net",
    ):
        for sent in (request("GET", "/livez"), request("POST", "/predict", QUESTION)):
            assert asked(server, sent.replace(b"host: localhost", f"host: {host}".encode())).status == 200
    assert (
        asked(server, request("GET", "/livez", Host="netlet.example.org").replace(b"host: localhost\r\n", b"")).status
        == 200
    )


def test_fault_16_other_sites_change_nothing(server: Server) -> None:
    """Whatever their page sends: 403, also to the path that is fastest."""
    for method, path in (
        ("POST", "/train"),
        ("POST", "/predict"),
        ("PUT", "/models/line/aliases/live"),
        ("PATCH", "/models/line"),
        ("DELETE", "/models/line"),
    ):
        for header in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
            answer = asked(server, request(method, path, QUESTION, **header))
            assert (answer.status, answer.slug) == (403, "cross-origin")
    own = asked(server, request("POST", "/predict", QUESTION, origin="http://localhost", sec_fetch_site="same-origin"))
    assert own.status == 200


def test_fault_17_a_form_that_no_answer_has_is_406(server: Server) -> None:
    """Of a prediction, at least."""
    for sent in (
        request("POST", "/predict", QUESTION, accept="image/png"),
        request("POST", "/predict", QUESTION, accept="application/json;q=0"),
    ):
        answer = asked(server, sent)
        assert (answer.status, answer.slug) == (406, "not-acceptable")
