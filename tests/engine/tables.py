"""Tables and recipes that tests of learning share."""

from typing import Any

import numpy as np

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.engine.preprocessing import Scaling
from app.engine.recipe import Recipe
from app.engine.table import Column, Label, TrainingRows
from tests.tutorial import X, Y


def numbers(*names: str) -> tuple[Column, ...]:
    """Name columns of numbers."""
    return tuple(map(Column, names))


EXAM = TrainingRows(numbers("hours_studied", "hours_slept"), ("score",), X, Y)


def wave(rows: int = 150, outputs: int = 1, noise: float = 0.0) -> TrainingRows:
    """A smooth curve in two columns, in units far from 1; noise of 1 is half as wide as the curve."""
    rng = np.random.default_rng(3)
    features = rng.uniform(-1, 1, (rows, 2))
    y = np.stack([np.sin(2 * features[:, 0]) + output * features[:, 1] for output in range(outputs)], axis=1)
    y += noise * rng.standard_normal(y.shape)
    return TrainingRows(numbers("a", "b"), tuple(f"y{n}" for n in range(outputs)), 1000 * features, 50 + 10 * y)


def blobs(classes: int, rows: int = 60) -> TrainingRows:
    """Clouds of rows that can be told apart, with text labels."""
    rng = np.random.default_rng(5)
    centers = 4 * np.array([[np.cos(angle), np.sin(angle)] for angle in np.linspace(0, 5, classes)])
    labels = [index % classes for index in range(rows)]
    features = centers[labels] + 0.3 * rng.standard_normal((rows, 2))
    return TrainingRows(numbers("a", "b"), ("kind",), features, tuple("abcdef"[label] for label in labels))


def shops(rows: int = 200, levels: int = 10) -> TrainingRows:
    """Sales that depend on a column of numbers, sometimes missing, and on which of many shops it is."""
    rng = np.random.default_rng(8)
    shop, price = rng.integers(0, levels, rows), rng.uniform(-1, 1, rows)
    sales = rng.permutation(np.linspace(-3, 3, levels))[shop] + price
    names: tuple[Label, ...] = tuple(f"shop {number}" for number in range(levels))
    X = np.stack((np.where(rng.uniform(size=rows) < 0.1, np.nan, price), shop), axis=1)
    return TrainingRows((Column("price"), Column("shop", names)), ("sales",), X, sales[:, np.newaxis])


def recipe(*, hidden: tuple[int, ...] | None = (8,), scaling: Scaling | None = None, **training: Any) -> Recipe:
    return Recipe(
        network=Architecture(hidden=hidden), training=TrainingConfig(**training), scaling=scaling or Scaling()
    )
