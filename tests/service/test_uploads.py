"""Uploads to a real server: what was acknowledged stays, what was not is never there, and memory stays small."""

import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, StartServer, wait_until

ROWS = 400_000
CSV = b"a,b,c,text\n" + b"".join(b"%d,%d.5,%d,word%d\n" % (row, row % 7, -row, row % 50) for row in range(ROWS))
AS_CSV = {"content-type": "text/csv"}


def files(store: Path) -> list[Path]:
    return [path for path in (store / ".datasets").rglob("*") if path.is_file()]


def half_sent(server: Server) -> socket.socket:
    """Send the beginning of a long upload, and no more."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /datasets HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nContent-Length: {len(CSV)}\r\n\r\n"
    connection.sendall(head.encode() + CSV[: len(CSV) // 2])
    return connection


def peak(server: Server) -> int:
    """The most memory of its own that the server's process has had, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def test_a_client_that_goes_away_leaves_nothing(start_server: StartServer, tmp_path: Path) -> None:
    """The file that its body was written to goes with it, and the service goes on."""
    server = start_server()
    connection = half_sent(server)
    wait_until(lambda: sum(file.stat().st_size for file in files(tmp_path / "models")) > 2**20)

    connection.close()

    wait_until(lambda: not files(tmp_path / "models"))
    with server.client() as client:
        assert client.get("/datasets").json()["datasets"] == []


def test_what_a_kill_9_leaves_of_an_upload_is_never_a_dataset(start_server: StartServer, tmp_path: Path) -> None:
    """Killed in the middle; after the restart there is no dataset and no file."""
    server = start_server()
    connection = half_sent(server)
    wait_until(lambda: sum(file.stat().st_size for file in files(tmp_path / "models")) > 2**20)
    server.end(signal.SIGKILL)
    connection.close()
    assert files(tmp_path / "models")

    with start_server().client() as client:
        assert client.get("/datasets").json()["datasets"] == []
    assert not files(tmp_path / "models")


def test_an_acknowledged_dataset_survives_kill_9(start_server: StartServer) -> None:
    """Killed the moment the answer is there; after the restart it is described as before, and trained from."""
    server = start_server()
    with server.client() as client:
        answer = client.post("/datasets", content=CSV[:100_000].rpartition(b"\n")[0], headers=AS_CSV).json()
        server.end(signal.SIGKILL)

    with start_server().client() as client:
        assert client.get(f"/datasets/{answer['dataset']}").json() == answer
        request = {"dataset": answer["dataset"], "target": "a", "training": {"optimizer": "adam", "epochs": 1}}
        assert client.post("/train", json=request).status_code == 201


@pytest.mark.timeout(300)
def test_an_upload_takes_little_memory_however_long_it_is(start_server: StartServer) -> None:
    """Three times as long takes less than half of what it is longer: how far ahead the reader was, and no more."""
    server = start_server()
    with server.client() as client:
        _upload(client, times=16)
        before = peak(server)

        rows = _upload(client, times=48)

    assert rows == 48 * ROWS
    assert peak(server) - before < 16 * len(CSV)


def _upload(client: httpx.Client, times: int) -> int:
    """Send the rows so many times, as one table, and return how many have arrived."""
    rows = CSV.partition(b"\n")[2]
    response = client.post("/datasets", content=iter([CSV, *[rows] * (times - 1)]), headers=AS_CSV, timeout=None)
    return int(response.json()["rows"])
