"""Ray Serve on a real cluster for tests: `serve run` with the configuration of docs/scale.md, and what it runs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml  # type: ignore[import-untyped] # it comes with schemathesis, and has no types

from tests.conftest import wait_until
from tests.ray_cluster import Node, Ray, free_port, is_alive

ROOT = Path(__file__).resolve().parent.parent.parent
SERVE = [sys.executable, "-c", "from ray.serve.scripts import cli; cli()", "run"]
# Tells the number of a process, kills it when the pipe is closed, and ends as it did.
GUARD = 'env --default-signal=INT "$@" >"$LOG" 2>&1 & echo $!; read -r _; kill -KILL $! 2>&-; wait $!'
QUICK = {"NETLET_LOG_REQUESTS": "all", "NETLET_LEASE_SECONDS": "2", "NETLET_CHECKPOINT_SECONDS": "0.2"}
CONFIGURATION = re.compile(r"```yaml\n# serve\.yaml\n(.*?)```", re.DOTALL)


def configuration() -> dict[str, Any]:
    """Read what docs/scale.md tells people to give to `serve run`."""
    (text,) = CONFIGURATION.findall((ROOT / "docs" / "scale.md").read_text(encoding="utf-8"))
    return dict(yaml.safe_load(text))


class Served:
    """`serve run` as a process, which is to end all that it began; nothing of it outlives this one."""

    def __init__(self, ray: Ray, folder: Path, settings: Mapping[str, str], **options: Any) -> None:
        """Begin it with settings for the application, and options for its deployment, in place of those of the docs."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        told = configuration() | {"proxy_location": "HeadOnly", "http_options": {"host": "127.0.0.1", "port": port}}
        (application,) = told["applications"]
        application["runtime_env"] = {"env_vars": dict(settings)}
        application["deployments"][0] |= options
        (file := folder / "serve.yaml").write_text(yaml.safe_dump(told))
        (log := folder / "serve.log").touch()  # which is read before the shell has opened it
        self.log = log
        command = ["/bin/sh", "-c", GUARD, "sh", *SERVE, str(file), "--address", ray.address]
        environment = os.environ | {"TMPDIR": str(folder), "LOG": str(self.log)}
        pipe = subprocess.PIPE
        self.guard = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=folder, env=environment)
        assert self.guard.stdout is not None
        self.pid = int(self.guard.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def said(self) -> str:
        """Give all that it has written."""
        return self.log.read_text()

    def client(self, key: Mapping[str, str]) -> httpx.Client:
        """Wait until it answers, and make a client with a key."""

        def answers() -> bool:
            assert is_alive(self.pid), self.said()
            try:
                return httpx.get(f"{self.url}/readyz", timeout=60).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, seconds=120)
        return httpx.Client(base_url=self.url, timeout=60, headers=dict(key), trust_env=False)

    def end(self) -> int:
        """Send what Ctrl-C does, and give the exit code."""
        if self.guard.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)
            try:
                wait_until(lambda: not is_alive(self.pid))
            finally:
                self.guard.communicate(timeout=30)
        return self.guard.returncode


def replicas(*nodes: Node) -> list[int]:
    """List the processes of the replicas on some nodes."""
    return [pid for node in nodes for pid in node.workers("ray::ServeReplica")]


def answered_by(request: str, *nodes: Node) -> int:
    """Tell the process whose log has a request, which `NETLET_LOG_REQUESTS=all` writes down."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for log in _logs(*nodes):
            for line in log.read_text(errors="replace").splitlines():
                if f'"request_id": "{request}"' in line and "milliseconds" in json.loads(line):
                    return int(log.stem.rpartition("-")[2])
        time.sleep(0.05)
    message = f"nobody says that it has answered {request}"
    raise AssertionError(message)


def _logs(*nodes: Node) -> Iterator[Path]:
    for node in nodes:
        yield from node.folder.glob("ray/session_*/logs/worker-*.err")
