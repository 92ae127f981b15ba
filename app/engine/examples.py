"""Examples: scaled rows, and how they come to those who learn from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from app.engine.arrays import Features, HeldOut, Indices, Randomness, RowWeights, Truth
from app.engine.backpropagation import Batch

Take = Callable[[slice], Batch]
"""Gives some of the rows of a batch."""


@dataclass(frozen=True)
class Examples:
    """Scaled rows, on the device that learns from them, and which of them each member learns from or is judged by."""

    are_streamed: ClassVar[bool] = False
    """Whether there are more to learn from than those at hand, which judge all members alike."""
    X: Features
    y: Truth
    weights: RowWeights | None
    learnt: Indices
    judged: HeldOut
    models: int = field(default=1, kw_only=True)
    """How many learn at once, each with as many members and rows of its own, in the order that it would alone."""

    def batch(self, rows: Indices) -> Batch:
        """Take each member's own rows; `take` does it in a third of the time of an index."""
        weights = None if self.weights is None else self.weights.take(rows, axis=0)
        return Batch(self.X.take(rows, axis=0), self.y.take(rows, axis=0), weights)

    @property
    def count(self) -> int:
        """How many rows each member sees in an epoch."""
        return int(self.learnt.shape[1])

    def batches(self, size: int, rng: Randomness) -> Iterator[tuple[int, Take]]:
        """Give all rows once, in a new order unless one batch has all: how many it has, and a way to take some."""
        if size >= self.count:
            yield self.count, self._whole.part
            return
        orders = [rng.permutation(self.count) for _ in range(len(self.learnt) // self.models)]
        shuffled = np.take_along_axis(self.learnt, np.tile(orders, (self.models, 1)), axis=1)
        for start in range(0, self.count, size):
            batch = shuffled[:, start : start + size]
            yield batch.shape[1], partial(self._take, batch)

    @cached_property
    def _whole(self) -> Batch:
        return self.batch(self.learnt)

    def _take(self, batch: Indices, part: slice) -> Batch:
        return self.batch(batch[:, part])
