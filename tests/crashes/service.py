"""`netlet serve` as a process that is killed and started again, with the processes that train for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

from tests.conftest import wait_until
from tests.measuring import unmeasured


class Service:
    """`netlet serve` on a store, as a process that can be killed and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.store, self.log = folder / "models", folder / "log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
        self.environment = kept | {**settings, "NETLET_MODELS": str(self.store), "TMPDIR": str(folder)}
        command = [sys.executable, "-m", "tests.crashes.nursery"]
        pipe, environment = subprocess.PIPE, unmeasured(self.environment)
        self.nursery = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.process = 0

    def start(self) -> str:
        """Start it, and give its address once it answers."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.log.unlink(missing_ok=True)
        print(self.log, file=self.nursery.stdin, flush=True)
        self.process = int(self.nursery.stdout.readline())
        wait_until(lambda: b"startup complete" in self._said() or not is_there(self.process), seconds=60)
        assert is_there(self.process), self._said().decode()
        return self._said().split(b"listening on ")[1].split(b'"')[0].decode()

    def _said(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""

    def workers(self) -> list[int]:
        """Find the training processes: children of the server's child that makes them."""
        return [grandchild for child in children(self.process) for grandchild in children(child)]

    def kill(self, target: str, rng: Random) -> str:
        """Kill one of its workers, it, or both, and tell which; there may be no workers."""
        workers = self.workers() if target != "server" else []
        if workers:
            killed(rng.choice(workers))
        if workers and target == "worker":
            return target
        killed(self.process)
        wait_until(lambda: not is_there(self.process))
        return "both" if workers else "server"

    def close(self) -> None:
        """Kill it, and leave nothing behind."""
        if is_there(self.process):
            self.kill("server", Random())
        self.nursery.communicate(timeout=30)

    def check(self) -> list[str]:
        """Let `netlet check --repair` put things in order, and say what it should not have found."""
        run = subprocess.run(
            self._command("check", "--repair"), env=self.environment, capture_output=True, text=True, check=False
        )
        unexpected = [line for line in run.stderr.splitlines() if "was left behind" not in line]
        return unexpected + ([] if run.returncode == 0 else [run.stdout])

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "app.cli", *words]


def is_there(process: int) -> bool:
    """Whether a process has not ended."""
    return process > 0 and Path(f"/proc/{process}").exists()


def children(process: int) -> list[int]:
    """Find the processes that one has started."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:  # it is gone
        return []
    return [int(child) for line in threads for child in line.split()]


def killed(process: int) -> None:
    """Kill a process, if it is still there."""
    assert process > 0, "that would be all of us"
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
