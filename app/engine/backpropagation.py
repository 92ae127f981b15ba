"""Backpropagation: the loss of a batch, and how much each weight took part in it."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Features, Inputs, Parameters, PerMember, RowWeights, Truth, Units
from app.engine.losses import Loss
from app.engine.network import LayerPass, Network

SHARD = 1024  # rows of a large batch that are one piece of work; sums are taken in their order, whoever did them

A = TypeVar("A", bound=npt.NDArray[Any])


class Backpropagation:
    """Loss and gradient of a network's members (Rumelhart et al. 1986), always into the same arrays."""

    def __init__(
        self, network: Network, loss: Loss, parameters: Parameters, gradient: Parameters, *, l2: float = 0.0
    ) -> None:
        self.network, self.loss, self.l2 = network, loss, l2
        self.parameters, self.gradient = parameters, gradient
        self.layers, self.slopes = network.layers(parameters), network.layers(gradient)
        self.passes: dict[tuple[int, ...], list[LayerPass]] = {}

    def __call__(
        self, X: Features, y: Truth, weights: RowWeights | None = None, masks: Sequence[Units] = ()
    ) -> PerMember:
        """Write the gradient of the loss, ½ l2 Σ W² included, and give the loss of each member without the latter.

        `masks` of dropout, one for each hidden layer, have the shape of its activations.
        """
        activations, layers = self.network.activations, self.layers
        inputs = self.network.enter(self.parameters, X)
        passes = self._room(inputs)
        z, a = self.network.forward(layers, inputs, passes, masks)
        value = self.loss.value(z, a, y, weights)
        delta = self.loss.delta(activations[-1], a, passes[-1].scratch, y, weights)  # steps (1) and (2)
        for index in reversed(range(len(layers))):
            slope, below = self.slopes[index], passes[index - 1]
            np.matmul(_transposed(below.a if index else inputs), delta, out=slope.W)  # step (5): each weight's part
            if slope.b is not None:
                np.matmul(np.ones_like(delta, shape=(1, delta.shape[-2])), delta, out=slope.b)  # a sum, but faster
            if index:
                multiply = np.multiply if delta.shape[-1] == 1 else np.matmul  # the same for one unit, but faster
                error = multiply(delta, _transposed(layers[index].W), out=below.error)  # step (3): the z2 error
                activations[index - 1].backpropagate(error, below.a, below.scratch)  # step (4): the z2 delta
                delta = error
        if self.network.embeddings:
            self._embed(X, np.matmul(delta, _transposed(layers[0].W)))
        if self.l2:
            self.gradient += self.l2 * self.network.is_weight.astype(self.gradient.dtype) * self.parameters
        return value

    def _room(self, inputs: Inputs) -> list[LayerPass]:
        rows = (len(self.parameters), inputs.shape[-2])
        if rows not in self.passes:
            self.passes[rows] = self.network.passes(rows, self.parameters)
        return self.passes[rows]

    def _embed(self, X: Features, error: Inputs) -> None:
        """Add up the error of each code over the rows that have it."""
        codes = np.broadcast_to(X, (*error.shape[:-1], X.shape[-1]))[..., -len(self.network.embeddings) :]
        end = error.shape[-1]
        members = np.arange(len(error))[:, np.newaxis]
        for index, table in reversed(list(enumerate(self.network.tables(self.gradient)))):
            table[:] = 0.0
            np.add.at(table, (members, codes[..., index].astype(np.intp)), error[..., end - table.shape[-1] : end])
            end -= table.shape[-1]


def _transposed(matrices: A) -> A:
    return matrices.swapaxes(-1, -2)


class ShardedBackpropagation:
    """The same for batches of any size: a large one is cut into shards, which threads may share out among them.

    Equal to the last bit for any number of threads, since how a batch is cut depends on its size alone.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        parameters: Parameters,
        gradient: Parameters,
        *,
        l2: float = 0.0,
        threads: Executor | None = None,
    ) -> None:
        self.whole = Backpropagation(network, loss, parameters, gradient, l2=l2)
        self.shards: list[Backpropagation] = []
        self.threads = threads

    def __call__(
        self, X: Features, y: Truth, weights: RowWeights | None = None, masks: Sequence[Units] = ()
    ) -> PerMember:
        """Write the gradient and give the loss of each member, as Backpropagation does."""
        rows = X.shape[-2]
        if rows < 2 * SHARD:
            return self.whole(X, y, weights, masks)
        parts = [slice(start, start + SHARD) for start in range(0, rows, SHARD)]
        while len(self.shards) < len(parts):
            whole = self.whole
            gradient = np.empty_like(whole.gradient)
            self.shards.append(Backpropagation(whole.network, whole.loss, whole.parameters, gradient, l2=whole.l2))

        def work(shard: Backpropagation, part: slice) -> PerMember:
            own = None if weights is None else weights[:, part]
            return shard(X[:, part], y[:, part], own, [mask[:, part] for mask in masks])

        over = map if self.threads is None else self.threads.map
        values = list(over(work, self.shards, parts))
        return self._sum(values, [len(range(rows)[part]) / rows for part in parts])

    def _sum(self, values: list[PerMember], shares: list[float]) -> PerMember:
        summed = self.whole.loss.summed
        total = np.zeros_like(values[0])
        self.whole.gradient[:] = 0.0
        for shard, value, share in zip(self.shards, values, shares, strict=False):
            if not summed:
                shard.gradient *= share
                value = value * share
            self.whole.gradient += shard.gradient
            total += value
        return total
