"""Use: how many rows each version has answered, and how far these are from what it was trained on."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from cachetools import LRUCache

from app.engine.arrays import Cells
from app.insight.drift import Drift, Moved
from app.store.store import Stored
from app.telemetry.metrics import MOST_VERSIONS, Figure

MOST_KNOWN = 10_000  # versions that are counted
MOST_COLUMNS = 3  # of each, whose drift is told
LONGEST_NAME = 100  # of a column, as far as it is told
MOST_WAITING = 64  # times that a few rows were answered, before they are added up


class Use:
    """That of one version; counted by the event loop alone."""

    def __init__(self) -> None:
        self.rows = self.outside = self.added = 0
        self.drift: Drift | None = None
        """Of a version that is told of."""
        self.waiting: list[tuple[Cells, list[bool]]] = []

    def add(self, X: Cells, in_range: list[bool]) -> None:
        """Count rows, shape (samples, columns), soon; it takes half a microsecond."""
        self.waiting.append((X, in_range))
        if len(self.waiting) >= MOST_WAITING:
            self.settle()

    def merge(self, outside: int, moved: Moved) -> None:
        """Count rows that were added up elsewhere."""
        self.rows += moved.rows
        self.outside += outside
        if self.drift is not None:
            self.drift.merge(moved)

    def settle(self) -> None:
        """Count what waits for it."""
        if self.waiting and self.drift is not None:
            rows, in_range = zip(*self.waiting, strict=True)
            outside = [*chain.from_iterable(in_range)].count(False)
            self.waiting = []
            self.merge(outside, self.drift.measure(np.concatenate(rows)))


class Uses:
    """Those of all versions, in this process."""

    def __init__(self) -> None:
        self.known: LRUCache[tuple[str, int], Use] = LRUCache(MOST_KNOWN)
        self.told: dict[tuple[str, int], Use] = {}
        self.rows = 0

    def of(self, stored: Stored) -> Use:
        """Give that of a version which answers now; it is told of instead of the one that has been the longest."""
        key = stored.name, stored.version
        use = self.known.setdefault(key, Use())
        if use.drift is None:
            use.drift = Drift(stored.model)
            if len(self.told) >= MOST_VERSIONS:
                resting = self.told.pop(next(iter(self.told)))
                self._add_up(resting)
                resting.drift = None
            self.told[key] = use
        return use

    def merge(self, stored: Stored, outside: int, moved: Moved) -> None:
        """Count rows that a version has answered elsewhere than on the event loop."""
        self.of(stored).merge(outside, moved)

    def _add_up(self, use: Use) -> None:
        use.settle()
        self.rows += use.rows - use.added
        use.added = use.rows

    def figures(self) -> Iterator[Figure]:
        """Tell them."""
        for (name, version), use in self.told.items():
            labels = name, str(version)
            self._add_up(use)
            yield Figure("netlet_model_rows_total", labels, [use.rows])
            yield Figure("netlet_model_rows_out_of_range_total", labels, [use.outside])
            weight, drifts = (0, ()) if use.drift is None else (use.drift.rows, use.drift.farthest(MOST_COLUMNS))
            for column, drift in drifts:
                yield Figure("netlet_model_drift", (*labels, column[:LONGEST_NAME]), [weight, weight * drift])
        yield Figure("netlet_predicted_rows_total", (), [self.rows])
