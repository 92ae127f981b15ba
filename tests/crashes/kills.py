"""A real service under load, killed again and again: `python -m tests.crashes.kills 500 --seed 1` prints the tally.

The server, a worker, or both are killed at random instants, while clients train, predict, point aliases and delete;
whatever breaks off, they try again, as clients do. After each kill the catalogue and the files are held against what
was acknowledged.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.conftest import wait_until
from tests.crashes.load import World
from tests.crashes.truth import faults_of, leftovers

CLIENTS = 4
CHECK_EVERY = 25  # kills
LONGEST_WAIT = 1.2  # seconds between a start and a kill
SETTINGS = {
    "NETLET_LEASE_SECONDS": "0.5",
    "NETLET_CHECKPOINT_SECONDS": "0.02",
    "NETLET_MOST_ATTEMPTS": "100",
    "NETLET_TRAININGS_AT_ONCE": "2",
}
TARGETS = ("server", "worker", "worker", "both")


class Service:
    """`netlet serve` on a store, as a process that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.store, self.log = folder / "models", folder / "log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
        self.environment = kept | SETTINGS | {"NETLET_MODELS": str(self.store), "TMPDIR": str(folder)}
        command = [sys.executable, "-m", "tests.crashes.nursery"]
        pipe = subprocess.PIPE
        self.nursery = subprocess.Popen(command, env=self.environment, stdin=pipe, stdout=pipe, text=True)
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
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def run(kills: int, seed: int, folder: Path, *, check_every: int = CHECK_EVERY) -> Counter[str]:
    """Kill so many times, and count what was done and what was wrong."""
    rng, tally = Random(seed), Counter[str]()
    service, world = Service(folder), World(seed)
    world.url = service.start()
    try:
        with world.clients(CLIENTS):
            for number in range(1, kills + 1):
                time.sleep(rng.uniform(0, LONGEST_WAIT))
                checks = number % check_every == 0 or number == kills
                if checks:
                    world.pause()
                target = "server" if checks else rng.choice(TARGETS)
                target = service.kill(target, rng)
                tally[f"kills of {target}"] += 1
                if checks:
                    tally.update(said(service.check() + leftovers(service.store)))
                if target != "worker":
                    world.url = service.start()
                world.go_on()
                tally.update(said(faults_of(service.store, world)))
                if number % 10 == 0:
                    print(number, dict(tally + world.tally), flush=True)  # noqa: T201 - a runner prints
            world.pause()
            tally.update(said(faults_of(service.store, world)))
    finally:
        world.stop()
        service.close()
    return tally + world.tally


def said(faults: list[str]) -> Counter[str]:
    """Print faults, and count them by their kind."""
    for fault in faults:
        print(fault, flush=True)  # noqa: T201 - a runner prints
    return Counter(f"FAULT {fault.split(':')[0]}" for fault in faults)


def main() -> int:
    """Kill, and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which leaves no service behind
    with tempfile.TemporaryDirectory(prefix="netlet-kills-", ignore_cleanup_errors=True) as folder:
        tally = run(asked.kills, asked.seed, Path(folder))
    for what, count in sorted(tally.items()):
        print(f"{count:7,} {what}")  # noqa: T201
    wrong = sum(count for what, count in tally.items() if what.startswith("FAULT"))
    print(f"{wrong:7,} faults")  # noqa: T201
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
