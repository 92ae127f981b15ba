"""Activations: their curves, their slopes, and what becomes of numbers that are too large."""

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array

CURVES = [name for name in ACTIVATIONS if name != "softmax"]
Z = np.array([[-31.0, -2.5, -1.2785, -0.3], [0.2, 0.9, 3.1, 30.0]])


def applied(name: str, z: Array) -> tuple[Array, Array]:
    a, scratch = z.copy(), np.full_like(z, np.nan)
    with np.errstate(all="ignore"):
        ACTIVATIONS[name].apply(a, scratch)
    return a, scratch


def slope_of(name: str, z: Array) -> Array:
    a, scratch = applied(name, z)
    ACTIVATIONS[name].slope(a, scratch)
    return scratch


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_stay_in_their_range_and_end_in_their_limits(name: str) -> None:
    """None leaves the range it promises for any z, and none but the exponential overflows."""
    z = np.array([[-1e300, -750.0, -1.2785], [0.0, 750.0, 1e300]])

    a, _ = applied(name, z)

    low, high = ACTIVATIONS[name].range
    assert a.min() >= low
    assert a.max() <= high
    assert np.isfinite(a).all() or name == "exponential"
    assert ACTIVATIONS[name].bounded == (name not in {"leaky_relu", "identity"})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CURVES)
def test_slopes_stay_finite_for_huge_z(name: str, dtype: type) -> None:
    """Where the curve is flat the slope is 0, where it is straight 1; nothing is NaN."""
    z: Array = np.array([[-1e30, -750.0, 750.0, 1e30]], dtype=dtype)

    slope = slope_of(name, z)[0].tolist()

    rising = {"relu", "leaky_relu", "elu", "silu", "softplus", "identity"}
    low = {"leaky_relu": dtype(0.01), "identity": 1.0}.get(name, 0.0)
    high = np.inf if name == "exponential" else 1.0 if name in rising else 0.0
    assert slope == [low, low, high, high]


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", 2.0, 0.8807970779778823),
        ("tanh", 1.0, 0.7615941559557649),
        ("relu", 0.5, 0.5),
        ("leaky_relu", 0.5, 0.5),
        ("relu", -2.0, 0.0),
        ("relu", 2.0, 2.0),
        ("leaky_relu", -2.0, -0.02),
        ("leaky_relu", 2.0, 2.0),
        ("elu", -1.0, -0.6321205588285577),
        ("elu", 3.0, 3.0),
        ("silu", 1.0, 0.7310585786300049),
        ("softplus", 0.0, 0.6931471805599453),
        ("exponential", 2.0, 7.38905609893065),
        ("identity", -3.0, -3.0),
    ],
)
def test_activations_have_their_textbook_values(name: str, z: float, a: float) -> None:
    """Known points of each curve."""
    assert applied(name, np.array([[z]]))[0][0, 0] == pytest.approx(a, abs=1e-15)


@pytest.mark.parametrize("name", CURVES)
def test_slopes_are_those_of_the_curves(name: str) -> None:
    """At every z, near and far from 0."""
    above, below = (applied(name, Z + sign * 1e-6)[0] for sign in (1, -1))

    np.testing.assert_allclose(slope_of(name, Z), (above - below) / 2e-6, rtol=1e-6, atol=1e-8)


def test_silu_reaches_its_minimum() -> None:
    """The range's lower end is where the slope is 0."""
    z = np.array([[-1.2784645427610738]])

    assert applied("silu", z)[0][0, 0] == pytest.approx(ACTIVATIONS["silu"].range[0], abs=1e-15)
    assert slope_of("silu", z)[0, 0] == pytest.approx(0.0, abs=1e-15)


def test_softmax_is_a_distribution() -> None:
    """Each row sums to 1, and equal inputs share equally."""
    a, _ = applied("softmax", np.array([[0.0, 0.0], [1.0, 3.0]]))

    np.testing.assert_allclose(a, [[0.5, 0.5], [0.11920292, 0.88079708]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_goes_back_is_multiplied_with_the_slope(name: str) -> None:
    """By all of each row's slopes, for softmax too, of which each answer hangs on each z of the row."""
    z, direction = Z / 10, np.array([[0.3, -1.0, 2.0, 0.7], [1.0, 0.5, -0.2, 4.0]])
    a, scratch = applied(name, z)
    delta = direction.copy()
    ACTIVATIONS[name].slope(a, scratch)

    ACTIVATIONS[name].backpropagate(delta, scratch)

    for row, column in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[row, column] = 1e-6
        slope = ((applied(name, z + step)[0] - applied(name, z - step)[0]) * direction).sum() / 2e-6
        assert delta[row, column] == pytest.approx(slope, rel=1e-6, abs=1e-8)
