"""Trainings in processes of the service against the same on a Ray cluster: what each costs, and what two workers bring.

`python -m benchmarks.executors` starts a cluster on this machine, and hands trainings to both in turns, with snapshots
that are written to disk. It tells the load of the machine: others at work on it make all of its figures worthless.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.jobs import orders
from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from app.jobs.executors import ProcessExecutor
from app.jobs.folder import JobFolder
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.work import Workplace, train_and_save
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from app.store.layout import INCOMING
from app.store.saving import Saved
from benchmarks.report import Section, markdown, say, verdict
from tests import ray_cluster
from tests.ray_cluster import PROVES

GOAL = 1.7
MEMORY = 2**30
WORKERS = 2
TRIED = 100  # epochs, to find out how long they take
NETWORK = Architecture(hidden=(64, 64))


class Bench:
    """A store, and a training of about so many seconds."""

    def __init__(self, root: Path, seconds: float) -> None:
        self.workplace, self.folder, self.numbers = Workplace(root), JobFolder(root), count()
        (root / INCOMING).mkdir(parents=True)
        self.folder.open()
        rng = np.random.default_rng(0)
        X = rng.standard_normal((2000, 8))
        rows = TrainingRows(tuple(Column(f"x{n}") for n in range(8)), ("y",), X, np.sin(X[:, :1]) + X[:, 1:2])
        training = TrainingConfig(optimizer="adam", epochs=TRIED, batch_size=64, patience=None)
        self.order = Order(name="bench", rows=rows, recipe=Recipe(network=NETWORK, training=training))
        self.data = orders.encode(self.order)
        with ProcessExecutor(1, MEMORY) as executor:
            self.timed(executor, 1)  # which begins it
            epochs = round(TRIED * seconds / self.timed(executor, 1))
        self.order = replace(self.order, recipe=Recipe(network=NETWORK, training=replace(training, epochs=epochs)))
        self.data = orders.encode(self.order)

    def timed(self, executor: Executor, trainings: int, at_once: int = 1) -> float:
        """Give the seconds until so many trainings are saved, of which so many are handed over at once."""
        notes = [self.folder.note(f"{next(self.numbers):016x}", 1) for _ in range(trainings)]
        began = perf_counter()
        for note in notes:
            note.prepare()
        with ThreadPoolExecutor(at_once) as waiting:
            for saved in waiting.map(lambda note: self._trained(executor, note), notes):
                assert saved.bytes  # noqa: S101 - none has failed
        seconds = perf_counter() - began
        for note in notes:
            self.folder.clear(note.word.partition("-")[0])
        return seconds

    def _trained(self, executor: Executor, note: Note) -> Saved:
        return executor.submit(train_and_save, self.data, self.workplace, note, {}).result()


@contextmanager
def _ways() -> Iterator[dict[str, Executor]]:
    """Start what trains: with one worker of one CPU, and with two, either way."""
    os.environ.update(PROVES)
    with ray_cluster.running(cpus=1) as one, ray_cluster.running(cpus=WORKERS) as two:
        ways: dict[str, Executor] = {
            "process": ProcessExecutor(WORKERS, MEMORY),
            "ray, 1": RayExecutor(Cluster(one.address, 1, MEMORY)),
            f"ray, {WORKERS}": RayExecutor(Cluster(two.address, 1, MEMORY)),
        }
        try:
            yield ways
        finally:
            for executor in ways.values():
                executor.shutdown()


def section(*, seconds: float, trainings: int, rounds: int) -> Section:
    """Time one training at a time, and many at once, in turns."""
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder, _ways() as ways:
        bench = Bench(Path(folder) / "models", seconds)
        for executor in ways.values():
            bench.timed(executor, WORKERS, WORKERS)  # which begins what trains
        for number in range(rounds):
            for way in ("process", "ray, 1"):
                taken.setdefault(way, []).append(bench.timed(ways[way], 1))
            for workers in (1, WORKERS):
                done = bench.timed(ways["process"], trainings, workers)
                taken.setdefault(f"process, {workers}, many", []).append(done / trainings)
                done = bench.timed(ways[f"ray, {workers}"], trainings, trainings)
                taken.setdefault(f"ray, {workers}, many", []).append(done / trainings)
            load = os.getloadavg()[0]
            told = ", ".join(f"{name} {each[-1]:.3f} s" for name, each in taken.items())
            say(f"round {number + 1}: {told}; load {load:.1f}")
    return _told({name: median(each) for name, each in taken.items()}, trainings)


def _told(seconds: dict[str, float], trainings: int) -> Section:
    process, ray = seconds["process"], seconds["ray, 1"]
    rows = [
        ("one training in a process", f"{process:.3f} s", ""),
        ("the same on the cluster", f"{ray:.3f} s", f"{1000 * (ray - process):+.0f} ms"),
    ]
    for way in ("process", "ray"):
        one, two = (seconds[f"{way}, {workers}, many"] for workers in (1, WORKERS))
        ratio = f"{one / two:.2f} times as many" + (
            f"; {verdict(one / two, GOAL, at_least=True)}" if way == "ray" else ""
        )
        rows.append((f"{trainings} by {way}, one at a time", f"{1 / one:.2f} models a second", ""))
        rows.append((f"{trainings} by {way}, {WORKERS} at a time", f"{1 / two:.2f} models a second", ratio))
    return Section("Trainings on a Ray cluster, saved", ("", "measured", ""), rows)


def main() -> None:
    """Measure, and print what came of it."""
    about = (__doc__ or "").split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors", description=about)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one training")
    parser.add_argument("--trainings", type=int, default=10, help="at once")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    say(markdown([section(seconds=asked.seconds, trainings=asked.trainings, rounds=asked.rounds)]))


if __name__ == "__main__":
    main()
