"""A fully connected network: layers of weighted sums, each followed by an activation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le, MaxLen

from app.engine.activations import ACTIVATIONS, Activation
from app.engine.arrays import Biases, Features, Inputs, Parameters, Randomness, Targets, Units, Weights
from app.engine.choices import STRICT, OneOf
from app.engine.initializers import INITIALIZERS
from app.engine.losses import Loss

TILE = 32  # rows in one matrix product where answers are computed
BLOCK_NUMBERS = 2**20  # numbers in the widest layer of rows that are answered at once: bounds the memory


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The shape of a network, as the user sets it."""

    __pydantic_config__ = STRICT

    hidden: Annotated[tuple[Annotated[int, Ge(1), Le(100_000)], ...], MaxLen(100)] = (16,)
    """Units in each hidden layer; an empty list makes a linear model."""
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "silu"
    """Activation of the hidden layers."""
    output_activation: Annotated[str, OneOf(ACTIVATIONS)] | None = None
    """Activation of the output layer; chosen by the task where it is not given: identity for numbers, sigmoid for
    two classes, softmax for more."""
    bias: bool = True
    """Whether each unit adds a learnt constant."""
    initializer: Annotated[str, OneOf(INITIALIZERS)] = "glorot"
    """How wide the random initial weights are."""


class Layer(NamedTuple):
    """Views into the parameters: W has shape (inputs, units), b has shape (units,)."""

    W: Weights
    b: Biases | None


class LayerPass(NamedTuple):
    """What one layer did in a forward pass."""

    inputs: Inputs
    z: Units
    a: Units


@dataclass(frozen=True)
class Network:
    """What is computed, given parameters (one flat vector: W1, b1, W2, b2, …)."""

    sizes: tuple[int, ...]
    """Units of each layer, the inputs first and the outputs last."""
    hidden: str
    output: str
    bias: bool

    @cached_property
    def activations(self) -> tuple[Activation, ...]:
        """One activation for each layer that computes."""
        return (ACTIVATIONS[self.hidden],) * (len(self.sizes) - 2) + (ACTIVATIONS[self.output],)

    @cached_property
    def size(self) -> int:
        """How many parameters there are."""
        return sum((fan_in + self.bias) * fan_out for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False))

    def layers(self, parameters: Parameters) -> list[Layer]:
        """View the flat vector as layers; writing to a view writes to the vector."""
        layers, start = [], 0
        for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False):
            end = start + fan_in * fan_out
            W = parameters[start:end].reshape(fan_in, fan_out)
            start = end + fan_out * self.bias
            layers.append(Layer(W, parameters[end:start] if self.bias else None))
        return layers

    def initialize(self, initializer: str, rng: Randomness) -> Parameters:
        """Draw W1, W2, … in this order; biases start at 0."""
        parameters = np.zeros(self.size)
        for layer in self.layers(parameters):
            layer.W[:] = INITIALIZERS[initializer](*layer.W.shape) * rng.standard_normal(layer.W.shape)
        return parameters

    @cached_property
    def is_weight(self) -> Parameters:
        """1 where the parameter is a weight, 0 where it is a bias."""
        marks = np.zeros(self.size)
        for layer in self.layers(marks):
            layer.W[:] = 1.0
        return marks

    def forward(
        self,
        parameters: Parameters,
        X: Features,
        trace: list[LayerPass] | None = None,
        *,
        multiply: Callable[[Inputs, Weights], Units] = np.matmul,
    ) -> LayerPass:
        """Compute every layer in order and return the last; append all of them to `trace`."""
        a = X
        for layer, activation in zip(self.layers(parameters), self.activations, strict=True):
            inputs = a
            z = multiply(inputs, layer.W)
            if layer.b is not None:
                z += layer.b
            a = activation.apply(z)
            step = LayerPass(inputs, z, a)
            if trace is not None:
                trace.append(step)
        return step

    def outputs(self, parameters: Parameters, X: Features) -> tuple[Targets, Targets]:
        """Give (z, a) of the output layer for any number of rows, in bounded memory.

        A row's answer is the same to the last bit alone and among any others: all products have the shape of a tile.
        """
        tiles = -(-len(X) // TILE)
        padded = np.zeros((tiles * TILE, X.shape[1]))
        padded[: len(X)] = X
        z, a = np.empty((len(padded), self.sizes[-1])), np.empty((len(padded), self.sizes[-1]))
        rows = TILE * max(1, BLOCK_NUMBERS // (TILE * max(self.sizes)))
        for start in range(0, len(padded), rows):
            block = slice(start, start + rows)
            _, z[block], a[block] = self.forward(parameters, padded[block], multiply=_by_tiles)
        return z[: len(X)], a[: len(X)]

    def gradient(
        self, parameters: Parameters, X: Features, y: Targets, *, loss: Loss, l2: float = 0.0
    ) -> tuple[float, Parameters]:
        """Compute the loss, ½ l2 Σ W² included, and its gradient by backpropagation (Rumelhart et al. 1986)."""
        trace: list[LayerPass] = []
        _, z, a = self.forward(parameters, X, trace)
        value = loss.value(z, a, y)
        delta = loss.delta(self.activations[-1], z, a, y)  # steps (1) and (2)
        layers, gradient = self.layers(parameters), np.empty_like(parameters)
        slopes = self.layers(gradient)
        for index in reversed(range(len(layers))):
            inputs, slope = trace[index].inputs, slopes[index]
            np.matmul(inputs.T, delta, out=slope.W)  # step (5): how much each weight took part
            if slope.b is not None:
                np.sum(delta, axis=0, out=slope.b)
            if index:
                below = trace[index - 1]
                error = delta @ layers[index].W.T  # step (3): the z2 error
                delta = self.activations[index - 1].backpropagate(error, below.z, below.a)  # step (4): the z2 delta
        if l2:
            value += self.penalty(parameters, l2)
            gradient += l2 * self.is_weight * parameters
        return value, gradient

    def penalty(self, parameters: Parameters, l2: float) -> float:
        """Compute ½ l2 Σ W²; biases are free."""
        return 0.5 * l2 * float((self.is_weight * parameters) @ parameters)


def _by_tiles(a: Inputs, W: Weights) -> Units:
    """Multiply tile by tile: on some processors BLAS takes other kernels, with other rounding, for other shapes."""
    products: Units = np.matmul(a.reshape(-1, TILE, a.shape[1]), W).reshape(len(a), W.shape[1])
    return products
