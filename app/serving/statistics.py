"""Statistics: how often a version was asked by the protocols of other servers, and how long its answers took."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter_ns, time

from cachetools import LRUCache

MOST_KNOWN = 10_000  # versions


@dataclass
class Taken:
    """How often something was done, and how many nanoseconds that took all together."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Count once more."""
        self.count += 1
        self.ns += ns


@dataclass
class OfVersion:
    """What is known of one version since the server began, or since it was asked for last among very many."""

    last: int = 0
    """Milliseconds since 1970."""
    rows: int = 0
    success: Taken = field(default_factory=Taken)
    fail: Taken = field(default_factory=Taken)
    reading: Taken = field(default_factory=Taken)
    answering: Taken = field(default_factory=Taken)


class Inference:
    """One that is under way."""

    def __init__(self) -> None:
        self.began = self.was_read = perf_counter_ns()
        self.rows = 0

    def has_read(self, rows: int) -> None:
        """Note that so many rows were read, and are to be answered."""
        self.was_read, self.rows = perf_counter_ns(), rows


class Statistics:
    """Those of this server process."""

    def __init__(self) -> None:
        self.versions: LRUCache[tuple[str, int], OfVersion] = LRUCache(MOST_KNOWN)

    def of(self, name: str, version: int) -> OfVersion:
        """Give, or begin, those of one version."""
        key = name, version
        if key not in self.versions:
            self.versions[key] = OfVersion()
        return self.versions[key]

    def known(self) -> list[tuple[tuple[str, int], OfVersion]]:
        """List them by name and version."""
        return sorted(self.versions.items(), key=lambda known: known[0])

    @contextmanager
    def counted(self, name: str, version: int) -> Iterator[Inference]:
        """Count what is done meanwhile, as a failure where it raises."""
        of, inference = self.of(name, version), Inference()
        try:
            yield inference
        except BaseException:
            of.fail.add(perf_counter_ns() - inference.began)
            raise
        end = perf_counter_ns()
        of.success.add(end - inference.began)
        of.reading.add(inference.was_read - inference.began)
        of.answering.add(end - inference.was_read)
        of.rows += inference.rows
        of.last = int(time() * 1000)


def told_of(key: tuple[str, int], known: OfVersion) -> dict[str, object]:
    """Tell statistics as Triton does; nothing waits in queues or comes from caches, and answering includes writing."""
    nothing = asdict(Taken())
    return {
        "name": key[0],
        "version": str(key[1]),
        "last_inference": known.last,
        "inference_count": known.rows,
        "execution_count": known.success.count,
        "inference_stats": {
            "success": asdict(known.success),
            "fail": asdict(known.fail),
            "queue": nothing,
            "compute_input": asdict(known.reading),
            "compute_infer": asdict(known.answering),
            "compute_output": nothing,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": [],
    }
