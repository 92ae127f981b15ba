"""Replacing all workers of a service while 200 clients ask it: what was answered, and what failed.

`python -m benchmarks.rolling` sends SIGHUP to `netlet serve --workers 2` several times; each time both workers are
replaced, one after the other. Half of the clients ask without pause, the others now and then, and a few train.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from time import monotonic

from benchmarks.report import say
from benchmarks.running import serving
from tests.faults.clients import Asked, Crowd, Kept, until_answered

CLIENTS, TRAINERS = 200, 4
MOST_SECONDS = 300  # that replacing all may take on a busy machine
XY = b'{"name": "exam", "X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}'
EAGER = Asked("POST", "/predict", b'{"model": "exam", "X": [[1, 2]]}')
WITH_PAUSES = EAGER._replace(pause=2.0)
TRAINING = Asked("POST", "/train", XY.replace(b"exam", b"other"), good=(201, 202), pause=1.0)


def workers_of(pid: int) -> set[int]:
    """Find the processes that a process has started."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()}


async def replaced(supervisor: int) -> float:
    """Let all workers be replaced, and give the seconds that it took."""
    began, before = monotonic(), workers_of(supervisor)
    os.kill(supervisor, signal.SIGHUP)
    while (now := workers_of(supervisor)) & before or len(now) != len(before):
        await asyncio.sleep(0.1)
        if monotonic() - began > MOST_SECONDS:
            raise TimeoutError
    return monotonic() - began


async def measured(url: str, supervisor: int, rounds: int) -> Crowd:
    """Replace the workers so many times under load."""
    await until_answered(url)
    async with Kept(url) as client:
        await client.ask("POST", "/train", XY)
    crowd = Crowd(url)
    everybody = [EAGER, WITH_PAUSES] * (CLIENTS // 2) + [TRAINING] * TRAINERS
    asking = asyncio.create_task(crowd.gathered(everybody, 1))
    for number in range(1, rounds + 1):
        await asyncio.sleep(2)
        taken = await replaced(supervisor)
        say(f"restart {number}: {taken:.1f} s; {crowd.tally['answers']:,} answers by then")
    await asyncio.sleep(2)
    crowd.is_over = True
    await asking
    return crowd


def main() -> int:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "models", "--workers", "2") as (url, pid):
        crowd = asyncio.run(measured(url, pid, asked.rounds))
    say(f"{CLIENTS + TRAINERS} clients, {asked.rounds} rolling restarts of 2 workers")
    say(f"requests: {crowd.tally['answers'] + crowd.failed.total():,}, failed: {crowd.failed.total()}")
    say(f"connections that were told to end: {crowd.tally['last answers of connections']:,}")
    for what, count in crowd.failed.most_common(10):
        say(f"  {count} {what}")
    return min(crowd.failed.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
