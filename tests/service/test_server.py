"""The whole, as a process: durable, killable, polite."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROWS, TUTORIAL, StartServer, wait_until

ROOT = Path(__file__).resolve().parents[2]
LONG: dict[str, Any] = TUTORIAL | {"name": "long", "training": {"epochs": 10_000_000}}


def answer(client: httpx.Client, reference: str = "exam") -> Any:
    response = client.post("/predict", json={"model": reference, "X": [[4, 8], [2, 9]]})
    response.raise_for_status()
    return response.json()["predictions"]


def processes_of(group: int) -> list[int]:
    """All processes that descend from one."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, waiting = [], [group]
    while waiting:
        found += (born := children.get(waiting.pop(), []))
        waiting += born
    return found


def ticks(process: int) -> int:
    """Processor time that a process has used, in hundredths of seconds; none where it is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11])
    except OSError:
        return 0


def training_process(server: int) -> int:
    """The first of a server's family, itself included, to use a fifth of a second, however busy the machine is."""
    before: dict[int, int] = {}
    found: list[int] = []

    def one_worked() -> bool:
        used = {process: ticks(process) for process in (server, *processes_of(server))}
        found.extend(process for process in used if used[process] - before.setdefault(process, used[process]) >= 20)
        return bool(found)

    wait_until(one_worked)
    return found[0]


def test_a_model_survives_kill_9_right_after_its_201(start_server: StartServer) -> None:
    """Killed the moment the answer is there; after the restart the same bits come back."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        before = answer(client)
        sha256 = client.post("/train", json=TUTORIAL | {"training": {"seed": 5}}).json()["sha256"]
        server.end(signal.SIGKILL)

    with start_server().client() as client:
        assert answer(client, "exam/1") == before
        assert client.get("/models/exam").json()["versions"] == [1, 2]
        assert client.get("/models/exam/versions/2").json()["sha256"] == sha256


@pytest.mark.parametrize("seed", range(4))
def test_no_acknowledged_model_is_lost_when_killed_under_load(seed: int, start_server: StartServer) -> None:
    """Four clients train while the server is killed: every 201 is served afterwards, bit for bit."""
    acknowledged: dict[str, str] = {}
    server = start_server()

    def train_on(number: int) -> None:
        with server.client() as client:
            for version in range(1, 1000):
                body = TUTORIAL | {"name": f"exam-{number}", "training": {"seed": version, "epochs": 20}}
                try:
                    response = client.post("/train", json=body)
                except httpx.HTTPError:
                    return
                assert response.status_code == 201
                acknowledged[response.json()["reference"]] = response.json()["sha256"]

    clients = [threading.Thread(target=train_on, args=(number,)) for number in range(4)]
    for thread in clients:
        thread.start()
    wait_until(lambda: len(acknowledged) > 5)
    time.sleep(0.05 * seed)
    server.end(signal.SIGKILL)
    for thread in clients:
        thread.join()

    with start_server().client() as client:
        for reference, sha256 in acknowledged.items():
            name, version = reference.split("/")
            assert client.get(f"/models/{name}/versions/{version}").json()["sha256"] == sha256
        assert all(model["damage"] is None for model in client.get("/models").json()["models"])


def test_training_does_not_happen_in_the_process_that_answers(start_server: StartServer) -> None:
    """While a training runs, predictions are answered at once."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        job = client.post("/train", params={"wait": 0}, json=LONG).json()
        wait_until(lambda: client.get(f"/jobs/{job['job']}").json()["epoch"] is not None)

        assert training_process(server.process.pid) != server.process.pid
        assert answer(client)[0] == pytest.approx(90.3533, abs=1e-4)


def is_at(client: httpx.Client, job: str, attempt: int) -> bool:
    """Whether a job has come to an attempt."""
    return bool(client.get(f"/jobs/{job}").json()["attempt"] >= attempt)


def test_a_lost_training_process_harms_only_its_own_training(start_server: StartServer) -> None:
    """Killed in the middle, it is begun again, but not for ever: that job fails, the next one is trained."""
    server = start_server(NETLET_TRAININGS_AT_ONCE="1", NETLET_MOST_ATTEMPTS="2")
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).json()
        for attempt in (1, 2):
            wait_until(partial(is_at, client, job["job"], attempt))
            os.kill(training_process(server.process.pid), signal.SIGKILL)

        wait_until(lambda: client.get(f"/jobs/{job['job']}").json()["status"] == "failed")

        assert "ended before it was done" in client.get(f"/jobs/{job['job']}").json()["error"]
        client.post("/train", json=TUTORIAL).raise_for_status()
        assert client.get("/models/long").status_code == 404


def test_a_training_that_takes_too_long_is_stopped(start_server: StartServer) -> None:
    """The limit is the operator's; the answer says what to do."""
    with start_server(NETLET_TRAINING_SECONDS="5").client() as client:
        response = client.post("/train", json=LONG)

        assert response.status_code == 422
        assert response.json()["type"] == "/problems/too-long"
        client.post("/train", json=TUTORIAL).raise_for_status()


def test_a_process_that_dies_idle_is_replaced(start_server: StartServer) -> None:
    """All training processes killed while nothing is trained: the next training notices nothing."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        for _ in range(2):
            forkserver = max(
                processes_of(server.process.pid), key=lambda process: len(processes_of(process)), default=None
            )
            assert forkserver is not None
            for process in processes_of(forkserver):
                os.kill(process, signal.SIGKILL)

            for _ in range(4):
                client.post("/train", json=TUTORIAL).raise_for_status()


def test_who_waits_for_a_training_is_told_that_the_service_ends(start_server: StartServer) -> None:
    """202 with the job, which goes on when the service is back, and exit code 0."""
    server = start_server()
    answers: list[httpx.Response] = []

    def wait() -> None:
        with server.client() as client:
            answers.append(client.post("/train", params={"wait": 600}, json=LONG))

    waiting = threading.Thread(target=wait)
    waiting.start()
    with server.client() as client:
        wait_until(lambda: bool(client.get("/jobs").json()["jobs"]))
    code = server.end()
    waiting.join()

    assert code == 0
    assert (answers[0].status_code, answers[0].json()["status"]) == (202, "running")


def test_a_body_that_has_not_arrived_is_waited_for_no_longer_than_the_grace(start_server: StartServer) -> None:
    """Whoever sends it is told to come back, and the log has nothing to tell."""
    server = start_server(NETLET_GRACE_SECONDS="1")
    url = httpx.URL(server.url)
    senders = [socket.create_connection((url.host, url.port)) for _ in range(2)]
    for sender, path in zip(senders, ("/train", "/datasets"), strict=True):
        sender.sendall(f"POST {path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 99\r\n\r\n{{".encode())
    with server.client() as client:
        client.get("/livez").raise_for_status()  # by then they have been heard

    server.process.send_signal(signal.SIGTERM)
    _, log = server.process.communicate(timeout=30)

    assert server.process.returncode == 0
    assert "Traceback" not in log
    for sender in senders:
        with sender, sender.makefile("rb") as answer:
            said = answer.read().decode()
            assert said.startswith("HTTP/1.1 503")
            assert "/problems/shutting-down" in said


def test_those_who_leave_what_they_follow_are_nothing_to_tell(start_server: StartServer) -> None:
    """Neither in the middle of a job's events nor of answers that nobody reads."""
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        job = client.get("/jobs").json()["jobs"][0]["job"]
        for _ in range(20):
            with client.stream("GET", f"/jobs/{job}/events") as events:
                next(events.iter_lines())
    url = httpx.URL(server.url)
    for _ in range(3):
        with socket.create_connection((url.host, url.port)) as reader:
            reader.sendall(f"GET /openapi.json HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode() * 200)
            reader.recv(1)
    with server.client() as client:
        client.get("/livez").raise_for_status()

    server.process.send_signal(signal.SIGTERM)
    _, log = server.process.communicate(timeout=30)

    assert "Traceback" not in log


def test_only_whom_a_training_was_made_for_ends_it_by_going_away(start_server: StartServer) -> None:
    """Another who waits for it under the same key does not."""
    server = start_server()
    key = {"Idempotency-Key": "shared"}

    def waits(client: httpx.Client, **params: bool) -> None:
        """Send it, and go away soon."""
        with pytest.raises(httpx.ReadTimeout):
            client.post("/train", params={"wait": 60, **params}, json=LONG, headers=key, timeout=1)

    with server.client() as client:
        waits(client)
        (job,) = [job["job"] for job in client.get("/jobs").json()["jobs"]]
        waits(client, cancel_on_disconnect=True)
        time.sleep(0.5)
        assert client.get(f"/jobs/{job}").json()["status"] == "running"

        client.delete(f"/jobs/{job}")
        key = {"Idempotency-Key": "own"}
        waits(client, cancel_on_disconnect=True)
        wait_until(lambda: client.get("/jobs").json()["jobs"][0]["status"] == "cancelled")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_politely_and_soon_even_while_training(how: signal.Signals, start_server: StartServer) -> None:
    """Exit code 0, nobody left behind."""
    server = start_server()
    with server.client() as client:
        job = client.post("/train", params={"wait": 0}, json=LONG).json()
        wait_until(lambda: client.get(f"/jobs/{job['job']}").json()["epoch"] is not None)
    processes = processes_of(server.process.pid)

    assert server.end(how) == 0

    wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in processes), seconds=10)


def test_nobody_is_left_behind_by_a_kill_9(start_server: StartServer) -> None:
    """Training processes leave when their server is gone."""
    server = start_server()
    with server.client() as client:
        client.post("/train", params={"wait": 0}, json=LONG)
    processes = processes_of(server.process.pid)
    assert len(processes) >= 2

    server.end(signal.SIGKILL)

    wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in processes), seconds=10)


def test_two_servers_share_a_store(start_server: StartServer) -> None:
    """What one trains the other answers at once; what one deletes is gone for both; numbers never collide."""
    with start_server().client() as one, start_server().client() as other:
        one.post("/train", json=TUTORIAL).raise_for_status()
        assert answer(other) == answer(one)
        other.post("/train", json=TUTORIAL | {"training": {"seed": 1}}).raise_for_status()
        assert one.get("/models/exam").json()["versions"] == [1, 2]
        other.delete("/models/exam").raise_for_status()

        assert one.post("/predict", json={"model": "exam", "X": [4, 8]}).status_code == 404


def test_same_seed_same_bytes_in_every_process(start_server: StartServer) -> None:
    """Two servers, two stores' worth of processes, one file content."""
    body = {"rows": ROWS, "target": "score", "training": {"seed": 3}}
    with start_server().client() as one, start_server().client() as other:
        files = {client.post("/train", json=body).json()["sha256"] for client in (one, other, one)}

    assert len(files) == 1


def test_the_demonstration_answers_for_4_and_8(environment: dict[str, str]) -> None:
    """`make run` trains over HTTP, prints the answer between 88.9 and 93.7, and keeps serving."""
    environment |= {"NETLET_PORT": "0", "PYTHONUNBUFFERED": "1"}
    environment.pop("NETLET_DATABASE_URL", None)  # which needs more than is installed for `make run`
    command = ["make", "--no-print-directory", "run"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Documentation: "):
                break
        address = lines[-1].split()[1].removesuffix("/docs")
        with httpx.Client(base_url=address, trust_env=False) as client:
            served = answer(client)
        for child in processes_of(process.pid):
            if "app.cli" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(child, signal.SIGINT)
                break

    said = next(line for line in lines if line.startswith("What would (4, 8) score?"))
    assert 88.9 < float(said.split()[-1]) < 93.7
    assert float(said.split()[-1]) == pytest.approx(served[0], abs=0.01)
    assert any("1,000/1,000 epochs" in line for line in lines)


def test_a_taken_port_is_said_so(start_server: StartServer, environment: dict[str, str]) -> None:
    """One line that names the remedy, and exit code 1."""
    port = start_server().url.rsplit(":", 1)[1]

    command = [sys.executable, "-m", "app.cli", "serve", "--port", port]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert run.returncode == 1
    assert "Choose another with --port" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("NETLET_PORT", "eighty", "Input should be a valid integer"),
        ("NETLET_THREADS", "0", "Input should be greater than or equal to 1"),
        ("NETLET_DEVICE", "tpu", "Input should be 'cpu' or 'cuda'"),
        pytest.param(
            "NETLET_DEVICE",
            "cuda",
            "cuda needs CuPy and a GPU",
            marks=pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed"),
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(setting: str, value: str, said: str) -> None:
    """The variable, what is wrong with it, and exit code 2, in one line."""
    command = [sys.executable, "-m", "app.cli", "serve"]
    environment = os.environ | {setting: value}

    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert run.returncode == 2
    assert run.stderr.startswith(f"{setting}: {said}")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["models", "models/.incoming", "models/.datasets", "models/.jobs"])
def test_a_store_that_cannot_be_used_is_said_so(place: str, environment: dict[str, str], tmp_path: Path) -> None:
    """A file in the way: one line, no traceback, exit code 1."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("in the way")
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]

    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert run.returncode == 1
    assert "The store cannot be used (ENOTDIR)" in run.stderr or "The store cannot be used (EEXIST)" in run.stderr
    assert "Traceback" not in run.stderr
