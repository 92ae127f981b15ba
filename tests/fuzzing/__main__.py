"""Reads mutations of each format, and prints what became of them: `python -m tests.fuzzing --cases 10000`."""

import argparse
import sys
import time

from tests.fuzzing.running import run
from tests.fuzzing.targets import TARGETS


def main() -> int:
    """Read them, and print a row for each format, and each failure with its case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="of each format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=TARGETS, action="append", help="formats; all where none is named")
    asked = parser.parse_args()
    print("| Format | Cases | Read | Refused | Most memory for one, MiB | Grown by, MiB | Slowest, s | Failures |")  # noqa: T201 - a runner prints
    print("|---|---|---|---|---|---|---|---|")  # noqa: T201
    failed = 0
    for name in asked.only or TARGETS:
        began = time.monotonic()
        tally = run(name, asked.cases, asked.seed)
        read = tally.outcomes.pop("read", 0)
        megabytes = [f"{size / 2**20:.0f}" for size in (tally.largest, tally.grown)]
        cells = [name, f"{tally.cases:,}", f"{read:,}", f"{tally.outcomes.total():,}", *megabytes]
        cells += [f"{tally.slowest:.2f}", str(len(tally.failures))]
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201
        refused = ", ".join(f"{count:,} {kind}" for kind, count in tally.outcomes.most_common())
        print(f"{name}: {refused}; {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201
        for failure in tally.failures:
            print(f"{name}: {failure}", file=sys.stderr)  # noqa: T201
        failed += len(tally.failures)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
