"""Fault 81: a process that may open no more files, for which each connection is one."""

import json
import resource
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import Server, StartServer, wait_until
from tests.faults.wire import QUESTION, TABLE, asked, connections, one_of, opened, request

FLOOD = 60
FEW = 340  # files
LIVEZ = request("GET", "/livez")


def is_answered(server: Server) -> bool:
    """Tell whether somebody who comes now is."""
    try:
        return asked(server, LIVEZ).status == 200
    except (OSError, AssertionError):
        return False


def leave(server: Server, files: int) -> None:
    """Let a server open so many more files at most."""
    used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + files, hard))


def test_fault_81_no_more_files_is_no_end(start_server: StartServer) -> None:
    """Who is connected is answered, what needs a file is 503, and once there are files again all is as before."""
    server = start_server(NETLET_EXECUTOR="thread", NETLET_IDLE_SECONDS="600", NETLET_RECEIVE_SECONDS="600")
    with server.client() as client:
        for name in ("line", "other"):
            client.post("/train", json=TABLE | {"name": name}).raise_for_status()
        client.post("/predict", content=QUESTION).raise_for_status()
    other = json.dumps({"model": "other", "X": [[1]]}).encode()
    with ExitStack() as stack:
        friend = stack.enter_context(opened(server))
        friend.sendall(LIVEZ)
        assert one_of(friend).status == 200
        leave(server, 10)
        for _ in range(FLOOD):
            stack.enter_context(opened(server))
        for sent, statuses in (
            (LIVEZ, {200}),
            (request("POST", "/predict", QUESTION), {200}),
            (request("POST", "/predict", other), {200, 503}),
            (request("POST", "/train", json.dumps(TABLE).encode()), {201, 503, 507}),
            (request("GET", "/jobs"), {200, 503}),
            (request("GET", "/readyz"), {200, 503}),
        ):
            friend.sendall(sent)
            answer = one_of(friend)
            assert answer.status in statuses, (sent, answer)
    wait_until(lambda: is_answered(server))
    leave(server, 500)
    assert server.process.poll() is None
    with server.client() as client:
        assert client.post("/predict", content=other).status_code == 200
        assert client.post("/train", json=TABLE).status_code == 201


def test_fault_81_connections_leave_files_for_others(environment: dict[str, str]) -> None:
    """Where a process may open few, there are as many fewer connections, and who is idle makes room."""
    settings = {"NETLET_EXECUTOR": "thread", "NETLET_IDLE_SECONDS": "600", "NETLET_RECEIVE_SECONDS": "600"}
    server = Server(environment | settings, under=["prlimit", f"--nofile={FEW}:{FEW}"])
    try:
        with ExitStack() as stack:
            for _ in range(FEW):
                stack.enter_context(opened(server))
            assert asked(server, LIVEZ).status == 200
            assert asked(server, request("POST", "/train", json.dumps(TABLE).encode())).status == 201
            assert connections(server) < FEW / 2
    finally:
        server.end()
