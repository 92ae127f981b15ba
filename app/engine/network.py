"""A fully connected network: layers of weighted sums, each followed by an activation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import sqrt
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le, MaxLen

from app.engine.activations import ACTIVATIONS, Activation
from app.engine.arrays import Array, Biases, Cells, Features, Inputs, Outputs, Parameters, Randomness, Units, Weights
from app.engine.choices import STRICT, OneOf
from app.engine.initializers import INITIALIZERS

BIAS_RATE = 0.1  # Holzmüller, Grinsztajn, Steinwart 2024: biases learn more slowly


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The shape of a network, as the user sets it."""

    __pydantic_config__ = STRICT

    hidden: Annotated[tuple[Annotated[int, Ge(1), Le(100_000)], ...], MaxLen(100)] | None = None
    """Units in each hidden layer; an empty list makes a linear model. Chosen by rows and columns where not given."""
    activation: Annotated[str, OneOf(ACTIVATIONS)] | None = None
    """Activation of the hidden layers; chosen with the optimizer where it is not given."""
    output_activation: Annotated[str, OneOf(ACTIVATIONS)] | None = None
    """Activation of the output layer; chosen by the task where it is not given: identity for numbers, sigmoid for
    two classes, softmax for more."""
    bias: bool = True
    """Whether each unit adds a learnt constant."""
    initializer: Annotated[str, OneOf(INITIALIZERS)] | None = None
    """How wide the random initial weights are; chosen with the optimizer where it is not given."""


Encode = Callable[[Cells], Features]
"""Turns columns into inputs."""


class Layer(NamedTuple):
    """Views into the parameters: W has shape (members, inputs, units), b has shape (members, 1, units)."""

    W: Weights
    b: Biases | None


class LayerPass(NamedTuple):
    """What one layer works on in a pass: its activations, what they know of their slope, and room for the error."""

    a: Units
    scratch: Units
    error: Units


@dataclass(frozen=True)
class Network:
    """What is computed, given parameters: for each member one flat vector W1, b1, W2, b2, …, then the embeddings.

    Rows may come for all members alike, (samples, features), for each its own, (members, samples, features), or in
    tiles, (tiles, 1, samples, features). Their last columns are codes, one for each embedding.
    """

    sizes: tuple[int, ...]
    """Units of each layer, the inputs first and the outputs last."""
    hidden: str
    output: str
    bias: bool
    embeddings: tuple[tuple[int, int], ...] = ()
    """(codes, width) of each: a code stands for a learnt vector of that width."""

    @cached_property
    def activations(self) -> tuple[Activation, ...]:
        """One activation for each layer that computes."""
        return (ACTIVATIONS[self.hidden],) * (len(self.sizes) - 2) + (ACTIVATIONS[self.output],)

    @cached_property
    def size(self) -> int:
        """How many parameters a member has."""
        layers = sum((fan_in + self.bias) * fan_out for fan_in, fan_out in pairwise(self.sizes))
        return layers + sum(codes * width for codes, width in self.embeddings)

    def layers(self, parameters: Parameters) -> list[Layer]:
        """View the flat vectors as layers; writing to a view writes to the vectors."""
        layers, start, members = [], 0, len(parameters)
        for fan_in, fan_out in pairwise(self.sizes):
            end = start + fan_in * fan_out
            W = parameters[:, start:end].reshape(members, fan_in, fan_out)
            start = end + fan_out * self.bias
            layers.append(Layer(W, parameters[:, end:start].reshape(members, 1, fan_out) if self.bias else None))
        return layers

    def tables(self, parameters: Parameters) -> list[Weights]:
        """View the vectors of each embedding, shape (members, codes, width)."""
        tables, end = [], parameters.shape[1]
        for codes, width in reversed(self.embeddings):
            tables.append(parameters[:, end - codes * width : end].reshape(len(parameters), codes, width))
            end -= codes * width
        return tables[::-1]

    def is_weight(self, like: Parameters) -> Parameters:
        """1 where the parameter is a weight, 0 where it is a bias, for as many members as `like` is of."""
        marks = np.ones_like(like)
        for layer in self.layers(marks):
            if layer.b is not None:
                layer.b[:] = 0.0
        return marks

    def ntk_rates(self, like: Parameters) -> Parameters:
        """Each parameter's share of the learning rate where it falls with the square root of its layer's inputs."""
        rates = np.ones_like(like)
        for layer in self.layers(rates):
            layer.W[:] = 1.0 / sqrt(layer.W.shape[1])
            if layer.b is not None:
                layer.b[:] = BIAS_RATE
        return rates

    def initialize(
        self, initializer: str, members: int, rng: Randomness, rows: Features, encode: Encode = np.asarray
    ) -> Parameters:
        """Draw each member's W1, W2, …, embeddings, in this order; biases start at 0, or where `rows` are."""
        chosen = INITIALIZERS[initializer]
        parameters = np.zeros((members, self.size))
        for member in range(members):
            own = parameters[member : member + 1]
            for layer in self.layers(own):
                layer.W[:] = chosen.deviation(*layer.W.shape[1:]) * rng.standard_normal(layer.W.shape)
            for table in self.tables(own):
                table[:, 1:] = rng.standard_normal(table[:, 1:].shape)
            first = self.layers(own)[0]
            if chosen.bends_at_rows and first.b is not None:
                chosen_rows = (rng.uniform(size=self.sizes[1]) * len(rows)).astype(np.intp)
                bends = self.enter(own, encode(rows[chosen_rows]))
                first.b[:] = -(bends * first.W.swapaxes(1, 2)).sum(axis=-1)
        return parameters

    def passes(self, rows: tuple[int, ...], like: Units) -> list[LayerPass]:
        """Make room for passes over (members, samples) rows."""
        return [
            LayerPass(*(np.empty_like(like, shape=(*rows, units)) for _ in LayerPass._fields))
            for units in self.sizes[1:]
        ]

    def enter(self, parameters: Parameters, X: Features) -> Inputs:
        """Put its vector in place of each code."""
        if not self.embeddings:
            return X
        dense, coded = np.split(X, [X.shape[-1] - len(self.embeddings)], axis=-1)
        lead = (np.newaxis,) * max(0, X.ndim - 3)
        codes = coded[(np.newaxis,) * (X.ndim == 2)].astype(np.intp)  # noqa: PLR2004 - rows for all members alike
        parts = [
            np.take_along_axis(table[lead], codes[..., [index]], axis=-2)
            for index, table in enumerate(self.tables(parameters))
        ]
        return np.concatenate([np.broadcast_to(dense, (*parts[0].shape[:-1], dense.shape[-1])), *parts], axis=-1)

    def forward(
        self, layers: list[Layer], inputs: Inputs, passes: list[LayerPass], masks: Sequence[Array] | None = None
    ) -> tuple[Outputs, Outputs]:
        """Compute every layer in order; give z and a of the last.

        With `masks` (in training), each hidden layer also leaves its slope in `scratch`, and its activations are then
        multiplied with its mask, where it has one.
        """
        a = z = inputs
        for index, (layer, activation, this) in enumerate(zip(layers, self.activations, passes, strict=True)):
            np.matmul(a, layer.W, out=this.a)
            a = this.a
            if layer.b is not None:
                a += layer.b
            if this is passes[-1]:
                z = a.copy()  # which some losses need
            activation.apply(a, this.scratch)
            if masks is not None and this is not passes[-1]:
                activation.slope(a, this.scratch)
                if masks:
                    a *= masks[index]
        return z, a

    def outputs(self, parameters: Parameters, X: Features) -> tuple[Outputs, Outputs]:
        """Give (z, a) of the output layer, shape (..., members, samples, outputs), for rows that are all at hand."""
        inputs = self.enter(parameters, X)
        rows = (*np.broadcast_shapes(inputs.shape[:-2], (len(parameters),)), inputs.shape[-2])
        return self.forward(self.layers(parameters), inputs, self.passes(rows, parameters))

    def answers(self, layers: Sequence[Layer], inputs: Inputs) -> Outputs:
        """Give a of the output layer and nothing else, for inputs that have been entered."""
        a = inputs
        for layer, activation in zip(layers, self.activations, strict=True):
            a = np.matmul(a, layer.W)
            if layer.b is not None:
                a += layer.b
            activation.apply(a, np.empty_like(a))
        return a
