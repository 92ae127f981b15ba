"""Losses: their textbook values, for one member or many, with and without weights."""

from dataclasses import replace

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.losses import LOSSES
from tests.engine.courses import truths

A, Y = np.array([[[1.0], [5.0]]]), np.array([[[2.0], [3.0]]])


@pytest.mark.parametrize(
    ("name", "value"),
    [("mse", 2.5), ("quadratic", 2.5), ("mae", 1.5), ("huber", (0.5 + 1.5) / 2), ("quantile", 0.75)],
)
def test_losses_of_numbers_have_their_textbook_values(name: str, value: float) -> None:
    """Errors of 1 and 2 on two rows."""
    assert LOSSES[name].value(A, A, Y) == pytest.approx(value)


@pytest.mark.parametrize(("level", "value"), [(0.9, (0.9 * 1 + 0.1 * 2) / 2), (0.2, (0.2 * 1 + 0.8 * 2) / 2)])
def test_the_quantile_loss_counts_what_is_too_low_by_its_level(level: float, value: float) -> None:
    """An answer too low by 1, another too high by 2; where it is right there is no slope."""
    pinball = replace(LOSSES["quantile"], level=level)

    assert pinball.value(A, A, Y) == pytest.approx(value)
    np.testing.assert_allclose(pinball.slope(A, Y, level), [[[-level], [1 - level]]])
    assert not pinball.slope(Y, Y, level).any()


def test_cross_entropies_have_their_textbook_values() -> None:
    """A coin toss costs ln 2; certainty in the wrong class costs its z, not infinity."""
    even, wrong = np.zeros((1, 1, 1)), np.full((1, 1, 1), 900.0)
    binary, categorical = LOSSES["binary_cross_entropy"], LOSSES["categorical_cross_entropy"]

    assert binary.value(even, even, np.ones((1, 1, 1))) == pytest.approx(np.log(2))
    assert binary.value(wrong, wrong, np.zeros((1, 1, 1))) == pytest.approx(900)
    assert categorical.value(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), np.eye(2)[np.newaxis, :1]) == pytest.approx(
        np.log(2)
    )
    assert categorical.value(
        np.array([[[0.0, 900.0]]]), np.zeros((1, 1, 2)), np.eye(2)[np.newaxis, :1]
    ) == pytest.approx(900)


def test_poisson_costs_its_negative_log_likelihood() -> None:
    """A mean of 3 where 2 were counted: 3 - 2 ln 3, but for ln 2!."""
    z = np.log([[[3.0]]])

    assert LOSSES["poisson"].value(z, np.exp(z), np.array([[[2.0]]])) == pytest.approx(3 - 2 * np.log(3))


def test_gaussian_costs_its_negative_log_likelihood() -> None:
    """Two targets with means 1 and 2, variances 4 and 1: all means come first, then the logarithms of variances."""
    a = np.array([[[1.0, 2.0, np.log(4.0), 0.0]]])

    value = LOSSES["gaussian_nll"].value(a, a, np.array([[[3.0, 2.5]]]))

    assert value == pytest.approx((0.5 * (np.log(4) + 4 / 4) + 0.5 * 0.25) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_members_have_a_loss_each_and_weights_say_how_often_a_row_counts(name: str) -> None:
    """Weights 2, 0, 1 of three rows are three rows, of which the first is there twice and the second is not."""
    rng = np.random.default_rng(2)
    loss, output = LOSSES[name], ACTIVATIONS[LOSSES[name].paired_with or "identity"]
    z = rng.standard_normal((2, 3, 3 * loss.outputs))
    a, scratch = z.copy(), np.empty_like(z)
    output.apply(a, scratch)
    y, weights = truths(name, (2, 3), 3, rng), np.tile([[2.0], [0.0], [1.0]], (2, 1, 1))
    twice = [0, 0, 2]

    value = loss.value(z, a, y, weights)
    delta = loss.delta(output, a, scratch, y, weights)

    np.testing.assert_allclose(value, loss.value(z[:, twice], a[:, twice], y[:, twice]))
    np.testing.assert_allclose(value[1:], loss.value(z[1:], a[1:], y[1:], weights[1:]))
    doubled = loss.delta(output, a[:, twice], scratch[:, twice], y[:, twice])
    np.testing.assert_allclose(delta[:, 0], doubled[:, 0] + doubled[:, 1])
    np.testing.assert_allclose(delta[:, 2], doubled[:, 2])
    assert not delta[:, 1].any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_sum_grows_with_the_rows_and_a_mean_does_not(name: str) -> None:
    """The same rows twice."""
    rng = np.random.default_rng(3)
    z, y = rng.standard_normal((1, 4, 2 * LOSSES[name].outputs)), truths(name, (1, 4), 2, rng)

    once, twice = LOSSES[name].value(z, z, y), LOSSES[name].value(*(np.tile(part, (1, 2, 1)) for part in (z, z, y)))

    np.testing.assert_allclose(twice, (2 if LOSSES[name].summed else 1) * once)
