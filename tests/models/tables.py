"""Tables and recipes that tests of learning share."""

from dataclasses import replace
from typing import Any

import numpy as np

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from tests.tutorial import X, Y


def columns(*names: str) -> tuple[Column, ...]:
    """Name columns of numbers."""
    return tuple(Column(name) for name in names)


EXAM = TrainingRows(columns("hours_studied", "hours_slept"), ("score",), X, Y)


def wave(rows: int = 150, outputs: int = 1, noise: float = 0.0) -> TrainingRows:
    """A smooth curve in two columns, in units far from 1."""
    rng = np.random.default_rng(3)
    features = rng.uniform(-1, 1, (rows, 2))
    y = np.stack([np.sin(2 * features[:, 0]) + output * features[:, 1] for output in range(outputs)], axis=1)
    y += noise * rng.standard_normal(y.shape)
    return TrainingRows(columns("a", "b"), tuple(f"y{n}" for n in range(outputs)), 1000 * features, 50 + 10 * y)


def saddle(rows: int = 200, noise: float = 0.0) -> TrainingRows:
    """A smooth surface over two columns, with noise of so many of its deviations."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (rows, 2))
    y = np.cos(2 * X[:, :1]) + X[:, :1] * X[:, 1:]
    return TrainingRows(columns("a", "b"), ("height",), X, y + noise * y.std() * rng.standard_normal(y.shape))


def blobs(classes: int, rows: int = 60) -> TrainingRows:
    """Clouds of rows that can be told apart, with text labels."""
    rng = np.random.default_rng(5)
    centers = 4 * np.array([[np.cos(angle), np.sin(angle)] for angle in np.linspace(0, 5, classes)])
    labels = [index % classes for index in range(rows)]
    features = centers[labels] + 0.3 * rng.standard_normal((rows, 2))
    return TrainingRows(columns("a", "b"), ("kind",), features, tuple("abcdef"[label] for label in labels))


def shops(rows: int = 200, levels: int = 10) -> TrainingRows:
    """Sales that depend on a price and on which of many shops it is."""
    rng = np.random.default_rng(8)
    shop, price = rng.integers(0, levels, rows), rng.uniform(-1, 1, rows)
    sales = rng.permutation(np.linspace(-3, 3, levels))[shop] + price
    named = Column("price"), Column("shop", tuple(f"shop {number}" for number in range(levels)))
    return TrainingRows(named, ("sales",), np.stack((price, shop), axis=1), sales[:, np.newaxis])


def mixed(rows: int = 60) -> TrainingRows:
    """Numbers with gaps, a pair, a category of three levels and one of nine, all of which the target depends on."""
    rng = np.random.default_rng(8)
    number, pair = rng.uniform(-1, 1, rows), rng.integers(0, 2, rows)
    three, nine = rng.integers(0, 3, rows), rng.integers(0, 9, rows)
    y = number + pair + 2 * (three == 1) + np.linspace(0, 3, 9)[nine]
    number[::7] = np.nan
    named = (
        Column("number"),
        Column("pair", (False, True)),
        Column("three", ("x", "y", "z")),
        Column("nine", tuple(f"l{n}" for n in range(9))),
    )
    cells = np.stack([number, pair, three, nine], axis=1).astype(np.float64)
    return TrainingRows(named, ("y",), cells, y[:, np.newaxis])


def recipe(*, hidden: tuple[int, ...] = (8,), scaling: Scaling | None = None, **training: Any) -> Recipe:
    """One network with one hidden layer, by default trained with adam."""
    config = TrainingConfig(**({"optimizer": "adam"} | training))
    return Recipe(network=Architecture(hidden=hidden), training=config, scaling=scaling or Scaling())


def ensemble(**settings: Any) -> Recipe:
    """A small form of what is chosen for tables of some size: all that it can do, at once."""
    training: dict[str, Any] = {
        "optimizer": "adam",
        "members": 3,
        "epochs": 6,
        "parametrization": "ntk",
        "dropout": 0.2,
    }
    training |= {"input_scale": True, "precision": "float32", "batch_size": 16, "patience": 3, "beta2": 0.95}
    network = Architecture(hidden=(6, 5), activation="silu", initializer="data")
    scaling = Scaling(features="robust", clip=3.0, bins=3, one_hot=4)
    return Recipe(network=network, training=replace(TrainingConfig(), **(training | settings)), scaling=scaling)
