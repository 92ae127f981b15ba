"""Sharding: large batches are cut into pieces, which threads and machines share out among them, with one result.

Synchronous data parallelism: each works out the gradient of its rows, and all of these are summed before the step.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Parameters, PerMember
from app.engine.backpropagation import ALL, Backpropagation, Batch
from app.engine.losses import LOSSES, Loss
from app.engine.network import Network

SHARD = 1024  # rows of a large batch that are one piece of work; sums are taken in their order, whoever did them
BLOCK = 16  # shards in a row that one machine sums: what it sends back is as long as the parameters, however many


class Part(NamedTuple):
    """What some rows of a batch add to its gradient and loss, neither of them with a penalty."""

    gradient: Parameters
    value: PerMember


@dataclass(frozen=True)
class Block:
    """Some rows of a batch, and all that another machine has to know to work out their part; it can be pickled."""

    network: Network
    loss: str
    level: float
    """Which quantile is learnt, where it is one."""
    parameters: Parameters
    rows: Batch
    masks: Sequence[Array]
    of: int
    """How many rows the batch has."""
    threads: int


def part_of(block: Block) -> Part:
    """Work out a block's part, in whatever process."""
    loss, gradient = replace(LOSSES[block.loss], level=block.level), np.empty_like(block.parameters)
    whole = Backpropagation(block.network, loss, block.parameters, gradient)
    with ThreadPoolExecutor(block.threads) as threads, np.errstate(all="ignore"):  # who sums it sees what is not finite
        shards = ShardedBackpropagation(whole, Helpers(threads if block.threads > 1 else None))
        rows = slice(0, block.rows.X.shape[1])
        shards.work(block.rows.part, _cut(rows, SHARD), block.masks)
        value = shards.sum(gradient, rows, block.of)
    return Part(gradient, value)


@dataclass(frozen=True)
class Machines:
    """Other machines, as an executor that calls `part_of` on them, and how many there are."""

    executor: Executor
    count: int
    threads: int = 1
    """Of each."""


class Helpers(NamedTuple):
    """Whoever shares in the work on large batches, beside whoever learns."""

    threads: Executor | None = None
    machines: Machines | None = None


ALONE = Helpers()


class ShardedBackpropagation:
    """Loss and gradient of batches of any size: a large one is cut into shards, and these are shared out.

    Equal to the last bit for any number of threads and machines, since how a batch is cut, and the order in which its
    shards are summed, depend on its size alone.
    """

    def __init__(self, whole: Backpropagation, helpers: Helpers = ALONE) -> None:
        self.whole, (self.threads, self.machines) = whole, helpers
        self.idle: SimpleQueue[Backpropagation] = SimpleQueue()
        self.gradients: list[Parameters] = []
        self.room: Parameters | None = None
        self.done: deque[tuple[Parameters, PerMember]] = deque()

    def __call__(self, take: Callable[[slice], Batch], rows: int, masks: Sequence[Array] = ()) -> PerMember:
        """Write the gradient and give the loss of each member, as Backpropagation does.

        `take` gives some of the batch's `rows`; taking them is a part of the work that is shared out.
        """
        if rows < 2 * SHARD:
            return self.whole(*take(ALL), masks)
        blocks = _cut(slice(0, rows), BLOCK * SHARD)
        away = self._send(take, blocks, rows, masks)
        near = [block for place, block in enumerate(blocks) if place not in away]
        self.work(take, [shard for block in near for shard in _cut(block, SHARD)], masks)
        value = self.sum(self.whole.gradient, blocks[0], rows)  # which is never away
        for place, block in enumerate(blocks[1:], 1):
            part = away[place].result() if place in away else self._part(block, rows)
            self.whole.gradient += part.gradient
            value = value + part.value
        self.whole.penalise()  # once, not once a shard
        return value

    def work(self, take: Callable[[slice], Batch], shards: Sequence[slice], masks: Sequence[Array]) -> None:
        """Work out the gradients of shards, to be summed in this order."""
        while len(self.gradients) < len(shards):
            self.gradients.append(np.empty_like(self.whole.gradient))

        def work(gradient: Parameters, shard: slice) -> PerMember:
            try:
                worker = self.idle.get_nowait()
            except Empty:
                worker = Backpropagation(self.whole.network, self.whole.loss, self.whole.parameters, gradient)
            worker.write_to(gradient)
            value = worker(*take(shard), [mask[:, shard] for mask in masks])
            self.idle.put(worker)
            return value

        over = map if self.threads is None else self.threads.map
        self.done.extend(zip(self.gradients, over(work, self.gradients, shards), strict=False))

    def sum(self, gradient: Parameters, rows: slice, of: int) -> PerMember:
        """Sum the shards of some of a batch's rows, the next that were worked out, and give their part of its loss."""
        gradient[:] = 0.0
        value: PerMember = np.zeros_like(self.done[0][1])
        for shard in _cut(rows, SHARD):
            its_gradient, its_value = self.done.popleft()
            weight = 1.0 if self.whole.loss.summed else (shard.stop - shard.start) / of
            gradient += np.multiply(its_gradient, weight, out=its_gradient)
            value += its_value * weight
        return value

    def _part(self, rows: slice, of: int) -> Part:
        if self.room is None:
            self.room = np.empty_like(self.whole.gradient)
        return Part(self.room, self.sum(self.room, rows, of))

    def _send(
        self, take: Callable[[slice], Batch], blocks: Sequence[slice], of: int, masks: Sequence[Array]
    ) -> dict[int, Future[Part]]:
        """Let other machines work out their share of the blocks, by their places."""
        if self.machines is None:
            return {}
        whole, machines = self.whole, self.machines
        name, level = _named(whole.loss)
        away = {}
        for place, rows in enumerate(blocks):
            if place % (machines.count + 1):
                network, its_masks = replace(whole.network), [mask[:, rows] for mask in masks]
                block = Block(network, name, level, whole.parameters, take(rows), its_masks, of, machines.threads)
                away[place] = machines.executor.submit(part_of, block)
        return away


def _cut(rows: slice, most: int) -> list[slice]:
    """Cut rows into pieces of so many; the last may have fewer."""
    return [slice(start, min(start + most, rows.stop)) for start in range(rows.start, rows.stop, most)]


def _named(loss: Loss) -> tuple[str, float]:
    """Give a loss as its name and its level, by which another process finds it."""
    plain = replace(loss, level=Loss.level)
    return next(name for name, known in LOSSES.items() if replace(known, level=Loss.level) == plain), loss.level
