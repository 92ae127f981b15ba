"""Several workers: one port, one store, and none of them missed."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from time import sleep

import httpx
import pytest

from tests.conftest import Server, StartServer, wait_until
from tests.faults.clients import Asked, Crowd, Kept, until_answered
from tests.faults.wire import one_of, opened, request

XY = {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def answering(server: Server) -> str:
    """Wait until it answers: it listens before its workers have begun."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=60) as client:
        assert client.get(f"{server.url}/readyz").status_code == 200
    return server.url


@pytest.mark.only_on("sqlite")
def test_what_one_worker_has_acknowledged_all_know_at_once(start_server: StartServer) -> None:
    """New versions and deletions, asked about over new connections, which any worker may take."""
    url = answering(start_server("--workers", "2"))
    for version in range(1, 11):
        assert httpx.post(f"{url}/train", json={"name": "exam", **XY}, timeout=60).json()["version"] == version
        for _ in range(4):
            assert (
                httpx.post(f"{url}/predict", json={"model": "exam", "X": [1, 2]}, timeout=60).json()["version"]
                == version
            )
    assert httpx.delete(f"{url}/models/exam", timeout=60).status_code == 204
    for _ in range(6):
        assert httpx.post(f"{url}/predict", json={"model": "exam", "X": [1, 2]}, timeout=60).status_code == 404


def test_a_worker_that_is_lost_is_replaced(start_server: StartServer) -> None:
    """Whoever asks meanwhile is answered by the others; a signal ends all of them, with exit code 0."""
    server = start_server("--workers", "2")
    url = answering(server)
    lost, other = children(server.process.pid)

    os.kill(lost, signal.SIGKILL)
    for _ in range(20):
        assert httpx.get(f"{url}/livez", timeout=60).status_code == 200
    wait_until(lambda: len(children(server.process.pid)) == 2)
    workers = children(server.process.pid)
    assert other in workers
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert not any(map(is_running, workers))


def test_workers_end_with_whoever_started_them(start_server: StartServer) -> None:
    """Also where that is killed: none goes on to hold the port."""
    server = start_server("--workers", "2")
    answering(server)
    workers = children(server.process.pid)
    server.process.kill()
    wait_until(lambda: not any(map(is_running, workers)))


def test_who_comes_while_workers_end_is_refused(start_server: StartServer) -> None:
    """Also where they take long: no connection waits for an answer that nobody will give."""
    server = start_server("--workers", "2")
    answering(server)
    sent = request("POST", "/train", json.dumps({"name": "exam", **XY}).encode())
    with opened(server) as client:
        client.sendall(request("GET", "/livez"))
        assert one_of(client).status == 200
        client.sendall(sent[:-1])
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(server))

        client.sendall(sent[-1:])

        assert one_of(client).status in {201, 202}
    assert server.process.wait(30) == 0


def refuses(server: Server) -> bool:
    """Tell whether nothing listens where it did."""
    try:
        with opened(server):
            return False
    except ConnectionRefusedError:
        return True


async def test_all_workers_are_replaced_and_nobody_notices(start_server: StartServer) -> None:
    """SIGHUP: clients that keep their connections, in a hurry or with pauses, and who trains, are all answered."""
    server = start_server("--workers", "2")
    await until_answered(server.url)
    before = set(children(server.process.pid))
    async with Kept(server.url) as client:
        await client.ask("POST", "/train", json.dumps({"name": "exam", **XY}).encode())
    predicting = Asked("POST", "/predict", b'{"model": "exam", "X": [[1, 2]]}')
    training = Asked("POST", "/train", json.dumps({"name": "other", **XY}).encode(), good=(201, 202), pause=1)
    crowd = Crowd(server.url)

    asking = asyncio.create_task(crowd.gathered([predicting, predicting._replace(pause=2)] * 20 + [training] * 2, 1))
    server.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(wait_until, lambda: _are_others(server, before), seconds=100)
    crowd.is_over = True
    await asking

    assert not crowd.failed
    assert crowd.tally["last answers of connections"] >= 40


def test_a_worker_leaves_sighup_to_whoever_started_it(start_server: StartServer) -> None:
    """Who sends it to all processes that are called so does not end those that answer."""
    server = start_server("--workers", "2")
    wait_until(lambda: [*map(ignores_sighup, children(server.process.pid))] == [True, True], seconds=60)
    before = children(server.process.pid)
    answering(server)

    for worker in before:
        os.kill(worker, signal.SIGHUP)
    for _ in range(20):
        assert httpx.get(f"{server.url}/livez", timeout=60).status_code == 200

    assert children(server.process.pid) == before


def ignores_sighup(pid: int) -> bool:
    """Tell whether a process has begun so far that it leaves the signal to others."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return bool(int(status.partition("SigIgn:")[2].split()[0], 16) & 1 << signal.SIGHUP - 1)


def _are_others(server: Server, than: set[int]) -> bool:
    now = set(children(server.process.pid))
    return len(now) == len(than) and not now & than


def said(server: Server, what: str) -> str:
    """Read its log up to a line that says this; give that."""
    assert server.process.stderr is not None
    return next(line for line in server.process.stderr if what in line)


def open_files(pid: int) -> set[int]:
    return {int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()}


def test_where_no_process_can_begin_it_is_tried_again(start_server: StartServer) -> None:
    """A worker is lost while whoever started it may open no more files: the other answers until both can again."""
    server = start_server("--workers", "2")
    url, pid = answering(server), server.process.pid
    lost, other = children(pid)
    before, most = open_files(pid), resource.prlimit(pid, resource.RLIMIT_NOFILE)
    room = next(number for number in count() if number not in before) + 1  # and that of the pulse of the one to be lost

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (room, most[1]))
    os.kill(lost, signal.SIGKILL)
    assert "Too many open files" in said(server, "no worker can begin")
    assert children(pid) == [other]
    assert len(open_files(pid)) == len(before) - 1
    assert httpx.get(f"{url}/livez", timeout=60).status_code == 200

    resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
    wait_until(lambda: len(children(pid)) == 2)
    assert other in children(pid)


def beginning_with(program: str, folder: Path) -> str:
    """Give the PYTHONPATH of a server whose processes run a program before anything else."""
    (folder / "sitecustomize.py").write_text(program, encoding="utf-8")
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


DYING = """
import os, pathlib, signal
dying = pathlib.Path(__file__).with_name("dying")
if "NETLET_LISTENER" in os.environ and dying.exists():
    with dying.open("a") as log:
        log.write(f"{os.getpid()}\\n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_that_are_killed_as_they_begin_replace_none(start_server: StartServer, tmp_path: Path) -> None:
    """SIGHUP after an upgrade that cannot run: one try, those that are there go on, and can be replaced later."""
    path = beginning_with(DYING, tmp_path)
    server = start_server("--workers", "2", PYTHONPATH=path)
    answering(server)
    before, dying = set(children(server.process.pid)), tmp_path / "dying"

    dying.touch()
    server.process.send_signal(signal.SIGHUP)
    said(server, "was lost")
    sleep(3)
    assert len(dying.read_text(encoding="utf-8").splitlines()) == 1
    assert set(children(server.process.pid)) == before

    dying.unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: _are_others(server, before), seconds=100)


DEAF = """
import os, pathlib, signal
deaf = pathlib.Path(__file__).with_name("deaf")
if "NETLET_LISTENER" in os.environ and deaf.exists():
    from time import sleep
    names, seconds = deaf.read_text().split()
    before = {name: signal.signal(name, signal.SIG_IGN) for name in map(signal.Signals.__getitem__, names.split(","))}
    deaf.with_name("begun").touch()
    sleep(float(seconds))
    for name, handler in before.items():
        signal.signal(name, handler)
"""


@pytest.mark.parametrize(
    "deaf", ["SIGINT 600", "SIGINT,SIGTERM 3"], ids=["while it imports what it needs", "until it serves"]
)
def test_a_worker_that_is_asked_to_end_while_it_begins_does_so(
    deaf: str, start_server: StartServer, tmp_path: Path
) -> None:
    """Ctrl-C while a new one begins, which misses it: all have ended long before they would be killed."""
    path = beginning_with(DEAF, tmp_path)
    server = start_server("--workers", "2", PYTHONPATH=path, NETLET_GRACE_SECONDS="600")
    answering(server)

    (tmp_path / "deaf").write_text(deaf, encoding="utf-8")
    os.kill(children(server.process.pid)[0], signal.SIGKILL)
    wait_until((tmp_path / "begun").exists)
    assert server.end(seconds=100) == 0


IGNORING = """
import os, pathlib, signal
late = pathlib.Path(__file__).with_name("late")
if "NETLET_LISTENER" in os.environ:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if late.exists():
        from time import sleep
        late.with_name("begun").touch()
        sleep(3)
"""
"""As a process is that a shell has put in the background."""


SLOW = """
import os, pathlib, sys
late = pathlib.Path(__file__).with_name("late")
class Slow:
    def find_spec(name, path, target=None):
        if name == "app.server" and "NETLET_LISTENER" in os.environ and late.exists():
            from time import sleep
            late.with_name("begun").touch()
            sleep(600)
sys.meta_path.insert(0, Slow)
"""
"""As a process is whose machine has little time for it: what it needs is never imported."""


@pytest.mark.parametrize("program", [IGNORING, SLOW], ids=["ignoring", "importing"])
def test_a_worker_does_not_outlive_whoever_started_it(program: str, start_server: StartServer, tmp_path: Path) -> None:
    """Killed with a worker that has just begun, however long that would take: the port is free for the next."""
    server = start_server("--workers", "2", PYTHONPATH=beginning_with(program, tmp_path))
    url = httpx.URL(answering(server))

    (tmp_path / "late").touch()
    os.kill(children(server.process.pid)[0], signal.SIGKILL)
    wait_until((tmp_path / "begun").exists)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not is_taken(url))


def is_taken(url: httpx.URL) -> bool:
    """Tell whether somebody listens at an address."""
    with socket.socket() as client:
        return client.connect_ex((url.host, url.port)) == 0


BEGINNING = """
import signal
from app.listening import listen
from app.server import run, server_of
from app.settings import Settings
from app.telemetry import log_json_lines
log_json_lines()
settings = Settings()
server = server_of(settings)
factory = server.config.get_loop_factory()
def made():
    loop = factory()
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    return loop
server.config.get_loop_factory = lambda: made
run(server, listen(settings.host, 0))
"""
"""A server that is asked to end in the first turn of its loop, before uvicorn listens for that."""


def test_a_signal_in_the_first_turn_of_the_loop_ends_a_server_in_peace(environment: dict[str, str]) -> None:
    """Not in the midst of it: that left a task pending, which a traceback told of, and parts that were made."""
    command = [sys.executable, "-c", BEGINNING]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0
    assert "about to end" in run.stderr
    assert "never awaited" not in run.stderr
