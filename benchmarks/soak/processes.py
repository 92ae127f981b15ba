"""What the processes of a service take: memory, open files and threads, sampled over time, and whether that is flat."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import monotonic
from typing import NamedTuple

WINDOW = 60.0  # seconds whose median counts: single samples catch what a request holds for a moment
MOST = 0.05  # of the median after the warm-up


class Taken(NamedTuple):
    """What a process takes at a moment."""

    rss: int
    files: int
    threads: int


class Sample(NamedTuple):
    """What all processes take: those that stay by their number, and those of trainings, which come and go, together."""

    at: float
    staying: dict[int, Taken]
    training: list[Taken]


class Flatness(NamedTuple):
    """How one figure has moved after the warm-up: its median, and the lowest and highest of its windows."""

    median: float
    lowest: float
    highest: float

    @property
    def is_flat(self) -> bool:
        """Tell whether no window is further from the median than may be."""
        return max(self.median - self.lowest, self.highest - self.median) <= MOST * self.median

    def __str__(self) -> str:
        down, up = ((end / self.median - 1) * 100 for end in (self.lowest, self.highest))
        return f"{self.median:,.1f} ({down:+.1f} % to {up:+.1f} %)"


def children(pid: int) -> list[int]:
    """List the processes that one has started."""
    with suppress(OSError):
        threads = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
        return [int(child) for line in threads for child in line.split()]
    return []


def trainers(workers: list[int]) -> list[int]:
    """List the processes that train: what those have started that workers have started to make them."""
    return [trainer for worker in workers for maker in children(worker) for trainer in children(maker)]


def sampled(supervisor: int) -> Sample:
    """Look at all processes of a service."""
    workers = children(supervisor)
    staying = [supervisor, *workers, *(maker for worker in workers for maker in children(worker))]
    taken = {pid: each for pid in staying if (each := _taken(pid))}
    return Sample(monotonic(), taken, [each for pid in trainers(workers) if (each := _taken(pid))])


def _taken(pid: int) -> Taken | None:
    with suppress(OSError, StopIteration):
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
        if "VmRSS" in told:  # it has not just ended
            files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            return Taken(int(told["VmRSS"].split()[0]) * 1024, files, int(told["Threads"]))
    return None


def flatness(samples: list[Sample], warm_up: float) -> Iterator[tuple[str, Flatness]]:
    """Tell how all that stay have moved together, in all that they take, and each alone in its memory."""
    after = [sample for sample in samples if sample.at >= samples[0].at + warm_up]
    for number, name in enumerate(Taken._fields):
        unit, scale = ("memory, MB", 2**20) if name == "rss" else (name, 1)
        yield f"all that stay: {unit}", _moved(after, lambda sample, n=number, s=scale: _sum(sample, n) / s)  # type: ignore[misc]  # bound at once
    for pid in sorted(set.intersection(*(set(sample.staying) for sample in after))):
        yield f"process {pid}: memory, MB", _moved(after, lambda sample, p=pid: sample.staying[p].rss / 2**20)  # type: ignore[misc]  # the same


def _sum(sample: Sample, number: int) -> int:
    return sum(taken[number] for taken in sample.staying.values())


def _moved(samples: list[Sample], figure: Callable[[Sample], float]) -> Flatness:
    windows: dict[int, list[float]] = defaultdict(list)
    for sample in samples:
        windows[int((sample.at - samples[0].at) / WINDOW)].append(figure(sample))
    whole = [median(values) for values in windows.values() if len(values) >= len(windows[0]) / 2]
    return Flatness(median(map(figure, samples)), min(whole), max(whole))
