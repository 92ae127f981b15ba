"""Activations: the non-linearity a layer applies to its weighted sums."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Units

UNBOUNDED = (-np.inf, np.inf)
LEAK = 0.01  # Maas, Hannun, Ng 2013: the slope of leaky_relu below 0
SILU_MINIMUM = -0.2784645427610738  # the least value of z·S(z), at z = -1.2785


def _multiply(delta: Units, slope: Units) -> None:
    delta *= slope


@dataclass(frozen=True)
class Activation:
    """One non-linearity and its derivative, in place; `scratch` has the shape of z and carries from one to the other.

    `apply(z, scratch)` turns z into a. `slope(a, scratch)` then leaves da/dz in scratch, and
    `backpropagate(delta, scratch)` turns dL/da into dL/dz. `range` bounds a. What overflows becomes its limit; the
    caller silences NumPy's warnings.
    """

    apply: Callable[[Units, Units], object]
    slope: Callable[[Units, Units], object]
    backpropagate: Callable[[Units, Units], None] = _multiply
    range: tuple[float, float] = UNBOUNDED

    @property
    def bounded(self) -> bool:
        """Whether some answers cannot be reached."""
        return self.range != UNBOUNDED


def sigmoid(z: Units, out: Units) -> None:
    """Compute S(z) = 1 / (1 + e^-z); where e^-z overflows, S(z) is 0, as it should be."""
    np.negative(z, out=out)
    np.exp(out, out=out)
    out += 1.0
    np.reciprocal(out, out=out)


def _sigmoid_slope(a: Units, scratch: Units) -> None:
    np.subtract(1.0, a, out=scratch)
    scratch *= a


def _tanh_slope(a: Units, scratch: Units) -> None:
    np.multiply(a, a, out=scratch)
    np.subtract(1.0, scratch, out=scratch)


def _relu(z: Units, scratch: Units) -> None:
    np.greater(z, 0.0, out=scratch)  # faster than a maximum, and the slope at once
    z *= scratch


def _leaky_relu(z: Units, scratch: Units) -> None:
    np.greater(z, 0.0, out=scratch)
    np.maximum(scratch, LEAK, out=scratch)
    z *= scratch


def _elu(z: Units, scratch: Units) -> None:
    np.minimum(z, 0.0, out=scratch)
    np.expm1(scratch, out=scratch)
    np.maximum(z, 0.0, out=z)
    z += scratch


def _elu_slope(_a: Units, scratch: Units) -> None:
    scratch += 1.0


def _silu(z: Units, scratch: Units) -> None:
    """Compute z·S(z) (Elfwing, Uchibe, Doya 2017); z is kept above where e^-z overflows and the product is 0."""
    sigmoid(z, scratch)
    z *= scratch


def _silu_slope(a: Units, scratch: Units) -> None:
    """Compute S + a (1 - S) from S."""
    rest = 1.0 - scratch
    rest *= a
    scratch += rest


def _softplus(z: Units, _scratch: Units) -> None:
    np.logaddexp(0.0, z, out=z)


def _softplus_slope(a: Units, scratch: Units) -> None:
    """Compute S(z) = 1 - e^-a."""
    np.negative(a, out=scratch)
    np.expm1(scratch, out=scratch)
    np.negative(scratch, out=scratch)


def _softmax(z: Units, _scratch: Units) -> None:
    """Compute e^z over its sum along each row, shifted by the row's maximum so that nothing overflows."""
    z -= z.max(axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=-1, keepdims=True)


def _copy(a: Units, scratch: Units) -> None:
    """Leave a itself: the slope of e^z, and what a softmax's is made of."""
    np.copyto(scratch, a)


def _softmax_backpropagate(delta: Units, a: Units) -> None:
    """Each answer of a row hangs on each of its z, so that no single slope says it all."""
    delta -= (delta * a).sum(axis=-1, keepdims=True)
    delta *= a


def _nothing(*_: Units) -> None:
    """Leave everything as it is: the identity, and slopes that `apply` knows already."""


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(lambda z, _scratch: sigmoid(z, z), _sigmoid_slope, range=(0.0, 1.0)),
    "tanh": Activation(lambda z, _scratch: np.tanh(z, out=z), _tanh_slope, range=(-1.0, 1.0)),
    "relu": Activation(_relu, _nothing, range=(0.0, np.inf)),
    "leaky_relu": Activation(_leaky_relu, _nothing),
    "elu": Activation(_elu, _elu_slope, range=(-1.0, np.inf)),
    "silu": Activation(_silu, _silu_slope, range=(SILU_MINIMUM, np.inf)),
    "softplus": Activation(_softplus, _softplus_slope, range=(0.0, np.inf)),
    "exponential": Activation(lambda z, _scratch: np.exp(z, out=z), _copy, range=(0.0, np.inf)),
    "identity": Activation(_nothing, lambda _a, scratch: np.copyto(scratch, 1.0)),
    "softmax": Activation(_softmax, _copy, _softmax_backpropagate, range=(0.0, 1.0)),
}
