"""Optimizers: how a gradient becomes a step of the parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from app.engine.arrays import Parameters


class Coefficients(Protocol):
    """The settings that the rules read; TrainingConfig explains and bounds them."""

    @property
    def momentum(self) -> float: ...
    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def rho(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


class Step(NamedTuple):
    """What one step depends on beside the gradient.

    `number` is 1 at the first step; `is_weight` is 1 where weight decay applies and 0 at biases.
    """

    learning_rate: float
    number: int
    is_weight: Parameters
    settings: Coefficients


Memory = list[Parameters]
"""What an optimizer remembers between steps: vectors as long as the parameters, all 0 before the first."""


@dataclass(frozen=True)
class Optimizer:
    """One rule: `apply` changes `parameters` and `memory` in place, given the gradient."""

    apply: Callable[[Parameters, Parameters, Memory, Step], None]
    learning_rate: float
    """The rate that is taken where none is given."""
    vectors: int = 0
    """How many vectors of memory it keeps."""

    def memory(self, parameters: Parameters) -> Memory:
        """Make the memory to begin with."""
        return [np.zeros_like(parameters) for _ in range(self.vectors)]


def _gradient_descent(parameters: Parameters, gradient: Parameters, _memory: Memory, step: Step) -> None:
    parameters -= step.learning_rate * gradient


def _momentum(parameters: Parameters, gradient: Parameters, memory: Memory, step: Step) -> None:
    """Polyak 1964: v ← μ v - η g; w ← w + v."""
    velocity = memory[0]
    velocity *= step.settings.momentum
    velocity -= step.learning_rate * gradient
    parameters += velocity


def _nesterov(parameters: Parameters, gradient: Parameters, memory: Memory, step: Step) -> None:
    """Nesterov 1983 in the form of Sutskever et al. 2013: look one velocity ahead."""
    velocity = memory[0]
    velocity *= step.settings.momentum
    velocity -= step.learning_rate * gradient
    parameters += step.settings.momentum * velocity - step.learning_rate * gradient


def _rmsprop(parameters: Parameters, gradient: Parameters, memory: Memory, step: Step) -> None:
    """Tieleman, Hinton 2012: divide by a running root mean square."""
    square = memory[0]
    square *= step.settings.rho
    square += (1.0 - step.settings.rho) * gradient**2
    parameters -= step.learning_rate * gradient / (np.sqrt(square) + step.settings.epsilon)


def _adam(parameters: Parameters, gradient: Parameters, memory: Memory, step: Step) -> None:
    """Kingma, Ba 2015, algorithm 1."""
    mean, square = memory
    mean *= step.settings.beta1
    mean += (1.0 - step.settings.beta1) * gradient
    square *= step.settings.beta2
    square += (1.0 - step.settings.beta2) * gradient**2
    unbiased_mean = mean / (1.0 - step.settings.beta1**step.number)
    unbiased_square = square / (1.0 - step.settings.beta2**step.number)
    parameters -= step.learning_rate * unbiased_mean / (np.sqrt(unbiased_square) + step.settings.epsilon)


def _adamw(parameters: Parameters, gradient: Parameters, memory: Memory, step: Step) -> None:
    """Loshchilov, Hutter 2019: the decay does not pass through Adam's division."""
    parameters -= step.learning_rate * step.settings.weight_decay * step.is_weight * parameters
    _adam(parameters, gradient, memory, step)


OPTIMIZERS: dict[str, Optimizer] = {
    "gradient_descent": Optimizer(_gradient_descent, 0.1),
    "momentum": Optimizer(_momentum, 0.01, 1),
    "nesterov": Optimizer(_nesterov, 0.01, 1),
    "rmsprop": Optimizer(_rmsprop, 0.01, 1),
    "adam": Optimizer(_adam, 0.02, 2),
    "adamw": Optimizer(_adamw, 0.02, 2),
}


def clip(gradient: Parameters, norm: float) -> None:
    """Shorten the gradient in place to the given Euclidean length where it is longer (Pascanu et al. 2013)."""
    length = float(np.linalg.norm(gradient))
    if length > norm:
        gradient *= norm / length
