"""Made-up requests: schemathesis sends what the OpenAPI document allows, and what it does not, to a real server.

Run: `python -m tests.faults.made_up --examples 60 --seeds 1 2 3`. It prints how many requests there were and what was
wrong with the answers, as schemathesis tells it, and whatever the server wrote down as unexpected.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.conftest import TUTORIAL, wait_until
from tests.export.graphs import regressor
from tests.measuring import unmeasured

PHASES = "examples,coverage,fuzzing,stateful"
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = "tests.faults.schemathesis_hooks"
TOOL = Path(sys.executable).with_name("schemathesis")
SMALL = {  # so that no training takes long, and those that pause do not keep others
    "NETLET_MOST_OPERATIONS": "1e8",
    "NETLET_TRAINING_SECONDS": "20",
    "NETLET_TRAININGS_AT_ONCE": "8",
    "NETLET_EXECUTOR": "thread",
}
CLASSES: dict[str, Any] = {
    "name": "passed",
    "rows": [{"hours": hours, "course": "ab"[hours % 2], "passed": "ny"[hours > 4]} for hours in range(9)],
    "target": "passed",
    "training": {"optimizer": "adam", "epochs": 20},
}


class Found(NamedTuple):
    """What came of one run."""

    cases: int
    failures: int
    told: str
    """By schemathesis."""
    unexpected: list[str]
    """What the server wrote down."""
    answers: dict[str, Counter[int]]
    """Statuses of each operation."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures and not self.unexpected and self.cases > 0


class Served(NamedTuple):
    """A server: where it is, the key that it takes, and what it writes down."""

    url: str
    key: str
    log: Path


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Run a server that needs a key, on a store of its own with two models."""
    log = folder / "log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    environment = kept | SMALL | {"NETLET_MODELS": str(folder / "models"), "TMPDIR": str(folder)}
    environment["NETLET_KEY"] = key = made_key(environment)
    with log.open("wb") as lines:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        server = subprocess.Popen(command, env=environment, stderr=lines)
    try:
        wait_until(lambda: "startup complete" in log.read_text() or server.poll() is not None, seconds=120)
        (url,) = re.findall(r"listening on ([^ \"]+)", log.read_text())
        begin(url, key)
        yield Served(url, key, log)
    finally:
        server.terminate()
        server.wait(60)


def made_key(environment: dict[str, str]) -> str:
    """Make a key for everything."""
    command = [sys.executable, "-m", "app.cli", "keys", "create", "--scopes", "admin"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()[-1]


def begin(url: str, key: str) -> None:
    """Make what requests may name."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers) as client:
        for request in (TUTORIAL, CLASSES):
            answer = client.post("/train", json=request)
            assert answer.status_code == HTTPStatus.CREATED, answer.text
        client.put("/models/exam/aliases/live", json={"version": 1}).raise_for_status()


def files_in(folder: Path) -> dict[str, str]:
    """Write what may be brought in, and name it."""
    snapshot, network = folder / "exam.safetensors", folder / "network.onnx"
    snapshot.write_bytes((folder / "models" / "exam" / "1.safetensors").read_bytes())  # which requests delete
    network.write_bytes(regressor())
    return {"SNAPSHOT": str(snapshot), "ONNX": str(network)}


def run(seed: int, examples: int, *, phases: str = PHASES, events: Path | None = None) -> Found:
    """Send made-up requests to a new server; as many to each operation as is said, and those of the other phases."""
    with tempfile.TemporaryDirectory() as name:
        folder, report = Path(name), events or Path(name) / "events"
        with serving(folder) as (url, key, log):
            options = f"--phases {phases} --seed {seed} --max-examples {examples} --no-color --workers 1".split()
            reports = ["--report", "ndjson", "--report-ndjson-path", str(report)]
            command = [str(TOOL), "--config-file", str(CONFIG), "run", f"{url}/openapi.json", *options, *reports]
            environment = unmeasured() | files_in(folder) | {"NETLET_KEY": key, "SCHEMATHESIS_HOOKS": HOOKS}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
            unexpected = [line for line in log.read_text().splitlines() if '"level":"error"' in line.replace(" ", "")]
        answers, in_no_time = answers_in(report)
        return Found(*counted(done.stdout), done.stdout + done.stderr, [*unexpected, *in_no_time], answers)


def counted(told: str) -> tuple[int, int]:
    """Read how many cases there were, and how many failures and errors."""
    cases = re.search(r"(\d+) generated", told)
    wrong = re.search(r"=+ (?:(\d+) failures?)?(?:, )?(?:(\d+) errors?)?.* in [0-9.]+s", told)
    if cases is None or wrong is None:
        return 0, 0
    return int(cases[1]), sum(int(count or 0) for count in wrong.groups())


def answers_in(report: Path) -> tuple[dict[str, Counter[int]], list[str]]:
    """Count the statuses that each operation was answered with, and name what got a 504 though it stated no time."""
    found: dict[str, Counter[int]] = {}
    wrong: list[str] = []
    with report.open(encoding="utf-8") as events:
        for line in events:
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for case, sent in recorder.get("interactions", {}).items():
                told = recorder["cases"][case]["value"]
                status = (sent.get("response") or {}).get("status_code", 0)
                found.setdefault(f"{told['method']} {told['path']}", Counter())[status] += 1
                if status == HTTPStatus.GATEWAY_TIMEOUT and "timeout" not in json.dumps(told).lower():
                    wrong.append(f"504: {told['method']} {told['path']}")
    return found, wrong


def main() -> int:
    """Run with each seed, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--events", type=Path, help="keep what was sent and answered in a file, of the last seed")
    parser.add_argument("--statuses", action="store_true", help="print how each operation was answered")
    asked = parser.parse_args()
    total, wrong = 0, 0
    for seed in asked.seeds:
        found = run(seed, asked.examples, events=asked.events)
        total, wrong = total + found.cases, wrong + (not found.is_good)
        print(f"seed {seed}: {found.cases} cases, {found.failures} failures, {len(found.unexpected)} unexpected")  # noqa: T201 - a runner prints
        if not found.is_good:
            print(found.told, *found.unexpected[:20], sep="\n")  # noqa: T201 - a runner prints
        if asked.statuses:
            for operation, statuses in sorted(found.answers.items()):
                print(operation, dict(sorted(statuses.items())))  # noqa: T201 - a runner prints
    print(f"{total} cases, {wrong} of {len(asked.seeds)} runs with something wrong")  # noqa: T201 - a runner prints
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
