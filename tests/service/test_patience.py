"""Patience: an answer has as long as the client says, and no work is done for a client that has gone."""

import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartServer, wait_until

ROWS = 100_000
WIDE = {"name": "wide", "X": [[1], [2], [3]], "y": [1, 2, 3], "network": {"hidden": [2000, 2000]}}
ONE_EPOCH = {"training": {"optimizer": "adam", "epochs": 1, "members": 1}}


def processor_ticks(pid: int) -> int:
    """Tell how long a process has worked, all of its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("way", ["in the body", "as a header", "as MLflow", "as the Open Inference Protocol"])
def test_an_answer_that_takes_too_long_is_given_up(start_server: StartServer, way: str) -> None:
    """It would take a minute: 504 says after how many seconds, and the next request finds the processor free."""
    rows = [[1.0]] * ROWS
    with start_server().client() as client:
        assert client.post("/train", json=WIDE | ONE_EPOCH).status_code == 201
        path, body, headers = {
            "in the body": ("/predict", {"model": "wide", "X": rows, "timeout": 0.5}, {}),
            "as a header": ("/predict", {"model": "wide", "X": rows}, {"x-request-timeout": "0.5"}),
            "as MLflow": ("/invocations", {"instances": rows}, {"x-request-timeout": "0.5"}),
            "as the Open Inference Protocol": (
                "/v2/models/wide/infer",
                {
                    "parameters": {"timeout": 500_000},
                    "inputs": [{"name": "X", "shape": [ROWS, 1], "datatype": "FP64", "data": [1.0] * ROWS}],
                },
                {},
            ),
        }[way]

        response = client.post(path, json=body, headers=headers)

        assert response.status_code == 504
        assert "the 0.5 seconds it may" in response.text
        assert client.post("/predict", json={"model": "wide", "X": [[1.0]], "timeout": 30}).status_code == 200


def test_a_timeout_is_a_number_of_seconds(start_server: StartServer) -> None:
    """Above 0, and at most a day."""
    with start_server().client() as client:
        assert client.post("/train", json={"name": "small", "X": [[1], [2]], "y": [1, 2]}).status_code == 201
        body = {"model": "small", "X": [[1]]}
        for stated in ("0", "-1", "nan", "inf", "x", "", "1e9"):
            response = client.post("/predict", json=body, headers={"x-request-timeout": stated})
            assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "x-request-timeout")
        for number in (0, -1, 1e9, "x"):
            response = client.post("/predict", json=body | {"timeout": number})
            assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "timeout")


def test_nobody_is_answered_who_has_gone(start_server: StartServer) -> None:
    """The work of a minute ends within moments of the client's leaving."""
    server = start_server()
    with server.client() as client:
        assert client.post("/train", json=WIDE | ONE_EPOCH).status_code == 201
        url = httpx.URL(server.url)
        body = b'{"model": "wide", "X": [' + b",".join([b"[1.0]"] * ROWS) + b"]}"
        with socket.create_connection((url.host, url.port or 0)) as gone:
            gone.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            before = processor_ticks(server.process.pid)
            wait_until(lambda: processor_ticks(server.process.pid) > before + 50)
        wait_until(lambda: _is_idle(server.process.pid))


def _is_idle(pid: int) -> bool:
    before = processor_ticks(pid)
    time.sleep(0.3)
    return processor_ticks(pid) - before < 10
