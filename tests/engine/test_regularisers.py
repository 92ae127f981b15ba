"""Dropout, and learnt scales of the inputs."""

from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.backpropagation import Backpropagation
from app.engine.losses import LOSSES
from app.engine.network import Network
from app.engine.regularisers import INPUT_RATE, SPARE, Dropout, RawParameters
from app.engine.training import descend
from tests.engine.courses import all_rows, course_of, slope_along

NETWORK = Network((3, 20, 10, 2), "tanh", "identity", bias=True)
PARAMETERS = np.zeros((4, NETWORK.size))


def dropout_of(share: float, seed: int = 0) -> Dropout:
    return Dropout(course_of(NETWORK, PARAMETERS, dropout=share, seed=seed))


def test_dropout_silences_its_share_and_makes_up_for_it() -> None:
    """Of many units about the share is 0; the others are so much larger that nothing changes on average."""
    masks = dropout_of(0.25).masks(500)

    for mask in masks:
        assert set(np.unique(mask)) == {0.0, 1.0 / 0.75}
        assert (mask == 0).mean() == pytest.approx(0.25, abs=0.01)


def test_each_hidden_layer_has_a_mask_of_its_own_width() -> None:
    """For every member and row another one, as precise as the parameters, cut from another place."""
    dropout = Dropout(course_of(NETWORK, PARAMETERS.astype(np.float32), dropout=0.5))

    first, second = dropout.masks(7)

    assert first.shape == (4, 7, 20)
    assert second.shape == (4, 7, 10)
    assert first.dtype == second.dtype == np.float32
    assert first.ravel()[:280].tolist() != second.ravel().tolist()
    assert len({row.tobytes() for row in first.reshape(28, 20)}) == 28


def test_masks_follow_the_seed_and_change_from_step_to_step() -> None:
    """Two streams from one seed agree to the last bit, whatever batches come; two steps do not."""

    def drawn(seed: int) -> list[bytes]:
        dropout = dropout_of(0.5, seed=seed)
        return [mask.tobytes() for rows in (5, 5, SPARE // 20, 5) for mask in dropout.masks(rows)]

    assert drawn(1) == drawn(1)
    assert not set(drawn(1)) & set(drawn(2))
    assert len(set(drawn(1))) == 8


def test_nothing_is_dropped_where_nothing_is_to_be() -> None:
    """Neither a share of 0 nor a network without hidden layers has masks, or takes random numbers."""
    linear = Network((3, 2), "tanh", "identity", bias=True)

    for dropout in (dropout_of(0.0), Dropout(course_of(linear, np.zeros((4, linear.size)), dropout=0.5))):
        assert dropout.masks(5) == []
        assert dropout.course.rng.uniform() == np.random.default_rng(0).uniform()


def test_training_drops_units_and_answers_do_not() -> None:
    """Each step sees other masks, so that the loss on the way jumps; the loss of what is kept uses every unit."""
    rng = np.random.default_rng(0)
    network = Network((1, 50, 30, 1), "tanh", "identity", bias=True)
    X = rng.standard_normal((20, 1))
    still: dict[str, Any] = {"learning_rate": 1e-300, "epochs": 3, "keep_best": False}
    parameters = network.initialize("lecun", 1, rng, X)

    plain, dropped = (
        descend(course_of(network, parameters.copy(), dropout=share, **still), all_rows(X, X)) for share in (0.0, 0.5)
    )

    assert len(set(plain.history.loss)) == 1
    assert len(set(dropped.history.loss)) == 3
    assert dropped.loss == plain.loss


def scaled_course(optimizer: str = "gradient_descent") -> tuple[RawParameters, Any]:
    rng = np.random.default_rng(4)
    network = Network((3, 4, 2), "tanh", "identity", bias=True)
    course = course_of(network, rng.standard_normal((2, network.size)), optimizer=optimizer)
    raw = RawParameters(course)
    raw.scale[:] = rng.uniform(0.5, 2, raw.scale.shape)
    return raw, course


def test_the_networks_first_weights_are_the_raw_ones_times_the_scales() -> None:
    """All else is as it is."""
    raw, course = scaled_course()
    raw.gradient[:] = 0.0
    wanted = raw.parameters.copy()
    wanted[:, :12] = (raw.parameters[:, :12].reshape(2, 3, 4) * raw.scale[:, :, np.newaxis]).reshape(2, 12)

    raw.apply(0.1, course.config)

    np.testing.assert_array_equal(course.parameters, wanted)


def test_scales_and_raw_weights_get_the_derivatives_of_their_product() -> None:
    """Along any direction of both, the two gradients together are the loss's slope."""
    raw, course = scaled_course()
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 6, 2))
    start, scales = raw.parameters.copy(), raw.scale.copy()
    along, along_scales = rng.standard_normal(start.shape), rng.standard_normal(scales.shape)
    gradient = np.empty_like(start)
    backpropagate = Backpropagation(course.network, LOSSES["mse"], course.parameters, gradient)

    def value_at(distance: float) -> Array:
        raw.parameters[:], raw.scale[:] = start + distance * along, scales + distance * along_scales
        raw.gradient[:] = 0.0
        raw.apply(0.0, course.config)
        return backpropagate(X, y)

    slope = slope_along(value_at)
    value_at(0.0)
    raw.take_gradient(gradient)

    found = (gradient * along).sum(axis=1) + (raw.gradient * along_scales).sum(axis=1)
    np.testing.assert_allclose(found, slope, rtol=1e-6)


def test_scales_learn_faster_than_weights() -> None:
    """By gradient descent, a step is so many times the rate."""
    raw, course = scaled_course()
    before = raw.scale.copy()
    raw.gradient[:] = 1.0

    raw.apply(0.1, course.config)

    np.testing.assert_allclose(raw.scale, before - INPUT_RATE * 0.1)


def test_scales_are_not_decayed() -> None:
    """Whatever becomes of weights."""
    raw, course = scaled_course("adamw")
    before = raw.scale.copy()
    raw.gradient[:] = 0.0

    raw.apply(0.1, course.config)

    np.testing.assert_array_equal(raw.scale, before)


def test_learnt_scales_are_another_path_to_the_same_kind_of_network() -> None:
    """The first step by hand: W1 ← (s - 6 η dL/ds) (W1 - η s dL/dW1)."""
    rng = np.random.default_rng(6)
    network = Network((2, 1), "identity", "identity", bias=False)
    X, y = rng.standard_normal((5, 2)), rng.standard_normal((5, 1))
    W = np.array([[0.5, -0.3]])
    slope = 2 / 5 * X.T @ (X @ W.T - y)

    course = course_of(network, W.copy(), input_scale=True, epochs=1, schedule="constant", keep_best=False)
    trained = descend(course, all_rows(X, y))

    wanted = (1 - INPUT_RATE * 0.1 * slope.T * W) * (W - 0.1 * slope.T)
    np.testing.assert_allclose(trained.parameters, wanted, rtol=1e-12)
