"""Optimizers: how a gradient becomes a step of the parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.engine.arrays import Memory, Parameters, Vector

if TYPE_CHECKING:
    from app.engine.config import TrainingConfig

BLOCK = 2**16  # parameters that are stepped at once: with gradient and memory they stay in a core's cache


class Step(NamedTuple):
    """What one step depends on beside the gradient; `number` is 1 at the first."""

    learning_rate: float
    number: int
    settings: "TrainingConfig"


Rule = Callable[[Vector, Memory, Vector, Step], None]
"""(gradient, memory, update, step): writes what the parameters are to go down by, and may use up the gradient."""


@dataclass(frozen=True)
class Optimizer:
    """One rule, the rate that is taken where none is given, and how many vectors it remembers between steps."""

    rule: Rule
    learning_rate: float
    vectors: int = 0
    decays: bool = False
    """Whether each step takes a share of the weights off (Loshchilov, Hutter 2019)."""


def _gradient_descent(gradient: Vector, _memory: Memory, update: Vector, step: Step) -> None:
    np.multiply(gradient, step.learning_rate, out=update)


def _momentum(gradient: Vector, memory: Memory, update: Vector, step: Step) -> None:
    """Polyak 1964: v ← μ v + η g; w ← w - v."""
    (velocity,) = memory
    velocity *= step.settings.momentum
    gradient *= step.learning_rate
    velocity += gradient
    np.copyto(update, velocity)


def _nesterov(gradient: Vector, memory: Memory, update: Vector, step: Step) -> None:
    """Nesterov 1983 in the form of Sutskever et al. 2013: look one velocity ahead."""
    _momentum(gradient, memory, update, step)
    update *= step.settings.momentum
    update += gradient


def _rmsprop(gradient: Vector, memory: Memory, update: Vector, step: Step) -> None:
    """Tieleman, Hinton 2012: divide by a running root mean square."""
    (square,) = memory
    np.multiply(gradient, gradient, out=update)
    update *= 1.0 - step.settings.rho
    square *= step.settings.rho
    square += update
    np.sqrt(square, out=update)
    update += step.settings.epsilon
    np.divide(gradient, update, out=update)
    update *= step.learning_rate


def _adam(gradient: Vector, memory: Memory, update: Vector, step: Step) -> None:
    """Kingma, Ba 2015, algorithm 1, with both corrections of the bias taken into two numbers (their section 2).

    The memory holds m / (1 - β1) and v / (1 - β2), which saves two passes.
    """
    mean, square = memory
    beta1, beta2 = step.settings.beta1, step.settings.beta2 or 0.0
    correction = ((1.0 - beta2) / (1.0 - beta2**step.number)) ** 0.5
    mean *= beta1
    mean += gradient
    gradient *= gradient
    square *= beta2
    square += gradient
    np.sqrt(square, out=update)
    update += step.settings.epsilon / correction
    np.divide(mean, update, out=update)
    update *= step.learning_rate * (1.0 - beta1) / ((1.0 - beta1**step.number) * correction)


OPTIMIZERS: dict[str, Optimizer] = {
    "gradient_descent": Optimizer(_gradient_descent, 0.1),
    "momentum": Optimizer(_momentum, 0.01, 1),
    "nesterov": Optimizer(_nesterov, 0.01, 1),
    "rmsprop": Optimizer(_rmsprop, 0.01, 1),
    "adam": Optimizer(_adam, 0.02, 2),
    "adamw": Optimizer(_adam, 0.02, 2, decays=True),
}


class _Block(NamedTuple):
    """Views of what is stepped at once: where it lies, and what belongs to it."""

    place: slice
    parameters: Vector
    memory: Memory
    update: Vector
    is_weight: Vector
    rates: Vector | None


class Stepper:
    """Steps parameters in place, block by block so that all a block needs stays in the cache.

    `rates` multiplies the learning rate, parameter by parameter; `is_weight` is 1 where decay applies, 0 at biases.
    """

    def __init__(self, name: str, parameters: Parameters, is_weight: Parameters, rates: Parameters | None) -> None:
        self.optimizer = OPTIMIZERS[name]
        flat, is_weight = parameters.reshape(-1), is_weight.reshape(-1)
        self.memory = np.zeros_like(flat, shape=(self.optimizer.vectors, flat.size))
        self.number = 0
        update = np.empty_like(flat[:BLOCK])
        self.blocks = [
            _Block(
                block,
                flat[block],
                self.memory[:, block],
                update[: len(flat[block])],
                is_weight[block],
                None if rates is None else rates.reshape(-1)[block],
            )
            for block in (slice(start, start + BLOCK) for start in range(0, len(flat), BLOCK))
        ]

    def apply(self, gradient: Parameters, learning_rate: float, settings: "TrainingConfig") -> None:
        """Take one step; the gradient is used up."""
        self.number += 1
        step = Step(learning_rate, self.number, settings)
        flat = gradient.reshape(-1)
        for place, parameters, memory, update, is_weight, rates in self.blocks:
            self.optimizer.rule(flat[place], memory, update, step)
            if rates is not None:
                np.multiply(update, rates, out=update)
            if self.optimizer.decays:
                decay = learning_rate * settings.weight_decay * is_weight * parameters
                np.subtract(parameters, decay, out=parameters)
            np.subtract(parameters, update, out=parameters)


def clip(gradient: Parameters, norm: float) -> None:
    """Shorten each member's gradient in place to this Euclidean length where it is longer (Pascanu et al. 2013)."""
    length = np.sqrt((gradient * gradient).sum(axis=1, keepdims=True))
    gradient *= np.minimum(1.0, norm / np.maximum(length, np.finfo(gradient.dtype).tiny))
