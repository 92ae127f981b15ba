"""Metrics: how good answers are, in the user's units."""

from typing import TypeAlias

import numpy as np

from app.engine.arrays import Targets

Metrics: TypeAlias = dict[str, float | None]

SMALLEST_PROBABILITY = 1e-15


def regression_metrics(answers: Targets, y: Targets) -> Metrics:
    """Measure answers against true values, both (samples, outputs) in the user's units.

    `r2` is averaged over the outputs; it is None where an output never varies, since nothing can be explained.
    """
    error = answers - y
    mse = float(np.mean(error**2))
    spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    r2 = float(np.mean(1.0 - (error**2).sum(axis=0) / spread)) if np.all(spread > 0) else None
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.mean(np.abs(error))), "r2": r2}


def classification_metrics(probabilities: Targets, y: Targets) -> Metrics:
    """Measure class probabilities, shape (samples, labels), against one-hot true labels of the same shape."""
    likelihood = np.clip((probabilities * y).sum(axis=1), SMALLEST_PROBABILITY, 1.0)
    right = probabilities.argmax(axis=1) == y.argmax(axis=1)
    return {"accuracy": float(np.mean(right)), "log_loss": float(-np.mean(np.log(likelihood)))}
