"""Models of every kind, learnt once, whose pictures the tests look at."""

from dataclasses import replace

import numpy as np
import pytest

from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from tests.models.letters import LETTERS
from tests.models.tables import EXAM, blobs, columns, mixed, recipe, shops, wave

HELD_OUT = recipe(epochs=40, validation=0.4)
HOSTILE = ("<script>alert(1)</script> & $x^2$", "学习\N{RIGHT-TO-LEFT OVERRIDE}\0\n]]>")


def flags() -> TrainingRows:
    """Two answers of yes or no, of which the first is hard to tell."""
    rng = np.random.default_rng(2)
    X = rng.uniform(-1, 1, (150, 3))
    y = (np.stack([X[:, 0] + 0.5 * rng.standard_normal(150), X[:, 1]], axis=1) > 0) * 1.0
    return TrainingRows(columns("a", "b", "c"), ("up", "down"), X, y, multilabel=True)


def hostile() -> TrainingRows:
    """Names that would be markup, formulas or no text at all."""
    rows = blobs(3, 90)
    labels = {"a": "<b>bold</b>", "b": r"\mathrm{x} $y", "c": "C" * 100}
    names = tuple(Column(name) for name in HOSTILE)
    return replace(rows, columns=names, targets=('"><svg onload=x>',), y=tuple(labels[str(y)] for y in rows.y))


def wide() -> TrainingRows:
    """More columns than rows."""
    X = np.random.default_rng(1).standard_normal((30, 3000))
    return TrainingRows(columns(*(f"x{number}" for number in range(3000))), ("y",), X, X[:, :1])


KINDS = {
    "exam": (EXAM, recipe(hidden=(3,), epochs=20)),
    "wave": (wave(noise=0.1), recipe(epochs=60, validation=0.4, members=3)),
    "two": (wave(outputs=2), HELD_OUT),
    "classes": (blobs(4, 120), HELD_OUT),
    "pair": (blobs(2), HELD_OUT),
    "flags": (flags(), HELD_OUT),
    "letters": (LETTERS, Recipe()),
    "mixed": (mixed(200), HELD_OUT),
    "shops": (shops(200, 30), HELD_OUT),
    "hostile": (hostile(), HELD_OUT),
    "wide": (wide(), recipe(hidden=(200, 100, 50, 40, 30, 20), epochs=2, validation=0.3)),
}


@pytest.fixture(scope="session")
def models() -> dict[str, Model]:
    return {name: learn(*how) for name, how in KINDS.items()}


def go_on() -> None:
    """Wait for nobody."""
