"""HEAD is answered as GET would be, without the body, on every path that takes it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import httpx
import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import ANSWER, TABLE, asked, one_of, opened, request

LONG = TABLE | {"name": "long", "preset": "tutorial", "training": {"epochs": 10_000_000}}
OF_ITS_OWN = {"date", "x-request-id", "content-length", "etag"}  # of an answer, which may tell when it was made
FILLED = {
    "name": "line",
    "version": "1",
    "alias": "live",
    "job_id": "1",
    "model": "line",
    "dataset_id": "0" * 32,
}


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """Start a service that has a model, and room for one stream."""
    server = start_server(NETLET_MOST_STREAMS="1")
    httpx.post(f"{server.url}/train", json=TABLE, timeout=60).raise_for_status()
    return server


def test_every_path_that_takes_get_takes_head(server: Server) -> None:
    """Its status and its headers, and where the body does not tell the time, also how long that would be."""
    document = json.loads(asked(server, request("GET", "/openapi.json")).body)
    paths = [path for path, methods in document["paths"].items() if "get" in methods]
    assert len(paths) > 20
    for template in [*paths, "/", "/docs", "/plain", "/nowhere"]:
        path = re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], "1"), template)
        whole = asked(server, request("GET", path))
        with connected(server) as client:
            status, headers = head_of(client, path)
            assert status == whole.status, path
            assert of_both(headers) == of_both(whole.headers), path
            client.sendall(request("GET", "/livez"))
            assert one_of(client).status == 200  # which begins where the head ended


def test_head_tells_how_long_the_body_would_be(server: Server) -> None:
    """And its tag, by which a client sees whether it has it already."""
    whole = asked(server, request("GET", "/models/line/versions/1/snapshot"))
    with connected(server) as client:
        _, headers = head_of(client, "/models/line/versions/1/snapshot")

    assert int(headers["content-length"]) == len(whole.body)
    assert headers["etag"] == whole.headers["etag"]


def test_a_path_that_does_not_take_get_does_not_take_head(server: Server) -> None:
    """405 with what it takes; what takes GET says HEAD, too."""
    with connected(server) as client:
        status, headers = head_of(client, "/train")
    assert (status, headers["allow"]) == (405, "POST")
    assert asked(server, request("POST", "/livez")).headers["allow"] == "GET, HEAD"


def test_the_head_of_a_stream_ends_and_keeps_no_place(server: Server) -> None:
    """However long the training goes on that it would tell of; the connection goes on."""
    job = httpx.post(f"{server.url}/train", json=LONG, params={"wait": 0}, timeout=60).json()["job"]
    path = f"/jobs/{job}/events"
    with connected(server) as client:
        for _ in range(3):
            status, headers = head_of(client, path)
            assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    with httpx.stream("GET", f"{server.url}{path}", timeout=60) as stream:
        assert stream.status_code == 200
        assert next(stream.iter_lines())
    httpx.delete(f"{server.url}/jobs/{job}", timeout=60).raise_for_status()
    wait_until(lambda: httpx.get(f"{server.url}/jobs/{job}", timeout=60).json()["status"] == "cancelled")


@contextmanager
def connected(server: Server) -> Iterator[socket]:
    """Open a connection."""
    with opened(server) as client:
        yield client


def head_of(client: socket, path: str) -> tuple[int, dict[str, str]]:
    """Ask for a head, and take nothing that comes after it."""
    client.sendall(request("HEAD", path))
    arrived = b""
    while (head := ANSWER.match(arrived)) is None:
        arrived += client.recv(2**16)
    assert head.end() == len(arrived), arrived[head.end() :]
    lines = (line.partition(b":") for line in head[2].split(b"\r\n"))
    return int(head[1]), {name.decode().lower(): value.strip().decode() for name, _, value in lines}


def of_both(headers: dict[str, str]) -> dict[str, str]:
    """Leave out what two answers to the same may differ in."""
    return {name: value for name, value in headers.items() if name not in OF_ITS_OWN}
