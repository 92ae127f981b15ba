"""The tally of kills: what was done and what was wrong, counted, printed, and told by the exit code."""

import argparse
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path


def said(faults: list[str]) -> Counter[str]:
    """Print faults, and count them by their kind."""
    for fault in faults:
        print(fault, flush=True)  # noqa: T201 - a runner prints
    return Counter(f"FAULT {fault.split(':')[0]}" for fault in faults)


def main(about: str | None, run: Callable[[int, int, Path], Counter[str]]) -> int:
    """Kill as often as the command line says, and print the tally."""
    parser = argparse.ArgumentParser(description=about)
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
