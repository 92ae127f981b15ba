"""Who serves: each with the packages that it needs in an environment of its own, its command and its bodies."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep

import httpx

from benchmarks.report import say
from benchmarks.running import AS_INSTALLED
from benchmarks.serving.load import SERVER_PROCESSOR, Body, pinned

APPS = Path(__file__).parent / "apps"
ENVIRONMENTS = Path(__file__).parent / "environments"
PATIENCE = 180.0  # seconds for a server to give its first answer

Rows = Sequence[Sequence[float]]


def open_inference(rows: Rows) -> Body:
    """Write rows as the Open Inference Protocol has them."""
    data = [cell for row in rows for cell in row]
    tensor = {"name": "X", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": data}
    return Body(json.dumps({"inputs": [tensor]}).encode())


def named(name: str) -> Callable[[Rows], Body]:
    """Write rows under a name."""
    return lambda rows: Body(json.dumps({name: rows}).encode())


@dataclass(frozen=True)
class Contestant:
    """One server; `command` takes its interpreter, the folder of the network and the port."""

    packages: tuple[str, ...]
    command: Callable[[Path, Path, int], list[str]]
    path: str
    body: Callable[[Rows], Body]


def _program(name: str) -> Callable[[Path, Path, int], list[str]]:
    return lambda python, folder, port: [str(python), str(APPS / f"{name}.py"), str(folder), str(port)]


def _echo(python: Path, _folder: Path, port: int) -> list[str]:
    options = ["--app-dir", str(APPS), "--port", str(port), "--no-access-log", "--log-level", "error"]
    return [str(python), "-m", "uvicorn", "echo:app", *options]


def _mlflow(python: Path, folder: Path, port: int) -> list[str]:
    options = ["-m", str(folder / "mlflow"), "--env-manager", "local", "--port", str(port)]
    return [str(python), "-m", "mlflow", "models", "serve", *options]


def _mlserver(python: Path, folder: Path, port: int) -> list[str]:
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(ports), encoding="utf-8")
    return [str(python.parent / "mlserver"), "start", str(folder)]


PEERS = {
    "FastAPI tutorial": Contestant(("fastapi", "uvicorn[standard]"), _program("tutorial"), "/predict", named("X")),
    "KServe": Contestant(("kserve",), _program("kserve_server"), "/v2/models/mid/infer", open_inference),
    "MLServer": Contestant(("mlserver", "mlserver-sklearn"), _mlserver, "/v2/models/mid/infer", open_inference),
    "LitServe": Contestant(("litserve",), _program("lit"), "/predict", named("X")),
    "MLflow": Contestant(("mlflow",), _mlflow, "/invocations", named("instances")),
}
ECHO = Contestant((), _echo, "/", named("X"))


def interpreter(name: str, contestant: Contestant) -> Path | None:
    """Give the interpreter that has a peer, installed where it is not yet; None where that fails."""
    if not contestant.packages:
        return Path(sys.executable)
    folder = ENVIRONMENTS / name.lower().replace(" ", "-")
    python, done = folder / "bin" / "python", folder / "done"
    if not done.exists():
        say(f"installing {name}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603 - our own command
        packages = ["scikit-learn", "joblib", *contestant.packages]
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        if subprocess.run(install, check=False).returncode:  # noqa: S603 - our own command
            say(f"{name} cannot be installed: its measurements are left out")
            return None
        done.touch()
    return python


@contextmanager
def running(command: Sequence[str], url: str, body: Body) -> Iterator[tuple[int, float]]:
    """Run a server on its processor; give its process and the seconds to its first answer; end all it started."""
    programs = Path(command[0]).parent  # of its environment: some start others by their name alone
    began = perf_counter()
    server = subprocess.Popen(  # noqa: S603 - our own command
        [*pinned(SERVER_PROCESSOR), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=AS_INSTALLED
        | {"MLFLOW_DISABLE_ENV_CREATION": "true", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )
    try:
        _first_answer(url, body)
        yield server.pid, perf_counter() - began
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _first_answer(url: str, body: Body) -> None:
    end = monotonic() + PATIENCE
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        while True:
            try:
                response = client.post(url, content=body.content, headers={"content-type": body.media_type})
                if response.status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            if monotonic() > end:
                raise TimeoutError(url)
            sleep(0.01)


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
