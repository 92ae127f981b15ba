"""`python -m benchmarks.exposure`: what slow clients do to others, and what is left of a service at ten times its load.

The service has one worker on one processor, and all clients are on the other.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.exposure import crowded, overload, slow
from benchmarks.report import say
from benchmarks.running import serving
from benchmarks.serving import load
from tests.faults.clients import until_answered


async def measured(url: str, asked: argparse.Namespace) -> bool:
    """Measure what is asked for; tell whether all of it is as it should be."""
    await until_answered(url)
    found: list[slow.Slowness | overload.Overload | crowded.Crowded] = []
    if asked.part != "overload":
        for kind in slow.KINDS:
            found.append(await slow.compared(url, kind, asked.connections, asked.rounds))
            say(str(found[-1]))
    if asked.part != "slow":
        for case in overload.CASES:
            found.append(await overload.compared(url, case, asked.rounds))
            say(str(found[-1]))
        if load.is_installed():
            found.append(await asyncio.to_thread(crowded.compared, url, asked.rounds))
            say(str(found[-1]))
        else:
            say("wrk is not installed: single rows are left out")
    return all(each.is_good for each in found)


def main() -> int:
    """Measure, print what came of it, and give exit code 1 where that is not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--part", choices=["slow", "overload", "both"], default="both")
    parser.add_argument("--connections", type=int, default=1000, help="slow ones, of each kind")
    parser.add_argument("--rounds", type=int, default=5, help="of each comparison")
    asked = parser.parse_args()
    servers, own = sorted(os.sched_getaffinity(0))[:2]  # as wrk has it
    os.sched_setaffinity(0, {servers})  # the service has it from here
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "models", log=Path(folder) / "log") as (url, _),
    ):
        os.sched_setaffinity(0, {own})
        is_good = asyncio.run(measured(url, asked))
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
