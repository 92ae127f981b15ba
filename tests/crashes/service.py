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
from tests.nursery import Born, Nursery


class Service:
    """`netlet serve` on a store, as a process that can be killed and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.store, self.log = folder / "models", folder / "log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
        self.environment = kept | {**settings, "NETLET_MODELS": str(self.store), "TMPDIR": str(folder)}
        self.nursery = Nursery(unmeasured(self.environment))
        self.process: Born | None = None

    def start(self) -> str:
        """Start it, and give its address once it answers."""
        process = self.process = self.nursery.begin_logging(self.environment, ["serve", "--port", "0"], self.log)
        wait_until(lambda: b"startup complete" in self.log.read_bytes() or process.poll() is not None, seconds=60)
        assert process.poll() is None, self.log.read_text()
        return self.log.read_bytes().split(b"listening on ")[1].split(b'"')[0].decode()

    def workers(self) -> list[int]:
        """Find the training processes: children of the server's child that makes them."""
        assert self.process is not None
        return [grandchild for child in children(self.process.pid) for grandchild in children(child)]

    def kill(self, target: str, rng: Random) -> str:
        """Kill one of its workers, it, or both, and tell which; there may be no workers."""
        workers = self.workers() if target != "server" else []
        if workers:
            killed(rng.choice(workers))
        if workers and target == "worker":
            return target
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        return "both" if workers else "server"

    def close(self) -> None:
        """Kill it, and leave nothing behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
        self.nursery.close()

    def check(self) -> list[str]:
        """Let `netlet check --repair` put things in order, and say what it should not have found."""
        run = subprocess.run(
            self._command("check", "--repair"), env=self.environment, capture_output=True, text=True, check=False
        )
        unexpected = [line for line in run.stderr.splitlines() if "was left behind" not in line]
        return unexpected + ([] if run.returncode == 0 else [run.stdout])

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "app.cli", *words]


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
