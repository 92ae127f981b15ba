"""The process that reads cases: `python -m tests.fuzzing.child TARGET SEED BEGIN END FOLDER` tells of them."""

import faulthandler
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.errors import NetletError
from tests.fuzzing.targets import FAULTY, TARGETS, Target, case_of

ROOM = 3 * 2**30  # bytes of addresses beyond those of a process that has all imported: threads take many, unused
MOST_GROWTH = 192 * 2**20  # bytes while one case is read; bodies are some kilobytes
MOST_KEPT = 96 * 2**20  # bytes that the process may have grown by at the end
WARM = 50  # cases after which it should not grow any more
TOLD_EVERY = 250
PAGE = resource.getpagesize()


def main() -> None:
    """Read the cases, and tell what became of them."""
    faulthandler.enable()
    name, seed, begin, end, folder = sys.argv[1:]
    target = TARGETS.get(name, FAULTY)
    with target.reading(Path(folder)) as read, (Path(folder) / "at").open("r+b", buffering=0) as at:
        for data in target.sound:
            _outcome(read, data)  # which imports what is needed
        _limit()
        watch = Watch()
        for case in range(int(begin), int(end)):
            at.seek(0)
            at.write((case + 1).to_bytes(8, "little"))
            watch.look_at(case, target, read, int(seed))
        watch.tell()
    os._exit(0)  # Python, where it ends while pyarrow still reads ahead, ends that thread by force, and all with it


class Watch:
    """What is noted of cases until it is told."""

    def __init__(self) -> None:
        self.warm, self.count = 0, 0
        self._begin()

    def _begin(self) -> None:
        self.cases, self.largest, self.slowest = 0, 0, 0.0
        self.outcomes, self.failures = Counter[str](), list[str]()

    def look_at(self, case: int, target: Target, read: Any, seed: int) -> None:
        """Read a case, and note what becomes of it."""
        data = case_of(target, seed, case)
        before, began = _resident(), time.process_time()
        with _peak_from_here():
            outcome = _outcome(read, data)
            grown = _peak() - before
        self.slowest = max(self.slowest, time.process_time() - began)
        self.largest = max(self.largest, grown)
        if grown > MOST_GROWTH:
            outcome = f"! took {grown // 2**20} MiB for {len(data)} bytes ({outcome})"
        self.count += 1
        if self.count == WARM:
            self.warm = _resident()
        self._note(case, outcome)

    def _note(self, case: int, outcome: str) -> None:
        self.cases += 1
        if outcome.startswith("!"):
            self.failures.append(f"case {case}: {outcome[2:]}")
            self.tell()  # the next may be the last
        else:
            self.outcomes[outcome] += 1
        if self.cases >= TOLD_EVERY:
            self.tell()

    def tell(self) -> None:
        """Write down what was noted since the last time."""
        grown = _resident() - self.warm if self.warm else 0
        if grown > MOST_KEPT:
            self.failures.append(f"grew by {grown // 2**20} MiB in {self.count} cases")
        told = {"cases": self.cases, "outcomes": self.outcomes, "failures": self.failures}
        print(json.dumps(told | {"largest": self.largest, "grown": grown, "slowest": self.slowest}), flush=True)  # noqa: T201 - whoever started it reads it
        self._begin()


def _outcome(read: Any, data: bytes) -> str:
    """Read something; say how it went, with ! before it where that must not be."""
    try:
        read(data)
    except NetletError as error:
        hidden = _memory_error(error)
        return f"! asked for too much memory ({hidden})" if hidden else type(error).__name__
    except BaseException as error:  # noqa: BLE001 - of any kind, it is what is looked for
        return f"! {type(error).__name__}: {str(error)[:200]}"
    return "read"


def _memory_error(error: BaseException | None) -> str:
    """Find what asked for more memory than there is, be it turned into something else."""
    while error is not None:
        if isinstance(error, MemoryError):
            return str(error)[:100] or "MemoryError"
        error = error.__cause__ or error.__context__
    return ""


def _limit() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


@contextmanager
def _peak_from_here() -> Iterator[None]:
    """Let the system count the peak of this process's memory from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    yield


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
