"""Backpropagation gives the derivative of the loss, whatever the network is made of."""

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.losses import LOSSES
from app.engine.network import Network

STEP = 1e-6


def outputs_for(loss: str) -> list[str]:
    paired = LOSSES[loss].paired_with
    return [paired] if paired else list(ACTIVATIONS)


CASES = [(hidden, loss, output) for hidden in ACTIVATIONS for loss in LOSSES for output in outputs_for(loss)]


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("hidden", "loss", "output"), CASES)
def test_gradient_is_the_directional_derivative(hidden: str, loss: str, output: str, bias: bool, l2: float) -> None:
    """The gradient times a direction equals the loss's slope along it, from random parameters."""
    rng = np.random.default_rng([list(ACTIVATIONS).index(hidden), list(LOSSES).index(loss), bias])
    network = Network((3, 5, 4, 3), hidden, output, bias)
    parameters, direction = rng.standard_normal(network.size), rng.standard_normal(network.size)
    X = rng.standard_normal((6, 3))
    y = np.eye(3)[rng.integers(0, 3, 6)] if LOSSES[loss].is_cross_entropy else rng.standard_normal((6, 3))

    def value_at(distance: float) -> float:
        return network.gradient(parameters + distance * direction, X, y, loss=LOSSES[loss], l2=l2)[0]

    _, gradient = network.gradient(parameters, X, y, loss=LOSSES[loss], l2=l2)
    slope = (8 * (value_at(STEP) - value_at(-STEP)) - (value_at(2 * STEP) - value_at(-2 * STEP))) / (12 * STEP)

    assert gradient @ direction == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("sizes", [(2, 1), (1, 3, 1), (4, 2, 3, 2, 2)])
def test_gradient_holds_for_every_single_parameter(sizes: tuple[int, ...]) -> None:
    """Each entry of the gradient is the slope along its own parameter, for any depth."""
    rng = np.random.default_rng(7)
    network = Network(sizes, "tanh", "identity", bias=True)
    parameters = rng.standard_normal(network.size)
    X, y = rng.standard_normal((5, sizes[0])), rng.standard_normal((5, sizes[-1]))

    _, gradient = network.gradient(parameters, X, y, loss=LOSSES["mse"])

    for index, axis in enumerate(1e-5 * np.eye(network.size)):
        above = network.gradient(parameters + axis, X, y, loss=LOSSES["mse"])[0]
        below = network.gradient(parameters - axis, X, y, loss=LOSSES["mse"])[0]
        assert gradient[index] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-9)
