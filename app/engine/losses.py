"""Losses: how wrong a network's answers are, as one number, and which way is less wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.engine.activations import Activation
from app.engine.arrays import Targets

HUBER_DELTA = 1.0  # Huber 1964: errors beyond this many (scaled) units count linearly


@dataclass(frozen=True)
class Loss:
    """One loss.

    `value(z, a, y)` is the number. `slope(a, y)` is dL/da; for a loss that is defined only together with one
    output activation (`paired_with`) it is dL/dz directly, which is where the two cancel into a - y.
    """

    value: Callable[[Targets, Targets, Targets], float]
    slope: Callable[[Targets, Targets], Targets]
    paired_with: str | None = None
    summed: bool = False
    """Whether the value grows with the number of rows instead of being their mean."""

    def delta(self, output: Activation, z: Targets, a: Targets, y: Targets) -> Targets:
        """Give dL/dz of the output layer, shape (samples, outputs)."""
        error = self.slope(a, y)  # the tutorial's step (1): the error
        if self.paired_with:
            return error
        return output.backpropagate(error, z, a)  # the tutorial's step (2): delta output sum

    @property
    def is_cross_entropy(self) -> bool:
        """Whether the targets are classes."""
        return self.paired_with is not None


def _huber(_z: Targets, a: Targets, y: Targets) -> float:
    size = np.abs(a - y)
    return float(np.mean(np.where(size <= HUBER_DELTA, 0.5 * size**2, HUBER_DELTA * (size - 0.5 * HUBER_DELTA))))


def _categorical_cross_entropy(z: Targets, _a: Targets, y: Targets) -> float:
    shifted = z - z.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.mean((y * log_probability).sum(axis=1)))


LOSSES: dict[str, Loss] = {
    "mse": Loss(lambda _z, a, y: float(np.mean((a - y) ** 2)), lambda a, y: 2.0 * (a - y) / a.size),
    # The textbook's quadratic cost ½ Σ (a - y)², summed over the rows, not averaged: what the tutorial descends.
    "quadratic": Loss(lambda _z, a, y: float(0.5 * np.sum((a - y) ** 2)), lambda a, y: a - y, summed=True),
    "mae": Loss(lambda _z, a, y: float(np.mean(np.abs(a - y))), lambda a, y: np.sign(a - y) / a.size),
    "huber": Loss(_huber, lambda a, y: np.clip(a - y, -HUBER_DELTA, HUBER_DELTA) / a.size),
    # -[y log a + (1 - y) log(1 - a)] with a = S(z) is softplus(z) - y z, which cannot overflow.
    "binary_cross_entropy": Loss(
        lambda z, _a, y: float(np.mean(np.logaddexp(0.0, z) - y * z)), lambda a, y: (a - y) / a.size, "sigmoid"
    ),
    "categorical_cross_entropy": Loss(_categorical_cross_entropy, lambda a, y: (a - y) / len(a), "softmax"),
}
