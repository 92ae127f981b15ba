"""Fault 67: those who follow a training: how many there are, how slowly they read, and what they say they saw."""

import json
import socket
import time
from contextlib import ExitStack
from threading import Thread
from typing import Any, NamedTuple

import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import TABLE, asked, memory, opened, request

MOST = 20


class Event(NamedTuple):
    """One that was told."""

    name: str
    id: str
    data: Any


def begun(server: Server, settings: dict[str, Any], **how: str) -> str:
    """Begin a training, and give its job."""
    with server.client() as client:
        response = client.post("/train", params={"wait": "0"} | how, json=TABLE | settings)
        response.raise_for_status()
        return str(response.json()["job"])


def follow(client: socket.socket, job: str, *, after: str = "", query: str = "") -> None:
    """Ask for the events of a job."""
    headers = {"last-event-id": after} if after else {}
    client.sendall(request("GET", f"/jobs/{job}/events{query}", connection="close", **headers))


def until(client: socket.socket, ending: bytes) -> bytes:
    """Read until something has come, or the end."""
    arrived = bytearray()
    while ending not in arrived and (piece := client.recv(2**16)):
        arrived += piece
    return bytes(arrived)


def events_in(arrived: bytes) -> list[Event]:
    """Read events."""
    found = []
    for block in arrived.decode().replace("\r\n", "\n").split("\n\n"):
        told = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in told:
            found.append(Event(told["event"], told.get("id", ""), json.loads(told["data"])))
    return found


def test_fault_67_followers_have_a_limit(start_server: StartServer) -> None:
    """However many there are, so many are told and all others are 429 at once; whoever leaves makes room."""
    server = start_server(NETLET_MOST_STREAMS=str(MOST), NETLET_EXECUTOR="thread", NETLET_MOST_REQUESTS="5")
    job = begun(server, {}, paused="true")
    with ExitStack() as stack:
        followers = [stack.enter_context(opened(server)) for _ in range(MOST)]
        for client in followers:
            follow(client, job)
            assert b"event: running" in until(client, b"event: running")
        for _ in range(5 * MOST):
            answer = asked(server, request("GET", f"/jobs/{job}/events"))
            assert (answer.status, answer.slug, answer.headers["retry-after"]) == (429, "too-many-streams", "5")
        assert asked(server, request("GET", f"/jobs/{job}")).status == 200  # streams are no requests in work
        followers[0].close()
        again = stack.enter_context(opened(server))

        def is_told() -> bool:
            answer = request("GET", f"/jobs/{job}/events")
            again.sendall(answer)
            return b"text/event-stream" in until(again, b"\r\n\r\n")

        wait_until(is_told)
        asked(server, request("DELETE", f"/jobs/{job}"))


def test_fault_67_a_slow_follower_is_told_the_newest(start_server: StartServer) -> None:
    """Who does not read for a while misses states in between, takes no memory, and is told how it ended."""
    server = start_server(NETLET_EXECUTOR="thread")
    told: list[Event] = []
    wide = {"training": {"optimizer": "adam", "epochs": 10**6, "tolerance": 0}, "network": {"hidden": [100, 100]}}
    job = begun(server, wide)
    with opened(server, buffer=2**12) as slow, opened(server) as attentive:
        follow(slow, job, query="?weights=true")
        follow(attentive, job, query="?weights=true")
        reading = Thread(target=lambda: told.extend(events_in(until(attentive, b"never"))))
        reading.start()
        began, before = time.monotonic(), memory(server)
        wait_until(lambda: time.monotonic() > began + 8)
        assert memory(server) - before < 60e6
        assert asked(server, request("DELETE", f"/jobs/{job}")).status == 200
        reading.join(30)
        late = events_in(until(slow, b"never"))

    assert late[-1].name == told[-1].name == "cancelled"
    shown, seen = ([event.data["epoch"] for event in events if event.name == "weights"] for events in (told, late))
    assert len(seen) < len(shown)
    assert sorted(seen) == seen


@pytest.mark.parametrize("after", ["999999999", "9" * 30, "-1", "x", "1e3", ""])
def test_fault_67_what_a_follower_says_it_saw_may_be_anything(server: Server, after: str) -> None:
    """An epoch from the future, or none: the stream tells how the training is, and ends with it."""
    job = begun(server, {"training": {"optimizer": "adam", "epochs": 300}})
    with opened(server) as client:
        follow(client, job, after=after)
        events = events_in(until(client, b"never"))
    assert events[-1].name == "succeeded"
    with opened(server) as client:  # and once more, when it is over
        follow(client, job, after=after)
        assert [event.name for event in events_in(until(client, b"never"))][-1] == "succeeded"
