"""A soak: `python -m benchmarks.soak --minutes 30` uses a service of two workers in all ways at once, with faults.

wrk predicts without pause; others train, delete, follow, upload, send what cannot be taken, send half and are silent,
and kill processes that train. It prints whether memory was flat after the warm-up, and what failed that should not.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from benchmarks.report import say
from benchmarks.running import serving
from benchmarks.serving.load import SCRIPT, TOLD
from benchmarks.soak.clients import Users, prepare
from benchmarks.soak.processes import Sample, flatness, sampled
from tests.faults.clients import Asked, Crowd, until_answered

SECONDS_BETWEEN_SAMPLES = 5.0
SECONDS_BETWEEN_LINES = 60.0
WARM_UP = 0.2  # of the time
QUESTION = b'{"model": "soaked", "X": [[0.4, 0.8]]}'


def main() -> int:
    """Soak, and print what came of it; give exit code 1 where memory was not flat, or something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--connections", type=int, default=16, help="those that predict without pause")
    parser.add_argument("--log", type=Path, help="file for the log of the service")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = asked.log or Path(folder) / "log"
        with serving(Path(folder) / "models", "--workers", "2", log=log) as (url, supervisor):
            users, samples, predicted = asyncio.run(soaked(url, supervisor, asked.minutes * 60, asked.connections))
        unforeseen = log.read_text(encoding="utf-8").count("Traceback")
    return _report(users, samples, predicted, unforeseen)


async def soaked(url: str, supervisor: int, seconds: float, connections: int) -> tuple[Users, list[Sample], int]:
    """Use a service for so long; give its users, what its processes took, and how many rows wrk was answered."""
    await until_answered(url)
    users, samples, began = Users(url, supervisor), list[Sample](), monotonic()
    await prepare(users)
    using = asyncio.create_task(users.use())
    async with _predicting(url, users, seconds, connections) as predicting:
        told = began
        while monotonic() < began + seconds:
            samples.append(await asyncio.to_thread(sampled, supervisor))
            if monotonic() >= told + SECONDS_BETWEEN_LINES:
                told = monotonic()
                say(_line(samples, users, told - began))
            await asyncio.sleep(SECONDS_BETWEEN_SAMPLES)
    users.is_over = True
    await using
    return users, samples, predicting.tally["answers"]


@asynccontextmanager
async def _predicting(url: str, users: Users, seconds: float, connections: int) -> AsyncIterator[Crowd]:
    """Let wrk predict meanwhile, or clients of our own where it is not installed."""
    crowd = Crowd(url)
    if shutil.which("wrk") is None:
        say("wrk is not installed: clients of our own predict instead")
        asking = asyncio.create_task(crowd.gathered([Asked("POST", "/predict", QUESTION)] * connections, 1))
        yield crowd
        crowd.is_over = True
        await asking
        users.failed += crowd.failed
        return
    with tempfile.TemporaryDirectory() as folder:
        script, body = Path(folder) / "post.lua", Path(folder) / "body"
        script.write_text(SCRIPT, encoding="utf-8")
        body.write_bytes(QUESTION)
        told = {"BODY": str(body), "TYPE": "application/json", "HEADER": ""}
        options = [
            "-t1",
            f"-c{connections}",
            f"-d{seconds:.0f}",
            "--timeout",
            "60",
            "-s",
            str(script),
            f"{url}/predict",
        ]
        process = await asyncio.create_subprocess_exec(
            "wrk", *options, env=os.environ | told, stdout=asyncio.subprocess.PIPE
        )
        yield crowd
        output, _ = await process.communicate()
    said = output.decode()
    found = TOLD.search(said)
    crowd.tally["answers"] = int(found[1]) if found else 0
    if found is None or int(found[4]):
        users.failed[re.sub(r"\s+", " ", f"wrk: {said}")] += int(found[4]) if found else 1


def _line(samples: list[Sample], users: Users, seconds: float) -> str:
    last = samples[-1]
    staying = [sum(figures) for figures in zip(*last.staying.values(), strict=True)]
    training = sum(taken.rss for taken in last.training)
    return (
        f"{seconds / 60:5.1f} min: {staying[0] / 2**20:6.1f} MB in {len(last.staying)} processes that stay,"
        f" {staying[1]} files, {staying[2]} threads; {training / 2**20:6.1f} MB in {len(last.training)} that train;"
        f" {users.done.total():,} uses, {users.failed.total()} failed"
    )


def _report(users: Users, samples: list[Sample], predicted: int, unforeseen: int) -> int:
    seconds = samples[-1].at - samples[0].at
    say(f"\n{seconds / 60:.1f} minutes, of which the first {WARM_UP:.0%} are the warm-up; medians of minutes:")
    is_flat = True
    for what, moved in flatness(samples, WARM_UP * seconds):
        say(f"  {what}: {moved}")
        is_flat &= moved.is_flat or "MB" not in what
    say(f"memory is {'flat' if is_flat else 'NOT flat'} within 5 %")
    say(f"predictions by wrk: {predicted:,}")
    for what, count in sorted(users.done.items()):
        say(f"  {count:7,} {what.replace('_', ' ')}")
    say(f"failed, other than intended: {users.failed.total()}; tracebacks in the log: {unforeseen}")
    for what, count in users.failed.most_common(20):
        say(f"  {count} {what}")
    return int(not is_flat or bool(users.failed) or unforeseen > 0)


if __name__ == "__main__":
    sys.exit(main())
