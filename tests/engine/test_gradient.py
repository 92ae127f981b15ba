"""Backpropagation gives the derivative of the loss, whatever the network is made of."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array
from app.engine.backpropagation import Backpropagation
from app.engine.losses import LOSSES
from app.engine.network import Network
from tests.engine.courses import gradient_of, slope_along, truths

MEMBERS = 2


def outputs_for(loss: str) -> list[str]:
    paired = LOSSES[loss].paired_with
    return [paired] if paired else list(ACTIVATIONS)


CASES = [(hidden, loss, output) for hidden in ACTIVATIONS for loss in LOSSES for output in outputs_for(loss)]


def penalty(network: Network, parameters: Array, l2: float) -> Array:
    return np.asarray(0.5 * l2 * (network.is_weight(parameters) * parameters**2).sum(axis=1))


@pytest.mark.parametrize(("hidden", "loss", "output"), CASES)
def test_gradient_is_the_directional_derivative(hidden: str, loss: str, output: str) -> None:
    """Each member's gradient times a direction is its loss's slope along it: with and without bias, l2 and weights."""
    rng = np.random.default_rng([list(ACTIVATIONS).index(hidden), list(LOSSES).index(loss)])
    X = rng.standard_normal((MEMBERS, 6, 3))
    y = truths(loss, (MEMBERS, 6), 3, rng)
    for bias, l2, weights in product((True, False), (0.0, 0.3), (None, rng.uniform(0, 2, (MEMBERS, 6, 1)))):
        network = Network((3, 5, 4, 3 * LOSSES[loss].outputs), hidden, output, bias)
        parameters, direction = 0.3 * rng.standard_normal((2, MEMBERS, network.size))
        moved = parameters.copy()
        gradient = np.full_like(parameters, np.nan)
        backpropagate = Backpropagation(network, LOSSES[loss], moved, gradient, l2=l2)

        def value_at(distance: float) -> Array:
            moved[:] = parameters + distance * direction  # noqa: B023 - called in the same round
            return backpropagate(X, y, weights) + penalty(network, moved, l2)  # noqa: B023 - the same

        slope = slope_along(value_at)
        value_at(0.0)

        np.testing.assert_allclose((gradient * direction).sum(axis=1), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("level", [0.2, 0.9])
def test_gradient_holds_at_every_quantile(level: float) -> None:
    """What is too low costs `level`, what is too high the rest, in value and slope alike."""
    rng = np.random.default_rng(3)
    network, loss = Network((3, 4, 2), "tanh", "identity", bias=True), replace(LOSSES["quantile"], level=level)
    parameters, direction = rng.standard_normal((2, MEMBERS, network.size))
    X, y = rng.standard_normal((MEMBERS, 9, 3)), rng.standard_normal((MEMBERS, 9, 2))
    gradient = np.empty_like(parameters)

    slope = slope_along(
        lambda distance: Backpropagation(network, loss, parameters + distance * direction, gradient)(X, y)
    )
    Backpropagation(network, loss, parameters, gradient)(X, y)

    np.testing.assert_allclose((gradient * direction).sum(axis=1), slope, rtol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(2, 1), (1, 3, 1), (3, 1, 4, 1, 2), (4, 2, 3, 2, 2)])
def test_gradient_holds_for_every_single_parameter(sizes: tuple[int, ...], bias: bool) -> None:
    """Each entry of the gradient is the slope along its own parameter, for any depth and layers of one unit."""
    rng = np.random.default_rng(7)
    network = Network(sizes, "tanh", "identity", bias)
    parameters = rng.standard_normal((MEMBERS, network.size))
    X, y = rng.standard_normal((MEMBERS, 5, sizes[0])), rng.standard_normal((MEMBERS, 5, sizes[-1]))

    _, gradient = gradient_of(network, "mse", parameters, X, y)

    for index, axis in enumerate(1e-5 * np.eye(network.size)):
        above, below = (gradient_of(network, "mse", parameters + sign * axis, X, y)[0] for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, index], (above - below) / 2e-5, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_gradient_goes_through_the_masks_of_dropout(hidden: str) -> None:
    """With each layer's own mask, on the way there and back."""
    rng = np.random.default_rng(11)
    network = Network((3, 5, 4, 2), hidden, "identity", bias=True)
    parameters, direction = 0.3 * rng.standard_normal((2, MEMBERS, network.size))
    X, y = rng.standard_normal((MEMBERS, 6, 3)), rng.standard_normal((MEMBERS, 6, 2))
    masks = [1.5 * (rng.uniform(size=(MEMBERS, 6, units)) > 0.3) for units in (5, 4)]

    def value_at(distance: float) -> Array:
        return gradient_of(network, "mse", parameters + distance * direction, X, y, None, masks)[0]

    _, gradient = gradient_of(network, "mse", parameters, X, y, None, masks)

    np.testing.assert_allclose((gradient * direction).sum(axis=1), slope_along(value_at), rtol=1e-6)
    assert (value_at(0.0) != gradient_of(network, "mse", parameters, X, y)[0]).all()


@pytest.mark.parametrize("shared", [True, False])
def test_gradient_of_embeddings_adds_up_over_the_rows_of_a_code(shared: bool) -> None:
    """For every parameter, vectors of codes included; those that no row has do not move."""
    rng = np.random.default_rng(13)
    network = Network((2 + 3 + 2, 4, 1), "tanh", "identity", bias=True, embeddings=((4, 3), (3, 2)))
    parameters = rng.standard_normal((MEMBERS, network.size))
    rows = () if shared else (MEMBERS,)
    codes = np.stack((rng.integers(0, 3, (*rows, 7)), rng.integers(0, 3, (*rows, 7))), axis=-1)
    X = np.concatenate((rng.standard_normal((*rows, 7, 2)), codes), axis=-1)
    y, weights = rng.standard_normal((*rows, 7, 1)), rng.uniform(0, 2, (*rows, 7, 1))

    _, gradient = gradient_of(network, "mse", parameters, X, y, weights)

    for index, axis in enumerate(1e-5 * np.eye(network.size)):
        above, below = (gradient_of(network, "mse", parameters + sign * axis, X, y, weights)[0] for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, index], (above - below) / 2e-5, rtol=1e-5, atol=1e-9)
    first, _ = network.tables(gradient)
    assert not first[:, 3].any()


def test_gradient_is_written_anew_each_time() -> None:
    """Nothing of the batch before is left in it, for batches of other sizes too."""
    rng = np.random.default_rng(17)
    network = Network((1 + 2, 4, 2), "silu", "identity", bias=True, embeddings=((3, 2),))
    parameters = rng.standard_normal((MEMBERS, network.size))
    X: Array = np.concatenate((rng.standard_normal((MEMBERS, 6, 1)), rng.integers(0, 3, (MEMBERS, 6, 1))), axis=-1)
    y = rng.standard_normal((MEMBERS, 6, 2))
    gradient = np.empty_like(parameters)
    backpropagate = Backpropagation(network, LOSSES["mse"], parameters, gradient, l2=0.1)

    for rows in (6, 4, 6):
        value = backpropagate(X[:, :rows], y[:, :rows])

        alone = gradient_of(network, "mse", parameters, X[:, :rows], y[:, :rows], l2=0.1)
        assert value.tobytes() == alone[0].tobytes()
        assert gradient.tobytes() == alone[1].tobytes()


def test_rows_may_be_the_same_for_all_members() -> None:
    """Given once, they count for each member as if given to each."""
    rng = np.random.default_rng(19)
    network = Network((3, 4, 2), "tanh", "softmax", bias=True)
    parameters = rng.standard_normal((MEMBERS, network.size))
    X, y = rng.standard_normal((6, 3)), np.eye(2)[rng.integers(0, 2, 6)]

    once = gradient_of(network, "categorical_cross_entropy", parameters, X, y)

    for member in range(MEMBERS):
        own = parameters[member : member + 1]
        alone = gradient_of(network, "categorical_cross_entropy", own, X[np.newaxis], y[np.newaxis])
        np.testing.assert_allclose(once[0][member], alone[0][0], rtol=1e-12)
        np.testing.assert_allclose(once[1][member], alone[1][0], rtol=1e-12)


def test_the_penalty_is_left_out_of_the_loss_and_biases_out_of_the_penalty() -> None:
    """With a gradient of nothing but the penalty, the weight shrinks and the bias stays."""
    network = Network((1, 1), "identity", "identity", bias=True)
    X, y = np.zeros((1, 1)), np.full((1, 1), 3.0)

    value, gradient = gradient_of(network, "mse", np.array([[2.0, 3.0]]), X, y, l2=0.5)

    assert value.tolist() == [0.0]
    assert gradient.tolist() == [[1.0, 0.0]]
