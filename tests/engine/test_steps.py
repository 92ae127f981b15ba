"""Each step of a training, against its formula written out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.losses import LOSSES
from app.engine.network import Network
from app.engine.optimizers import OPTIMIZERS, Step
from app.engine.schedules import SCHEDULES, Clock
from app.engine.training import Examples, Progress, Trained, TrainingConfig, fit
from app.errors import Diverged

LINE = Network((1, 1), "identity", "identity", bias=True)
GRADIENTS = [np.array([4.0, -0.5]), np.array([2.0, 0.5]), np.array([-1.0, 3.0])]
RATE = 0.1


def reference(rule: str, w: Array, config: TrainingConfig) -> Array:
    """Three steps on given gradients, in the notation of the papers."""
    v, m, s = np.zeros(2), np.zeros(2), np.zeros(2)
    mu, b1, b2, rho, eps, lam = (
        config.momentum,
        config.beta1,
        config.beta2,
        config.rho,
        config.epsilon,
        config.weight_decay,
    )
    for t, g in enumerate(GRADIENTS, start=1):
        match rule:
            case "gradient_descent":
                w = w - RATE * g
            case "momentum":
                v = mu * v - RATE * g
                w = w + v
            case "nesterov":
                v = mu * v - RATE * g
                w = w + mu * v - RATE * g
            case "rmsprop":
                s = rho * s + (1 - rho) * g * g
                w = w - RATE * g / (np.sqrt(s) + eps)
            case "adam" | "adamw":
                if rule == "adamw":
                    w = w - RATE * lam * np.array([1.0, 0.0]) * w  # the second parameter is a bias
                m = b1 * m + (1 - b1) * g
                s = b2 * s + (1 - b2) * g * g
                w = w - RATE * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
    return w


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "settings", [{}, {"momentum": 0.5, "beta1": 0.7, "beta2": 0.8, "rho": 0.6, "epsilon": 0.1, "weight_decay": 0.3}]
)
def test_optimizers_take_the_steps_of_their_papers(optimizer: str, settings: dict[str, Any]) -> None:
    """Three steps from the same start end where the formulas do, with every coefficient in its place."""
    config = TrainingConfig(**settings)
    parameters = np.array([1.0, -2.0])
    memory = OPTIMIZERS[optimizer].memory(parameters)

    for number, gradient in enumerate(GRADIENTS, start=1):
        step = Step(RATE, number, np.array([1.0, 0.0]), config)
        OPTIMIZERS[optimizer].apply(parameters, gradient.copy(), memory, step)

    np.testing.assert_allclose(parameters, reference(optimizer, np.array([1.0, -2.0]), config), rtol=1e-12)


def line(rows: int = 6) -> Examples:
    X = np.linspace(-1, 1, rows)[:, np.newaxis]
    return Examples(X, 3 * X + 1, X[:0], X[:0])


def fitted(examples: Examples, told: Callable[[Progress], None] = lambda _: None, **settings: Any) -> Trained:
    usual: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 0.1, "tolerance": 0.0}
    config = TrainingConfig(**(usual | settings))
    parameters = np.array([0.5, -0.5])
    loss = LOSSES[config.loss or "mse"]
    return fit(LINE, loss, examples, config, parameters=parameters, rng=np.random.default_rng(1), on_epoch=told)


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine"])
def test_every_epoch_descends_at_the_rate_of_its_schedule(schedule: str) -> None:
    """Full-batch descent on a line, by hand: w ← w - rate(epoch) · gradient."""
    examples = line()
    w = np.array([0.5, -0.5])
    for epoch in range(8):
        rate = SCHEDULES[schedule](0.1, 0.1, Clock(epoch, 8, 0), 0.5, 3)
        error = examples.X[:, 0] * w[0] + w[1] - examples.y[:, 0]
        w = w - rate * np.array([2 * np.mean(error * examples.X[:, 0]), 2 * np.mean(error)])

    trained = fitted(examples, schedule=schedule, epochs=8, decay_epochs=3, keep_best=False)

    np.testing.assert_allclose(trained.parameters, w, rtol=1e-12)


def test_the_plateau_schedule_lowers_the_rate_while_nothing_improves() -> None:
    """At a rate that only makes things worse, each third epoch halves it until it works again."""
    stuck: dict[str, Any] = {"learning_rate": 1.02, "epochs": 60, "decay_epochs": 3, "keep_best": False}

    constant = fitted(line(), schedule="constant", **stuck)
    plateau = fitted(line(), schedule="plateau", **stuck)

    assert constant.history.loss[-1] > constant.history.loss[0]
    assert plateau.history.loss[-1] < 1e-6


def test_tolerance_is_compared_with_the_loss() -> None:
    """Training stops in the first epoch that saw a loss below it."""
    free = fitted(line(), schedule="constant", epochs=100)

    stopped = fitted(line(), schedule="constant", epochs=100, tolerance=1e-3)

    first = int(np.argmax(free.history.loss < 1e-3)) + 1
    assert len(stopped.history.loss) == first < 100
    assert stopped.stopped == "converged"


def test_batches_are_shuffled_and_every_row_is_seen_once() -> None:
    """The order of batches differs from epoch to epoch; the loss of an epoch counts each row once."""
    examples = line(7)
    still: dict[str, Any] = {"learning_rate": 1e-300, "epochs": 3, "batch_size": 3, "schedule": "constant"}

    losses = fitted(examples, **still).history.loss
    moved = fitted(examples, epochs=1, batch_size=1, schedule="constant")
    in_order = np.array([0.5, -0.5])
    for x, y in zip(examples.X[:, 0], examples.y[:, 0], strict=True):
        in_order -= 0.1 * 2 * (in_order[0] * x + in_order[1] - y) * np.array([x, 1.0])

    whole = np.mean((0.5 * examples.X - 0.5 - examples.y) ** 2)
    np.testing.assert_allclose(losses, whole)
    assert not np.allclose(moved.parameters, in_order)


def test_of_two_noisy_ends_the_better_is_kept() -> None:
    """In batches the loss on the way is not that of any weights: best and last are measured before one is kept."""
    for seed in range(10):
        noisy: dict[str, Any] = {"learning_rate": 0.6, "epochs": 9, "batch_size": 2, "seed": seed}
        rng = np.random.default_rng(seed)
        examples = line(8)
        examples = Examples(examples.X, examples.y + rng.standard_normal((8, 1)), examples.X[:0], examples.y[:0])

        best = fitted(examples, schedule="constant", **noisy)
        last = fitted(examples, schedule="constant", keep_best=False, **noisy)

        assert best.loss <= last.loss
        assert best.loss == pytest.approx(np.mean((LINE.outputs(best.parameters, examples.X)[1] - examples.y) ** 2))


def test_clipping_limits_the_first_step() -> None:
    """However steep, the step is no longer than rate times clip_norm."""
    trained = fitted(line(), clip_norm=0.01, epochs=1, keep_best=False)

    assert np.linalg.norm(trained.parameters - [0.5, -0.5]) == pytest.approx(0.1 * 0.01)


def test_the_penalty_leaves_biases_alone() -> None:
    """With a gradient of nothing but the penalty, the weight shrinks and the bias stays."""
    network = Network((1, 1), "identity", "identity", bias=True)
    parameters = np.array([2.0, 3.0])
    X, y = np.zeros((1, 1)), np.full((1, 1), 3.0)

    value, gradient = network.gradient(parameters, X, y, loss=LOSSES["mse"], l2=0.5)

    assert value == pytest.approx(0.5 * 0.5 * 2.0**2)
    assert gradient.tolist() == [1.0, 0.0]


def test_divergence_names_the_layer_that_overflows() -> None:
    """Huge weights in the second of three layers."""
    network = Network((1, 1, 1, 1), "identity", "identity", bias=False)
    config = TrainingConfig(optimizer="gradient_descent", epochs=1)
    X = np.full((2, 1), 1e200)

    with pytest.raises(Diverged) as caught:
        fit(
            network,
            LOSSES["mse"],
            Examples(X, X, X[:0], X[:0]),
            config,
            parameters=np.array([1.0, 1e200, 1.0]),
            rng=np.random.default_rng(0),
            on_epoch=lambda _: None,
        )

    assert (caught.value.layer, caught.value.epoch) == (2, 1)
