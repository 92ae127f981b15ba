"""Networks and courses made by hand, for tests that look below `learn`."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from app.engine.arrays import Array
from app.engine.backpropagation import Backpropagation
from app.engine.config import TrainingConfig
from app.engine.control import Control
from app.engine.device import DEVICES
from app.engine.examples import Examples
from app.engine.losses import LOSSES
from app.engine.network import Network
from app.engine.sharding import Helpers
from app.engine.training import Course

STEP = 1e-6


def slope_along(value_at: Callable[[float], Array]) -> Array:
    """Differentiate by a distance at 0, from four points around it."""
    near, far = value_at(STEP) - value_at(-STEP), value_at(2 * STEP) - value_at(-2 * STEP)
    return np.asarray((8 * near - far) / (12 * STEP))


def gradient_of(network: Network, loss: str, parameters: Array, *batch: Any, l2: float = 0.0) -> tuple[Array, Array]:
    """Give the loss of each member and its gradient."""
    gradient = np.full_like(parameters, np.nan)
    with np.errstate(all="ignore"):
        value = Backpropagation(network, LOSSES[loss], parameters, gradient, l2=l2)(*batch)
    return value, gradient


def truths(loss: str, rows: tuple[int, ...], targets: int, rng: np.random.Generator) -> Array:
    """Draw targets of the kind that a loss is for."""
    if LOSSES[loss].classes:
        return np.eye(targets)[rng.integers(0, targets, rows)]
    return rng.poisson(2.0, (*rows, targets)) * 1.0 if LOSSES[loss].counts else rng.standard_normal((*rows, targets))


def course_of(
    network: Network,
    parameters: Array,
    *,
    control: Control = Control(),
    threads: Executor | None = None,
    good_enough: float = np.inf,
    **settings: Any,
) -> Course:
    """Train these parameters by gradient descent at rate 0.1, unless settings say otherwise."""
    usual: dict[str, Any] = {
        "loss": "mse",
        "optimizer": "gradient_descent",
        "learning_rate": 0.1,
        "tolerance": 0.0,
        "beta2": 0.999,
        "keep_best": True,
        "batch_size": 10_000,
    }
    config = TrainingConfig(**(usual | settings))
    return Course(
        network=network,
        loss=replace(LOSSES[str(config.loss)], level=config.quantile),
        config=config,
        parameters=parameters,
        rng=np.random.default_rng(config.seed),
        control=control,
        device=DEVICES["cpu"](),
        helpers=Helpers(threads),
        good_enough=good_enough,
    )


def all_rows(X: Array, y: Array, *, members: int = 1, held_out: int = 0, weights: Array | None = None) -> Examples:
    """Let each member learn from all rows but the last few, which judge it."""
    learnt = len(X) - held_out
    rows = np.tile(np.arange(len(X)), (members, 1))
    return Examples(X, y, weights, rows[:, :learnt], rows[:, learnt:])
