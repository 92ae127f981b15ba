"""Running: cases in a child process of bounded memory and time, and what became of each.

Whatever is neither an answer nor one of the domain's own errors is a failure: another exception, an attempt to get
more memory than the process may have, memory that grows beyond its bound, a hang, a signal. Each is told with its
case, which `case_of` gives again.
"""

import json
import mmap
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.measuring import unmeasured

PATIENCE = 20.0  # seconds that one case may take, on a machine that does much else
MOST_FAILURES = 10  # of a target; then it is given up
LOOK_SECONDS = 0.1


@dataclass
class Tally:
    """What became of the cases of a target."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    largest: int = 0
    """Bytes by which memory grew most while one case was read."""
    grown: int = 0
    """Bytes by which the process grew all together, once it was warm."""
    slowest: float = 0.0
    """Seconds of the slowest case, of processor time."""

    def add(self, told: dict[str, object]) -> None:
        """Add what a child has told of some cases."""
        self.cases += int(str(told["cases"]))
        self.outcomes.update(json.loads(json.dumps(told["outcomes"])))
        self.failures += list(map(str, json.loads(json.dumps(told["failures"]))))
        self.largest = max(self.largest, int(str(told["largest"])))
        self.grown = max(self.grown, int(str(told["grown"])))
        self.slowest = max(self.slowest, float(str(told["slowest"])))


def run(target: str, cases: int, seed: int, patience: float = PATIENCE) -> Tally:
    """Read so many cases; a child that dies of one is followed by another, which goes on behind it."""
    tally, begin = Tally(), 0
    while begin < cases and len(tally.failures) < MOST_FAILURES:
        begin = _go_on(tally, target, seed, range(begin, cases), patience)
    return tally


def _go_on(tally: Tally, target: str, seed: int, cases: range, patience: float) -> int:
    """Read cases until all are read, or one kills the child; give the next to be read."""
    with tempfile.TemporaryDirectory(prefix="netlet-fuzzing-") as folder:
        place = Path(folder) / "at"
        place.write_bytes(bytes(8))
        words = [target, str(seed), str(cases.start), str(cases.stop), folder]
        with place.open("r+b") as file, mmap.mmap(file.fileno(), 8) as at:
            command = [sys.executable, "-m", "tests.fuzzing.child", *words]
            log = Path(folder) / "log"
            with log.open("wb") as errors, (Path(folder) / "told").open("wb") as told:
                child = subprocess.Popen(command, env=unmeasured(), stdout=told, stderr=errors)
                ended = _watched(child, at, patience)
            for line in (Path(folder) / "told").read_text(encoding="utf-8").splitlines():
                tally.add(json.loads(line))
            if ended == "":
                return cases.stop
            case = int.from_bytes(at[:8], "little") - 1
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            tally.failures.append(f"case {case}: {ended}" + "".join(f" ({line[:200]})" for line in last))
            return max(case, cases.start) + 1


def _watched(child: subprocess.Popen[bytes], at: mmap.mmap, patience: float) -> str:
    """Wait for a child to end, and say how; kill it where it hangs. Nothing is to be said where all is well."""
    seen, since = b"", time.monotonic()
    while child.poll() is None:
        if at[:8] != seen:
            seen, since = at[:8], time.monotonic()
        elif time.monotonic() - since > (patience if any(seen) else 6 * PATIENCE):
            child.kill()
            child.wait()
            return f"hung for {patience:g} s"
        time.sleep(LOOK_SECONDS)
    if child.returncode < 0:
        return f"signal {-child.returncode}"
    return "" if child.returncode == 0 else f"exit code {child.returncode}"
