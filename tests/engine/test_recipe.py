"""Recipes: what is chosen where the user leaves it open, and what it will cost."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.learning import STEP_OPERATIONS, estimate, learn
from app.engine.model import TrainingRows
from app.engine.network import BLOCK_NUMBERS, Architecture
from app.engine.preprocessing import Scaling
from app.engine.recipe import Recipe
from app.engine.training import TrainingConfig
from app.errors import UnsuitableTarget
from tests.engine.tables import EXAM, recipe, wave


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "relu", "elu", "softplus", "silu", "leaky_relu"])
def test_bounded_outputs_get_a_target_they_can_reach(output: str) -> None:
    """The target's scaler is chosen to fit the output activation."""
    model = learn(EXAM, Recipe(network=Architecture(hidden=(3,), output_activation=output)))

    assert model.recipe.scaling.target == ("standard" if output == "leaky_relu" else "minmax")


@pytest.mark.parametrize(
    ("settings", "labels", "message"),
    [
        ({"network": {"output_activation": "tanh"}}, ("a", "b", "a"), "Classes need output_activation"),
        ({"network": {"output_activation": "sigmoid"}}, ("a", "b", "c"), "tells two classes apart; the target has 3"),
        ({}, ("a", "a", "a"), "one class only"),
        ({"training": {"loss": "binary_cross_entropy"}}, ("a", "b", "c"), "needs output_activation sigmoid"),
        ({"training": {"loss": "categorical_cross_entropy"}}, None, "needs output_activation softmax, not identity"),
        ({"network": {"output_activation": "sigmoid"}, "scaling": {"target": "standard"}}, None, "answers lie between"),
        ({"scaling": {"target": "minmax", "target_maximum": 100.0}}, None, "goes with scaling.target maximum"),
    ],
)
def test_settings_that_contradict_the_target_are_refused(
    settings: dict[str, dict[str, Any]], labels: tuple[str, ...] | None, message: str
) -> None:
    """Each says what contradicts what, before anything is trained."""
    contradicting = Recipe(
        network=Architecture(**settings.get("network", {})),
        training=TrainingConfig(**settings.get("training", {})),
        scaling=Scaling(**settings.get("scaling", {})),
    )

    with pytest.raises(UnsuitableTarget, match=message):
        learn(EXAM if labels is None else replace(EXAM, y=labels), contradicting)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Recipe(), None),
        (Recipe(task="classification"), True),
        (Recipe(task="regression", network=Architecture(output_activation="softmax")), False),
        (Recipe(network=Architecture(output_activation="softmax")), True),
        (Recipe(training=TrainingConfig(loss="binary_cross_entropy")), True),
        (Recipe(training=TrainingConfig(loss="mse")), None),
    ],
)
def test_settings_tell_whether_numbers_are_classes(given: Recipe, wanted: bool | None) -> None:
    """The task decides; else softmax or a cross entropy do."""
    assert given.wants_labels is wanted


@pytest.mark.parametrize(("rows", "epochs", "batch_size"), [(3, 2000, 3), (256, 2000, 256), (6400, 200, 64)])
def test_epochs_and_batches_follow_the_number_of_rows(rows: int, epochs: int, batch_size: int) -> None:
    """Small tables are seen whole and often, large ones in batches and less often."""
    assert TrainingConfig().chosen_for(rows) == (epochs, batch_size, 0.02)


def test_cost_is_estimated_before_training() -> None:
    """Parameters, numbers held at once, and operations of all epochs."""
    cost = estimate(EXAM, recipe(hidden=(3,), epochs=10))

    assert cost.parameters == 13
    assert cost.operations == 10 * (6.0 * 13 * 3 + 2 * STEP_OPERATIONS)
    assert estimate(replace(EXAM, y=("a", "b", "c")), Recipe()).parameters == 2 * 16 + 16 + 16 * 3 + 3


@pytest.mark.parametrize(
    ("shape", "settings", "numbers"),
    [
        ((200_000, 1, 1000), {}, 200_000 * 1000),
        ((1_000_000, 50, 1), {}, 1_000_000 * 50),
        ((1000, 1, 1), {"hidden": (100_000,)}, BLOCK_NUMBERS),
        ((5000, 1, 1), {"hidden": (10_000,), "batch_size": 5000}, 5000 * 10_000),
    ],
)
def test_estimates_count_everything_that_is_large(
    shape: tuple[int, int, int], settings: dict[str, Any], numbers: int
) -> None:
    """Rows by columns, rows by classes, and rows of a batch or block by units."""
    rows, columns, classes = shape
    y = tuple(index % classes for index in range(rows)) if classes > 1 else np.zeros((rows, 1))
    names = tuple(f"c{index}" for index in range(columns))

    cost = estimate(TrainingRows(names, ("y",), np.zeros((rows, columns)), y), recipe(**settings))

    assert cost.numbers >= numbers


def test_settings_of_a_model_train_it_again() -> None:
    """A completed recipe, fed back, gives the same model: nothing was chosen that is not told."""
    model = learn(wave(), Recipe())

    again = learn(wave(), model.recipe)

    assert again.recipe == model.recipe
    assert again.parameters.tobytes() == model.parameters.tobytes()


@pytest.mark.parametrize(("rows", "held_out"), [(99, 0), (100, 10)])
def test_rows_are_held_out_from_a_hundred_on(rows: int, held_out: int) -> None:
    """A tenth, where there are enough."""
    assert learn(wave(rows), recipe(epochs=1)).report.rows_held_out == held_out
