"""Activations: the non-linearity a layer applies to its weighted sums."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Units

UNBOUNDED = (-np.inf, np.inf)
LEAK = 0.01  # Maas, Hannun, Ng 2013: the slope of leaky_relu below 0
SILU_MINIMUM = -0.2784645427610738  # the least value of z·S(z), at z = -1.2785


@dataclass(frozen=True)
class Activation:
    """One non-linearity and its derivative.

    `apply(z)` gives a; `backpropagate(upstream, z, a)` turns dL/da into dL/dz. `range` bounds a.
    """

    apply: Callable[[Units], Units]
    backpropagate: Callable[[Units, Units, Units], Units]
    range: tuple[float, float] = UNBOUNDED

    @property
    def bounded(self) -> bool:
        """Whether some answers cannot be reached."""
        return self.range != UNBOUNDED


def sigmoid(z: Units) -> Units:
    """Compute S(z) = 1 / (1 + e^-z), from e^-|z| so that nothing overflows."""
    decay = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, decay) / (1.0 + decay))


def silu(z: Units) -> Units:
    """Compute z·S(z) (Elfwing, Uchibe, Doya 2017)."""
    return z * sigmoid(z)


def softmax(z: Units) -> Units:
    """Compute e^z over its sum along each row, shifted by the row's maximum so that nothing overflows."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _silu_slope(z: Units, a: Units) -> Units:
    gate = sigmoid(z)
    return gate + a * (1.0 - gate)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, lambda upstream, _z, a: upstream * a * (1.0 - a), (0.0, 1.0)),
    "tanh": Activation(np.tanh, lambda upstream, _z, a: upstream * (1.0 - a * a), (-1.0, 1.0)),
    "relu": Activation(lambda z: np.maximum(z, 0.0), lambda upstream, z, _a: upstream * (z > 0), (0.0, np.inf)),
    "leaky_relu": Activation(
        lambda z: np.where(z > 0, z, LEAK * z), lambda upstream, z, _a: upstream * np.where(z > 0, 1.0, LEAK)
    ),
    "elu": Activation(
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
        lambda upstream, z, a: upstream * np.where(z > 0, 1.0, a + 1.0),
        (-1.0, np.inf),
    ),
    "silu": Activation(silu, lambda upstream, z, a: upstream * _silu_slope(z, a), (SILU_MINIMUM, np.inf)),
    "softplus": Activation(
        lambda z: np.logaddexp(0.0, z), lambda upstream, z, _a: upstream * sigmoid(z), (0.0, np.inf)
    ),
    "identity": Activation(lambda z: z, lambda upstream, _z, _a: upstream),
    "softmax": Activation(
        softmax, lambda upstream, _z, a: a * (upstream - (upstream * a).sum(axis=1, keepdims=True)), (0.0, 1.0)
    ),
}
