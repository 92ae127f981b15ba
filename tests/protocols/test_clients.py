"""Existing clients, as they are, against a real server: each finds what it expects of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROWS, Server, StartServer

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(__file__).parent / "programs"
CLIENTS, MLSERVER = ROOT / ".venv-clients/bin/python", ROOT / ".venv-clients-mlserver/bin/mlserver"
X = [[4, 8], [1, 5]]


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """Serve a model of two versions."""
    server = start_server()
    for _ in range(2):
        httpx.post(
            f"{server.url}/train", json={"name": "exam", "rows": ROWS, "target": "score"}, timeout=60
        ).raise_for_status()
    return server


def answers(server: Server) -> list[float]:
    """Ask in netlet's own words."""
    answer: list[float] = httpx.post(f"{server.url}/predict", json={"model": "exam", "X": X}, timeout=60).json()[
        "predictions"
    ]
    return answer


def run(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program with the interpreter that has its client, and give what it prints."""
    command = [str(CLIENTS), str(PROGRAMS / f"{program}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_tritons_client_finds_a_server_of_its_own(server: Server) -> None:
    """All 22 calls, those with asyncio, and errors that can be read."""
    column = [[answer] for answer in answers(server)]

    told = run("triton", server.url.removeprefix("http://"), "exam", "score")

    for call in ("live", "ready", "model ready"):
        assert told[call] is True
    assert told["server metadata"]["name"] == "netlet"
    for call in ("model metadata", "model metadata of a version"):
        assert told[call]["versions"] == ["1", "2"]
        assert told[call]["inputs"] == [{"name": "X", "datatype": "FP64", "shape": [-1, 2]}]
        assert told[call]["outputs"][0] == {"name": "score", "datatype": "FP64", "shape": [-1, 1]}
    assert told["config"]["input"] == [{"name": "X", "data_type": "TYPE_FP64", "dims": [2]}]
    assert told["statistics"]["model_stats"][0]["name"] == told["all statistics"]["model_stats"][0]["name"] == "exam"
    assert [(each["name"], each["version"], each["state"]) for each in told["index"]] == [
        ("exam", "1", "READY"),
        ("exam", "2", "READY"),
    ]
    for call in (
        "binary in",
        "JSON in",
        "JSON in and out",
        "binary in and out",
        "gzip in",
        "deflate out",
        "parameters",
    ):
        assert told[call] == [column, None]
    assert told["deflate in, gzip out"] == [column, None]
    assert told["id"] == [column, "42"]
    for call in ("asynchronous", "asyncio", "asyncio, gzip out"):
        assert told[call] == column
    assert told["load"] is told["unload"] is None
    assert told["error: unknown model"]["status"] == told["error: load unknown"]["status"] == "404"
    assert "POST /train" in told["error: unknown model"]["error"]
    assert told["error: shape"] == {
        "status": "400",
        "error": "Input X has the shape [1, 3], and the model has 2 columns. (field shape: expected [1, 2]; "
        "got [1, 3])",
    }
    assert told["error: time is up"]["status"] == "504"


def test_kserves_client_finds_a_server_of_its_own(server: Server) -> None:
    """The Open Inference Protocol in JSON and in binary, and V1."""
    own = answers(server)
    column = [[answer] for answer in own]

    told = run("kserve_rest", server.url, "exam")

    for call in ("live", "ready", "model ready", "V1 live", "V1 model ready"):
        assert told[call] is True
    assert told["unknown model ready"] is False
    assert told["JSON"] == [column, "1"]
    assert told["binary"] == [column, "2"]
    assert told["binary out"] == [column, "42"]
    assert told["dict"] == column[:1]
    (explained,) = told["V1 explain"]["explanations"]
    assert explained["prediction"] == own[0]
    assert sum(explained["contributions"].values()) == pytest.approx(own[0] - explained["baseline"], abs=1e-9)
    assert told["V1 predict"] == {"predictions": own}


def test_mlservers_bulk_client_finds_a_server_of_its_own(server: Server, tmp_path: Path) -> None:
    """`mlserver infer` sends a request a line, and writes an answer a line."""
    requests = [{"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": row}]} for row in X]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, requests)), encoding="utf-8")
    command = [str(MLSERVER), "infer", "--url", server.url.removeprefix("http://"), "--model-name", "exam"]
    files = ["--input-data-path", str(tmp_path / "in.jsonl"), "--output-data-path", str(tmp_path / "out.jsonl")]

    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False, timeout=100, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    by_index = {answer["parameters"]["batch_index"]: answer["outputs"][0]["data"] for answer in written}
    assert by_index == {index: [answer] for index, answer in enumerate(answers(server))}
