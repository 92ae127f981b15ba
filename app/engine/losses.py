"""Losses: how wrong a network's answers are, as one number, and which way is less wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.engine.activations import Activation
from app.engine.arrays import Outputs, PerMember, RowWeights, Truth, Units

HUBER_DELTA = 1.0  # Huber 1964: errors beyond this many (scaled) units count linearly


@dataclass(frozen=True)
class Loss:
    """One loss.

    `errors(z, a, y, level)` is each row's part of the loss, shape (..., samples, width). `slope(a, y, level)` is its
    derivative by a; for a loss that is defined only together with one output activation (`paired_with`) it is the one
    by z directly, which is where the two cancel into a - y.
    """

    errors: Callable[[Outputs, Outputs, Truth, float], Units]
    slope: Callable[[Outputs, Truth, float], Outputs]
    paired_with: str | None = None
    classes: bool = False
    """Whether the targets are classes."""
    counts: bool = False
    """Whether the targets are counts: not negative, and scaled without moving their zero."""
    summed: bool = False
    """Whether the value grows with the number of rows instead of being their mean."""
    floor: float = 0.0
    """What it cannot fall below: training has converged when it comes near."""
    outputs: int = 1
    """Outputs of the network for each target."""
    level: float = 0.5
    """Which quantile is learnt, where it is one."""

    def value(self, z: Outputs, a: Outputs, y: Truth, weights: RowWeights | None = None) -> PerMember:
        """Average over rows and outputs; one number for each member, shape (members,)."""
        errors = self.errors(z, a, y, self.level)
        if weights is not None:
            errors = errors * weights
        total: PerMember = np.add.reduce(errors.reshape(*errors.shape[:-2], -1), axis=-1)
        return total if self.summed else total / (errors.shape[-2] * errors.shape[-1])

    def delta(
        self, output: Activation, a: Outputs, scratch: Outputs, y: Truth, weights: RowWeights | None = None
    ) -> Outputs:
        """Give dL/dz of the output layer, shape (..., samples, outputs)."""
        error = self.slope(a, y, self.level)  # the tutorial's step (1): the error
        if weights is not None:
            error *= weights
        if not self.summed:
            error *= 1.0 / (a.shape[-2] * (1 if self.paired_with == "softmax" else y.shape[-1]))
        if not self.paired_with:
            output.slope(a, scratch)
            output.backpropagate(error, scratch)  # the tutorial's step (2): delta output sum
        return error


def _huber(_z: Outputs, a: Outputs, y: Truth, _level: float) -> Units:
    size = np.abs(a - y)
    return np.where(size <= HUBER_DELTA, 0.5 * size**2, HUBER_DELTA * (size - 0.5 * HUBER_DELTA))


def _categorical_cross_entropy(z: Outputs, _a: Outputs, y: Truth, _level: float) -> Units:
    shifted = z - z.max(axis=-1, keepdims=True)
    errors: Units = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    errors -= (y * shifted).sum(axis=-1, keepdims=True)
    return errors


def _quantile(_z: Outputs, a: Outputs, y: Truth, level: float) -> Units:
    return np.maximum(level * (y - a), (level - 1.0) * (y - a))


def _gaussian(_z: Outputs, a: Outputs, y: Truth, _level: float) -> Units:
    mean, log_variance = np.split(a, 2, axis=-1)
    return 0.5 * (log_variance + (y - mean) ** 2 * np.exp(-log_variance))


def _gaussian_slope(a: Outputs, y: Truth, _level: float) -> Outputs:
    mean, log_variance = np.split(a, 2, axis=-1)
    precision = np.exp(-log_variance)
    return np.concatenate(((mean - y) * precision, 0.5 - 0.5 * (y - mean) ** 2 * precision), axis=-1)


LOSSES: dict[str, Loss] = {
    "mse": Loss(lambda _z, a, y, _level: (a - y) ** 2, lambda a, y, _level: 2.0 * (a - y)),
    # The textbook's quadratic cost ½ Σ (a - y)², summed over the rows, not averaged: what the tutorial descends.
    "quadratic": Loss(lambda _z, a, y, _level: 0.5 * (a - y) ** 2, lambda a, y, _level: a - y, summed=True),
    "mae": Loss(lambda _z, a, y, _level: np.abs(a - y), lambda a, y, _level: np.sign(a - y)),
    "huber": Loss(_huber, lambda a, y, _level: np.clip(a - y, -HUBER_DELTA, HUBER_DELTA)),
    # Koenker, Bassett 1978: answers too low by one cost `level`, too high by one 1 - level.
    "quantile": Loss(_quantile, lambda a, y, level: (a > y) - np.where(a == y, 0.0, level)),
    # -[y log a + (1 - y) log(1 - a)] with a = S(z) is softplus(z) - y z, which cannot overflow.
    "binary_cross_entropy": Loss(
        lambda z, _a, y, _level: np.logaddexp(0.0, z) - y * z, lambda a, y, _level: a - y, "sigmoid", classes=True
    ),
    "categorical_cross_entropy": Loss(_categorical_cross_entropy, lambda a, y, _level: a - y, "softmax", classes=True),
    # Counts y with mean a = e^z; log y!, which does not depend on the network, is left out.
    "poisson": Loss(
        lambda z, a, y, _level: a - y * z, lambda a, y, _level: a - y, "exponential", counts=True, floor=-np.inf
    ),
    # Nix, Weigend 1994: each target has two outputs, its mean and the logarithm of its variance.
    "gaussian_nll": Loss(_gaussian, _gaussian_slope, "identity", floor=-np.inf, outputs=2),
}
