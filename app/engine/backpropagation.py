"""Backpropagation: the loss of a batch, and how much each weight took part in it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, Features, Inputs, Parameters, PerMember, RowWeights, Truth, Units
from app.engine.losses import Loss
from app.engine.network import LayerPass, Network

ALL = slice(None)

A = TypeVar("A", bound=npt.NDArray[Any])


class Batch(NamedTuple):
    """Rows for each member, shape (members, samples, …)."""

    X: Features
    y: Truth
    weights: RowWeights | None

    def part(self, rows: slice) -> "Batch":
        """Give some of the rows of each member."""
        if rows == ALL:
            return self
        return Batch(self.X[:, rows], self.y[:, rows], None if self.weights is None else self.weights[:, rows])


class _Room(NamedTuple):
    """Arrays for so many rows: what passes work in, their activations transposed, and ones to sum the rows with."""

    passes: list[LayerPass]
    transposed: list[Units]
    ones: Units


class Backpropagation:
    """Loss and gradient of a network's members (Rumelhart et al. 1986), worked out in arrays that are kept."""

    def __init__(
        self, network: Network, loss: Loss, parameters: Parameters, gradient: Parameters, *, l2: float = 0.0
    ) -> None:
        self.network, self.loss, self.l2 = network, loss, l2
        self.parameters, self.layers = parameters, network.layers(parameters)
        self.is_weight = network.is_weight(parameters[:1])
        self.write_to(gradient)
        self.transposed = [_transposed(layer.W) for layer in self.layers]
        self.rooms: dict[int, _Room] = {}

    def write_to(self, gradient: Parameters) -> None:
        """Take other arrays for the gradient, from the next call on."""
        self.gradient, self.slopes = gradient, self.network.layers(gradient)

    def __call__(
        self, X: Features, y: Truth, weights: RowWeights | None = None, masks: Sequence[Array] = ()
    ) -> PerMember:
        """Write the gradient of the loss, ½ l2 Σ W² included, and give the loss of each member without the latter.

        `masks` of dropout, one for each hidden layer, have the shape of its activations.
        """
        activations, layers = self.network.activations, self.layers
        inputs = self.network.enter(self.parameters, X)
        passes, transposed, ones = self._room(inputs.shape[-2])
        z, a = self.network.forward(layers, inputs, passes, masks)
        value = self.loss.value(z, a, y, weights)
        delta = self.loss.delta(activations[-1], a, passes[-1].scratch, y, weights)  # steps (1) and (2)
        for index in reversed(range(len(layers))):
            slope, below = self.slopes[index], passes[index - 1]
            fed = transposed[index - 1] if index else _transposed(inputs)
            np.matmul(fed, delta, out=slope.W)  # step (5): each weight's part
            if slope.b is not None:
                np.matmul(ones, delta, out=slope.b)  # a sum, but faster
            if index:
                multiply = np.multiply if delta.shape[-1] == 1 else np.matmul  # the same for one unit, but faster
                error = multiply(delta, self.transposed[index], out=below.error)  # step (3): the z2 error
                if masks:
                    error *= masks[index - 1]
                activations[index - 1].backpropagate(error, below.scratch)  # step (4): the z2 delta
                delta = error
        if self.network.embeddings:
            self._embed(X, np.matmul(delta, self.transposed[0]))
        self.penalise()
        return value

    def penalise(self) -> None:
        """Add the gradient of ½ l2 Σ W²."""
        if self.l2:
            self.gradient += self.l2 * self.is_weight * self.parameters

    def _room(self, rows: int) -> _Room:
        """Keep room for so many rows, so that none is made twice."""
        if rows not in self.rooms:
            passes = self.network.passes((len(self.parameters), rows), self.parameters)
            ones = np.ones_like(self.parameters, shape=(1, rows))
            self.rooms[rows] = _Room(passes, [_transposed(each.a) for each in passes], ones)
        return self.rooms[rows]

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
