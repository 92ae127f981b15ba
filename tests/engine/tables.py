"""Tables and recipes that tests of learning share."""

from typing import Any

import numpy as np

from app.engine.model import TrainingRows
from app.engine.network import Architecture
from app.engine.preprocessing import Scaling
from app.engine.recipe import Recipe
from app.engine.training import TrainingConfig
from tests.tutorial import X, Y

EXAM = TrainingRows(("hours_studied", "hours_slept"), ("score",), X, Y)


def wave(rows: int = 150, outputs: int = 1) -> TrainingRows:
    """A smooth curve in two columns, in units far from 1."""
    rng = np.random.default_rng(3)
    features = rng.uniform(-1, 1, (rows, 2))
    y = np.stack([np.sin(2 * features[:, 0]) + output * features[:, 1] for output in range(outputs)], axis=1)
    return TrainingRows(("a", "b"), tuple(f"y{n}" for n in range(outputs)), 1000 * features, 50 + 10 * y)


def blobs(classes: int) -> TrainingRows:
    """Clouds of rows that can be told apart, with text labels."""
    rng = np.random.default_rng(5)
    centers = 4 * np.array([[np.cos(angle), np.sin(angle)] for angle in np.linspace(0, 5, classes)])
    labels = [index % classes for index in range(60)]
    features = centers[labels] + 0.3 * rng.standard_normal((60, 2))
    return TrainingRows(("a", "b"), ("kind",), features, tuple("abcdef"[label] for label in labels))


def recipe(*, hidden: tuple[int, ...] = (8,), scaling: Scaling | None = None, **training: Any) -> Recipe:
    return Recipe(
        network=Architecture(hidden=hidden), training=TrainingConfig(**training), scaling=scaling or Scaling()
    )
