"""Budgets: what a training will take is known before it begins."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.engine.control import Control
from app.engine.network import Architecture
from app.engine.training import BLOCK_NUMBERS
from app.jobs.budget import STEP_OPERATIONS, estimate
from app.jobs.checkpoints import Checkpoints
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.tables import EXAM, columns, ensemble, mixed, recipe, wave

NARROW = Architecture(hidden=(1,))


def test_cost_is_estimated_before_training() -> None:
    """Parameters, numbers held at once, and operations of all epochs."""
    cost = estimate(EXAM, recipe(hidden=(3,), epochs=10))

    assert cost.parameters >= 13
    assert cost.operations >= 10 * (6.0 * 13 * 3 + 2 * STEP_OPERATIONS)


def test_members_and_embeddings_are_counted() -> None:
    """Twice the members, twice the parameters; each level of an embedded category has a vector."""
    one, two = (estimate(mixed(), ensemble(members=members)).parameters for members in (1, 2))
    embedded = estimate(mixed(), replace(ensemble(members=1), scaling=replace(ensemble().scaling, one_hot=20)))

    assert two == 2 * one
    assert one > embedded.parameters - 6 * 9


@pytest.mark.parametrize(
    ("shape", "settings", "numbers"),
    [
        ((200_000, 1, 1000), {}, 200_000 * 1000),
        ((1_000_000, 50, 1), {}, 1_000_000 * 50),
        ((1000, 1, 1), {"hidden": (100_000,)}, BLOCK_NUMBERS),
        ((5000, 1, 1), {"hidden": (10_000,), "batch_size": 5000}, 5000 * 10_000),
        ((5000, 1, 1), {"hidden": (10_000,), "batch_size": 64, "optimizer": "lbfgs"}, 5000 * 10_000),
        ((1500, 1, 1), {"hidden": (1000,), "optimizer": "levenberg_marquardt"}, 1500 * 3001 + 1500**2),
        ((100, 1, 1), {"hidden": (1000, 1000), "optimizer": "lbfgs"}, 28 * 1_000_000),
    ],
)
def test_estimates_count_everything_that_is_large(
    shape: tuple[int, int, int], settings: dict[str, Any], numbers: int
) -> None:
    """Rows by columns or classes, rows of a batch or block by units, equations, and the steps that lbfgs remembers."""
    rows, width, classes = shape
    y = tuple(index % classes for index in range(rows)) if classes > 1 else np.zeros((rows, 1))
    named = columns(*(f"c{index}" for index in range(width)))

    cost = estimate(TrainingRows(named, ("y",), np.zeros((rows, width)), y), recipe(**settings))

    assert cost.numbers >= numbers


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (wave(1500, 2), {"hidden": (20, 20), "optimizer": "levenberg_marquardt"}),
        (wave(10_000), {"hidden": (200,), "optimizer": "lbfgs"}),
        (wave(10_000), {"hidden": (200,), "optimizer": "adam", "batch_size": 10_000}),
        (wave(10_000), {"hidden": (20,), "optimizer": "adam", "members": 4, "batch_size": 1000}),
    ],
)
def test_a_training_holds_no_more_than_was_estimated(rows: TrainingRows, settings: dict[str, Any]) -> None:
    """Measured while it runs: equations of two targets, all rows at once, or batches of several members."""
    asked = recipe(**settings, epochs=2)

    tracemalloc.start()
    learn(rows, asked)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most / 8 <= estimate(rows, asked).numbers


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_checkpoint_is_counted(precision: str, tmp_path: Path) -> None:
    """As it is made and written, of a network that is large beside its rows."""
    rows, asked = wave(20), recipe(hidden=(600, 600), epochs=2, input_scale=True, precision=precision)
    checkpoints = Checkpoints(tmp_path / "checkpoints", "order")
    control = Control(is_due=lambda _stopped: True, save=checkpoints.save)

    tracemalloc.start()
    learn(rows, asked, control=control)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    estimated = estimate(rows, asked).numbers - estimate(rows, replace(asked, network=NARROW)).numbers
    assert 0.5 * estimated < most / 8 < estimated


def test_what_is_tried_adds_up() -> None:
    """Where two ways are tried, both take their time."""
    both = estimate(wave(200), Recipe()).operations
    alone = estimate(wave(200), recipe(hidden=(8, 8), optimizer="levenberg_marquardt", members=8, epochs=80)).operations

    assert both > alone
