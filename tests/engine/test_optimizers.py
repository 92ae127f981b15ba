"""Optimizers and schedules, against the formulas of their papers written out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.config import TrainingConfig
from app.engine.optimizers import BLOCK, OPTIMIZERS, Stepper, clip
from app.engine.schedules import SCHEDULES, Clock

RATE = 0.1
SIZE = BLOCK // 2 + 3  # of each of two members, so that the second block begins in the second of them


def reference(
    rule: str, w: Array, gradients: Sequence[Array], config: TrainingConfig, *, rates: Array, is_weight: Array
) -> Array:
    """Some steps on given gradients, in the notation of the papers."""
    v, m, s = (np.zeros_like(w) for _ in range(3))
    mu, b1, b2, rho, eps = config.momentum, config.beta1, config.beta2 or 0.0, config.rho, config.epsilon
    for t, g in enumerate(gradients, start=1):
        match rule:
            case "gradient_descent":
                w = w - rates * g
            case "momentum":
                v = mu * v - RATE * g
                w = w + rates / RATE * v
            case "nesterov":
                v = mu * v - RATE * g
                w = w + rates / RATE * (mu * v - RATE * g)
            case "rmsprop":
                s = rho * s + (1 - rho) * g * g
                w = w - rates * g / (np.sqrt(s) + eps)
            case "adam" | "adamw":
                if rule == "adamw":
                    w = w - RATE * config.weight_decay * is_weight * w
                m = b1 * m + (1 - b1) * g
                s = b2 * s + (1 - b2) * g * g
                w = w - rates * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
    return w


@pytest.mark.parametrize("rated", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "settings", [{}, {"momentum": 0.5, "beta1": 0.7, "beta2": 0.8, "rho": 0.6, "epsilon": 0.1, "weight_decay": 0.3}]
)
def test_optimizers_take_the_steps_of_their_papers(optimizer: str, settings: dict[str, Any], rated: bool) -> None:
    """Three steps end where the formulas do, in every block, with every coefficient and every parameter's own rate."""
    rng = np.random.default_rng(0)
    config = TrainingConfig(**({"beta2": 0.999} | settings))
    parameters, *gradients = rng.standard_normal((4, 2, SIZE))
    is_weight = 1.0 * (rng.uniform(size=(2, SIZE)) < 0.5)
    rates = rng.uniform(0.5, 2, (2, SIZE))
    own = RATE * (rates if rated else np.ones_like(rates))
    wanted = reference(optimizer, parameters, gradients, config, rates=own, is_weight=is_weight)
    stepper = Stepper(optimizer, parameters, is_weight, rates if rated else None)

    for gradient in gradients:
        stepper.apply(gradient.copy(), RATE, config)

    np.testing.assert_allclose(parameters, wanted, rtol=1e-9, atol=1e-12)


def test_decay_takes_its_share_of_weights_and_spares_biases() -> None:
    """Without a gradient, that is all that adamw does; adam does nothing."""
    config = TrainingConfig(weight_decay=0.5, beta2=0.999)
    found = {}
    for name in ("adam", "adamw"):
        parameters = np.array([[2.0, 3.0]])
        Stepper(name, parameters, np.array([[1.0, 0.0]]), None).apply(np.zeros((1, 2)), RATE, config)
        found[name] = parameters.tolist()

    assert found == {"adam": [[2.0, 3.0]], "adamw": [[2.0 * (1 - 0.1 * 0.5), 3.0]]}


def test_each_members_gradient_is_clipped_to_its_longest() -> None:
    """A longer one is shortened in place, a shorter one left, one of nothing stays nothing."""
    gradients = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])

    clip(gradients, 1.0)

    np.testing.assert_allclose(gradients, [[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("constant", [1.0, 1.0, 1.0]),
        ("step", [1.0, 0.5, 0.25]),
        ("exponential", [1.0, 0.5, 0.25]),
        ("cosine", [1.0, 0.5, 0.0]),
    ],
)
def test_schedules_follow_their_curves(name: str, rates: list[float]) -> None:
    """After 0, 10 and 20 of 20 epochs, halving every 10."""
    taken = [SCHEDULES[name](1.0, 0.7, Clock(epoch, 20, 0), 0.5, 10) for epoch in (0, 10, 20)]

    assert taken == pytest.approx(rates)


def test_step_schedule_is_flat_between_its_steps() -> None:
    """Between two steps the rate stays, where the exponential one falls."""
    late = Clock(19, 20, 0)

    assert SCHEDULES["step"](1.0, 1.0, late, 0.5, 10) == 0.5
    assert SCHEDULES["exponential"](1.0, 1.0, late, 0.5, 10) < 0.3


def test_plateau_lowers_the_rate_only_where_nothing_improves() -> None:
    """Every third stalled epoch halves the current rate."""
    rates = [SCHEDULES["plateau"](1.0, 0.8, Clock(50, 100, stalled), 0.5, 3) for stalled in (0, 1, 2, 3, 4, 6)]

    assert rates == [0.8, 0.8, 0.8, 0.4, 0.8, 0.4]
