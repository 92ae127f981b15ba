"""The wire: bytes to and from a real server, as a client that does as it likes sends and takes them."""

import json
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Self

from tests.conftest import Server

SECONDS = 60.0  # after which something that should have come is given up, beyond those that a training is waited for
TABLE = {"name": "line", "X": [[1], [2], [3]], "y": [1, 2, 3], "training": {"optimizer": "adam", "epochs": 2}}
QUESTION = json.dumps({"model": "line", "X": [[1]]}).encode()
ANSWER = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) [^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def slug(self) -> str:
        """The end of the problem's type; it is one, in the form that all have."""
        assert self.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = json.loads(self.body)
        assert told["status"] == self.status
        assert told["request_id"] == self.headers["x-request-id"]
        assert told["title"]
        assert told["detail"]
        assert len(self.body) < 4096
        return str(told["type"]).removeprefix("/problems/")


def request(method: str, path: str, body: bytes = b"", /, **headers: str) -> bytes:
    """Write a request; `_` stands for the dash in a header's name."""
    told = {"host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body and "transfer-encoding" not in told:
        told = {"content-length": str(len(body))} | told
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@contextmanager
def opened(server: Server, *, buffer: int | None = None) -> Iterator[socket.socket]:
    """Open a connection, whose client takes little at a time where a size is given."""
    with socket.socket() as client:
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(SECONDS)
        host, _, port = server.url.removeprefix("http://").partition(":")
        client.connect((host, int(port)))
        yield client


def rest_of(client: socket.socket) -> bytes:
    """Give all that comes until the connection ends, whoever ends it and however."""
    arrived = bytearray()
    with suppress(ConnectionError):
        while piece := client.recv(2**16):
            arrived += piece
    return bytes(arrived)


def answers_in(arrived: bytes) -> list[Answer]:
    """Read answers, each of which says how long it is."""
    found = []
    while (head := ANSWER.match(arrived)) is not None:
        lines = (line.partition(b":") for line in head[2].split(b"\r\n"))
        headers = {name.decode().lower(): value.strip().decode() for name, _, value in lines}
        end = head.end() + int(headers.get("content-length", "0"))
        found.append(Answer(int(head[1]), headers, arrived[head.end() : end]))
        arrived = arrived[end:].removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert not arrived, arrived[:200]
    return found


def one_of(client: socket.socket) -> Answer:
    """Wait for one answer, and take no more than that."""
    arrived = bytearray()
    while (head := ANSWER.match(arrived)) is None:
        arrived += _some(client)
    length = int(re.search(rb"content-length: (\d+)", head[2])[1])  # type: ignore[index]  # each has one
    while len(arrived) < head.end() + length:
        arrived += _some(client)
    (answer,) = answers_in(bytes(arrived))
    return answer


def _some(client: socket.socket) -> bytes:
    piece = client.recv(2**16)
    assert piece, "the connection ended before its answer came"
    return piece


def ask(server: Server, *sent: bytes) -> list[Answer]:
    """Send something whole, however it is taken, and give all answers until the server ends the connection."""
    with opened(server) as client:
        with suppress(ConnectionError):
            for piece in sent:
                client.sendall(piece)
        return answers_in(rest_of(client))


def asked(server: Server, sent: bytes) -> Answer:
    """Send one request, and give its answer, whether the connection ends or not."""
    with opened(server) as client:
        client.sendall(sent)
        return one_of(client)


def memory(server: Server) -> int:
    """Tell the bytes of memory that a server has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]  # it is always there


def ended(clients: Iterable[socket.socket]) -> list[list[Answer]]:
    """Wait for the end of each connection, and give what came before it."""
    return [answers_in(rest_of(client)) for client in clients]


def connections(server: Server) -> int:
    """Tell how many the server has open."""
    names = {_name_of(link) for link in Path(f"/proc/{server.process.pid}/fd").iterdir()}
    return sum(name.startswith("socket:") for name in names) - 1  # that at which it listens


def _name_of(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # it was closed meanwhile


def is_open(client: socket.socket) -> bool:
    """Tell whether the other side has it open, too; what has come of it is thrown away."""
    try:
        client.settimeout(0)
        while client.recv(2**16):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


class Others:
    """Clients who do as they should while somebody else does not; each of their requests must be answered."""

    def __init__(self, server: Server) -> None:
        self.server, self.answered, self.failed = server, 0, ""
        self.over = Event()
        self.thread = Thread(target=self._ask)

    def _ask(self) -> None:
        with self.server.client() as client:
            while not self.over.is_set():
                response = client.post("/predict", content=QUESTION)
                if response.status_code != 200:
                    self.failed = response.text
                self.answered += 1
                time.sleep(0.01)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        assert self.answered
        assert not self.failed
