"""Ending: whoever asks meanwhile is answered, and whoever waits is told; a second signal is in a hurry."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from app.store.files import locked, opened
from tests.conftest import TUTORIAL, Server, StartServer, wait_until

LONG: dict[str, Any] = TUTORIAL | {"name": "long", "training": {"epochs": 3_000_000}}
XY = {"name": "exam", "X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}
PREDICT = b'{"model": "exam", "X": [[1, 2]]}'


def connected(server: Server) -> socket.socket:
    """Open a connection that the server knows of."""
    url = httpx.URL(server.url)
    connection = socket.create_connection((url.host, url.port or 0), timeout=60)
    assert asked(connection, b"GET /livez")[0] == 200
    return connection


def asked(connection: socket.socket, what: bytes, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Ask on a connection; give status, headers and body."""
    connection.sendall(what + b" HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    with connection.makefile("rb") as answer:
        status = int(answer.readline().split()[1])
        lines = iter(answer.readline, b"\r\n")
        headers = dict(line.decode("ascii").lower().rstrip().split(": ", 1) for line in lines)
        return status, headers, answer.read(int(headers["content-length"]))


def drains(server: Server) -> None:
    """Wait until no new connection is taken: by then the server has heard the signal."""
    url = httpx.URL(server.url)

    def is_refused() -> bool:
        try:
            socket.create_connection((url.host, url.port or 0), timeout=60).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(is_refused)


def test_each_connection_has_one_more_answer(start_server: StartServer) -> None:
    """By the lane and by the application, the last one; then the process ends with exit code 0."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json=XY).raise_for_status()
    by_lane, by_application, ready, training = [connected(server) for _ in range(4)]

    server.process.send_signal(signal.SIGTERM)
    drains(server)
    answers = [
        asked(by_lane, b"POST /predict", PREDICT),
        asked(by_application, b"GET /models"),
        asked(ready, b"GET /readyz"),
        asked(training, b"POST /train", json.dumps(XY).encode()),
    ]

    assert [status for status, _, _ in answers[:3]] == [200, 200, 503]
    assert b"/problems/shutting-down" in answers[2][2]
    assert answers[3][0] == 202  # whoever comes next trains it
    for connection, (_, headers, _) in zip((by_lane, by_application, ready, training), answers, strict=True):
        assert headers["connection"] == "close"
        assert connection.recv(1) == b""
        connection.close()
    assert server.end(signal.SIGCONT) == 0

    with start_server().client() as client:
        wait_until(lambda: client.get("/models/exam").json()["versions"] == [1, 2])


def test_new_connections_are_taken_for_as_long_as_is_set(start_server: StartServer) -> None:
    """/readyz tells that it is time to go elsewhere; whoever has not heard of it is answered."""
    server = start_server(NETLET_DRAIN_SECONDS="600")
    with server.client() as client:
        client.post("/train", json=XY).raise_for_status()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/readyz").status_code == 503)

        answer = client.post("/predict", json={"model": "exam", "X": [[1, 2]]})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert client.get("/v2/health/ready").status_code == 503

    assert server.end(signal.SIGTERM) == 0  # the second one


def test_who_follows_a_training_is_sent_elsewhere(start_server: StartServer) -> None:
    """The last event says so, with the milliseconds after which to connect again."""
    server = start_server()
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        with client.stream("GET", f"/jobs/{job}/events") as events:
            lines = events.iter_lines()
            assert "event: running" in next(line for line in lines if line)
            server.process.send_signal(signal.SIGTERM)
            told = list(lines)

    assert told[told.index("event: shutdown") + 1].startswith("data: {")
    assert "retry: 1000" in told
    assert server.end(signal.SIGCONT) == 0


def test_a_training_is_put_down_and_goes_on_from_there(start_server: StartServer, tmp_path: Path) -> None:
    """Though no checkpoint was due: the next service has lost no epoch, and it is no new attempt."""
    server = start_server(NETLET_CHECKPOINT_SECONDS="3600")
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        wait_until(lambda: (client.get(f"/jobs/{job}").json()["epoch"] or 0) > 1000)
        reached = client.get(f"/jobs/{job}").json()["epoch"]

    assert server.end(signal.SIGTERM) == 0

    (checkpoint,) = (tmp_path / "models" / ".jobs" / f"{job}.checkpoints").iterdir()
    put_down = int(checkpoint.name.split("-")[0])
    assert put_down >= reached
    with start_server().client() as client:
        wait_until(lambda: client.get(f"/jobs/{job}").json()["epoch"] > put_down, seconds=60)
        shown = client.get(f"/jobs/{job}").json()
        assert (shown["status"], shown["attempt"]) == ("running", 1)
        client.delete(f"/jobs/{job}").raise_for_status()


def test_a_paused_training_is_left_where_it_pauses(start_server: StartServer) -> None:
    """It takes no step more, however soon the service ends."""
    server = start_server()
    with server.client() as client:
        body = TUTORIAL | {"training": {"epochs": 100}}
        job = client.post("/train", params={"paused": True}, json=body).json()["job"]
        assert client.post(f"/jobs/{job}/step", params={"epochs": 7}).json()["epoch"] == 7
    assert server.end(signal.SIGTERM) == 0

    with start_server().client() as client:
        shown = client.get(f"/jobs/{job}").json()
        assert (shown["status"], shown["paused"], shown["epoch"], shown["attempt"]) == ("running", True, 7, 1)
        client.post(f"/jobs/{job}/resume").raise_for_status()
        wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "succeeded")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_waits_for_nobody(first: signal.Signals, start_server: StartServer) -> None:
    """Who has not sent all is told so at once, although the grace is long; the training goes on with the next."""
    server = start_server(NETLET_GRACE_SECONDS="3600")
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).json()["job"]
        wait_until(lambda: (client.get(f"/jobs/{job}").json()["epoch"] or 0) > 100)
    with connected(server) as slow, slow.makefile("rb") as answer:
        slow.sendall(b"POST /train HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{")
        connected(server).close()  # by then it has been heard

        server.process.send_signal(first)
        drains(server)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(2)

        assert server.end(first) == 0
        assert answer.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
    with start_server().client() as client:
        assert client.get(f"/jobs/{job}").json()["status"] == "running"
        client.delete(f"/jobs/{job}").raise_for_status()


def test_long_work_is_given_up_in_the_end(start_server: StartServer) -> None:
    """Whoever asked for what takes a minute is told to come back; no work goes on for nobody."""
    wide = XY | {"network": {"hidden": [2000, 2000]}, "training": {"optimizer": "adam", "epochs": 1, "members": 1}}
    server = start_server(NETLET_GRACE_SECONDS="0")
    with server.client() as client:
        client.post("/train", json=wide).raise_for_status()
    before = ticks_of(server.process.pid)
    with connected(server) as asking, asking.makefile("rb") as answer:
        body = b'{"model": "exam", "X": [' + b",".join([b"[1.0, 2.0]"] * 100_000) + b"]}"
        asking.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: ticks_of(server.process.pid) > before + 100)

        assert server.end(signal.SIGTERM) == 0

        assert answer.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"


def test_nothing_that_hangs_keeps_a_service_from_ending(start_server: StartServer, settings: Settings) -> None:
    """Something waits, in a thread, for a lock that another process does not give up; whoever asked is told."""
    server = start_server(NETLET_GRACE_SECONDS="0")
    with opened(settings.models / ".datasets") as folder, locked(folder), connected(server) as asking:
        asking.sendall(b"DELETE /datasets/%s HTTP/1.1\r\nhost: localhost\r\n\r\n" % (b"0" * 32))
        wait_until(lambda: _waits_for_lock(server.process.pid))

        server.process.send_signal(signal.SIGTERM)
        _, log = server.process.communicate(timeout=30)

        assert server.process.returncode == 0
        assert "something hangs" in log
        assert asking.recv(99).startswith(b"HTTP/1.1 503 ")


def _waits_for_lock(process: int) -> bool:
    waiting = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
    return str(process) in [pid for line in waiting for pid in line]


def ticks_of(process: int) -> int:
    """Processor time that a process has used, in hundredths of seconds."""
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11])


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[2]}
os.execv(sys.executable, [sys.executable, "-m", "app.cli", "serve", *sys.argv[3:]])
"""


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_a_listener_that_is_handed_over_outlasts_the_service(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """As systemd does: who connects while none runs waits for the next one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - it takes no names
        command = [sys.executable, "-c", HAND_OVER, str(listener.fileno()), "1", *arguments]
        for _ in range(2):
            with (
                socket.create_connection(listener.getsockname(), timeout=60) as waiting,
                subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()]) as service,
            ):
                assert asked(waiting, b"GET /livez")[0] == 200
                service.send_signal(signal.SIGTERM)
                assert service.wait(30) == 0


NOT_TO_HAND_OVER: dict[str, tuple[Callable[[], socket.socket], str]] = {
    "no TCP": (lambda: socket.socket(socket.AF_UNIX), "1"),
    "not listening": (socket.socket, "1"),
    "several": (lambda: socket.create_server(("127.0.0.1", 0)), "2"),
    "open to others": (lambda: socket.create_server(("", 0)), "1"),
}


@pytest.mark.parametrize("kind", NOT_TO_HAND_OVER)
def test_only_one_tcp_socket_at_the_host_that_is_set_is_taken(kind: str, environment: dict[str, str]) -> None:
    """Anything else is said so, in one line, with exit code 1: nobody listens to other machines by mistake."""
    make, count = NOT_TO_HAND_OVER[kind]
    with make() as handed:
        command = [sys.executable, "-c", HAND_OVER, str(handed.fileno()), count]
        files = [handed.fileno()]
        run = subprocess.run(
            command, env=environment, pass_fds=files, capture_output=True, text=True, check=False, timeout=60
        )

    assert run.returncode == 1
    assert "Hand over one TCP socket at this address." in run.stderr
    assert "Traceback" not in run.stderr
