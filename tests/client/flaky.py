"""A way to a service on which connections break, each as a test says."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Thread

import httpx

AT_ONCE = struct.pack("ii", 1, 0)  # no lingering: what is closed is reset


class Fault(Enum):
    """What becomes of a connection."""

    NEVER_ARRIVES = auto()
    """Nothing of what is sent reaches the service."""
    ANSWER_LOST = auto()
    """The service does what it is asked for, and nobody hears of it."""
    ANSWER_CUT = auto()
    """Half of the answer arrives."""


@contextmanager
def flaky(url: str, faults: list[Fault]) -> Iterator[str]:
    """Give an address that leads to a service, on which the first connections have these faults, and others none."""
    service, left = httpx.URL(url), [*faults]

    def serve() -> None:
        with suppress(OSError):  # closed with the test
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                fault = left.pop(0) if left else None
                Thread(target=_carry, args=(client, service, fault), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    assert not left, "not all connections that were to break were made"


def _carry(client: socket.socket, service: httpx.URL, fault: Fault | None) -> None:
    """Carry requests there and answers back, as far as they come."""
    with client, socket.create_connection((service.host, service.port or 80)) as upstream, suppress(OSError):
        if fault is Fault.NEVER_ARRIVES:
            client.recv(1)
            return
        there = Thread(target=_pump, args=(client, upstream), daemon=True)
        there.start()
        if fault is None:
            _pump(upstream, client)
            return
        answer = upstream.recv(2**16)
        if fault is Fault.ANSWER_CUT:
            client.sendall(answer[: len(answer) // 2])
        client.shutdown(socket.SHUT_RDWR)  # else it stays open for as long as it is read from


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
