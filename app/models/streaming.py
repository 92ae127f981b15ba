"""Streaming: how rows that are too many for memory come to those who learn from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.engine.arrays import Index, Randomness
from app.engine.backpropagation import Batch
from app.engine.examples import Examples, Take
from app.models.table import MoreRows, TrainingRows


@dataclass(frozen=True)
class Streamed(Examples):
    """The rows at hand, by which every member is judged, and more that all members learn from in the same order.

    They are too many for memory, and come block by block; those at hand, a sample, also say how all are encoded.
    """

    are_streamed = True
    more: MoreRows
    encode: Callable[[TrainingRows], Batch]
    """Does to rows, for all members, what was done to those at hand."""

    @property
    def count(self) -> int:
        """How many rows each member sees in an epoch."""
        return self.more.count

    def batches(self, size: int, rng: Randomness) -> Iterator[tuple[int, Take]]:
        """Give all rows once, shuffled within blocks that come in a new order; their batches are about as long."""
        for block in self.more.blocks(rng):
            for batch in np.array_split(rng.permutation(len(block.X)), max(1, round(len(block.X) / size))):
                yield len(batch), partial(self._part, block, batch)

    def _part(self, block: TrainingRows, batch: Index, part: slice) -> Batch:
        X, y, weights = self.encode(block.part(batch[part]))
        return Batch(X[np.newaxis], y[np.newaxis], None if weights is None else weights[np.newaxis])
