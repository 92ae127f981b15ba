"""Groups: many models that learn at once are what each would be alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.config import TrainingConfig
from app.engine.control import Control, Wish
from app.engine.network import Architecture
from app.errors import Cancelled, Diverged, InputError, InvalidRequest, UnsuitableTarget
from app.models.groups import LEAST_ROWS, for_groups, learn_groups
from app.models.learning import learn
from app.models.model import Model
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.store.arrays import arrays_of
from tests.models.tables import blobs, mixed, shops, wave

USUAL = for_groups(Recipe())


def parts(rows: TrainingRows, *sizes: int) -> list[TrainingRows]:
    """Cut a table into groups of these sizes."""
    ends = np.cumsum(sizes)
    return [rows.part(np.arange(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


def bits(outcome: Model | InputError) -> Any:
    """Give all that a model's answers and record rest on, to the last bit."""
    if isinstance(outcome, InputError):
        return type(outcome), str(outcome)
    arrays = {name: array.tobytes() for name, array in arrays_of(outcome).items()}
    return arrays, outcome.report, outcome.recipe, outcome.temperature, outcome.neighbours.near


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (wave(), {}),
        (wave(outputs=2), {"members": 1}),
        (wave(), {"members": 1, "validation": 0.2}),
        (wave(), {"dropout": 0.3, "batch_size": 7}),
        (wave(), {"optimizer": "adamw", "input_scale": True, "precision": "float64"}),
        (wave(), {"patience": 3, "epochs": 60}),
        (wave(), {"keep_best": False, "clip_norm": 0.1, "generator": "mt19937"}),
        (wave(), {"tolerance": 0.05}),
        (blobs(2, rows=150), {}),
        (blobs(3, rows=150), {"class_weight": "balanced"}),
        (mixed(rows=150), {}),
        (shops(rows=150, levels=30), {}),
    ],
)
def test_a_group_is_the_same_whatever_learns_beside_it(rows: TrainingRows, settings: dict[str, Any]) -> None:
    """Alone, among others of its size, and among others of all sizes, in any order: the same model, bit for bit."""
    groups = parts(rows, 30, 30, 17, 30, 17, 26)
    recipe = for_groups(Recipe(training=TrainingConfig(**{"epochs": 12} | settings)))

    together = learn_groups(groups, recipe)
    turned = learn_groups(groups[::-1], recipe)[::-1]

    assert all(isinstance(outcome, Model) for outcome in together)
    for group, one, other in zip(groups, together, turned, strict=True):
        (alone,) = learn_groups([group], recipe)
        assert bits(one) == bits(alone) == bits(other)


def test_groups_that_are_too_many_to_learn_at_once_do_so_by_turns() -> None:
    """Networks so wide that two of them fill a cache: the models are those that each group has alone."""
    recipe = for_groups(Recipe(network=Architecture(hidden=(512,)), training=TrainingConfig(epochs=2)))
    groups = parts(wave(), 30, 30, 30, 30, 30)
    alone = [outcome for group in groups for outcome in learn_groups([group], recipe)]
    assert [bits(outcome) for outcome in learn_groups(groups, recipe)] == [bits(outcome) for outcome in alone]


def test_a_group_is_what_a_training_of_its_own_makes() -> None:
    """With the same settings the same weights, curves, metrics and misses, but for what is said of why."""
    groups = parts(wave(), 40, 40, 33)

    for group, model in zip(groups, learn_groups(groups, USUAL), strict=True):
        assert isinstance(model, Model)
        alone = learn(group, USUAL)
        np.testing.assert_allclose(model.parameters, alone.parameters, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(model.history.loss, alone.history.loss, rtol=1e-3)
        assert model.recipe == alone.recipe
        assert model.report.rows_held_out == alone.report.rows_held_out == len(group.X) // 4 * 4
        assert model.report.metrics["validation"]["rmse"] == pytest.approx(
            alone.report.metrics["validation"]["rmse"], rel=0.01
        )


def test_groups_have_scaling_and_intervals_of_their_own() -> None:
    """Targets of very different size are answered in their own units, and missed by as much as is said."""
    small = wave(rows=60)
    large = replace(small, y=small.y * 1000)

    first, second = learn_groups([small, large], USUAL)

    assert isinstance(first, Model)
    assert isinstance(second, Model)
    ratio = second.scores(large.X) / first.scores(small.X)
    np.testing.assert_allclose(ratio, 1000, rtol=0.01)
    assert first.misses.bound(0.9) is not None
    assert first.report.metrics["validation"]["r2"] is not None
    assert first.report.metrics["validation"]["r2"] > 0.8


def test_who_ends_early_ends_as_if_alone() -> None:
    """Patience and convergence are each group's own: some end many epochs before others."""
    groups = parts(wave(noise=0.5), 25, 25, 25, 25, 25, 25)
    recipe = for_groups(Recipe(training=TrainingConfig(patience=4, epochs=200)))

    epochs = [outcome.report.epochs for outcome in learn_groups(groups, recipe) if isinstance(outcome, Model)]

    assert len(epochs) == 6
    assert len(set(epochs)) > 1
    assert epochs == [learn(group, recipe).report.epochs for group in groups]


def test_what_cannot_be_learnt_is_told_and_the_others_are_learnt() -> None:
    """One row, one class, or nothing that weighs: an error in its place, the others as ever."""
    good = blobs(2, rows=20)
    one_class = replace(good, y=("a",) * 20)
    weightless = replace(good, weights=np.zeros(20))
    short = good.part(np.arange(LEAST_ROWS - 1))

    outcomes = learn_groups([one_class, good, short, weightless], USUAL)

    assert [type(outcome) for outcome in outcomes] == [UnsuitableTarget, Model, UnsuitableTarget, UnsuitableTarget]
    assert "one class" in str(outcomes[0])
    assert f"at least {LEAST_ROWS}" in str(outcomes[2])
    assert bits(outcomes[1]) == bits(learn_groups([good], USUAL)[0])


def test_a_group_that_diverges_takes_no_other_with_it() -> None:
    """Its error says where; the others are what they are without it."""
    groups = parts(wave(), 30, 30, 30, 30)
    rate: dict[str, Any] = {
        "optimizer": "gradient_descent",
        "learning_rate": 1.0,
        "epochs": 150,
        "schedule": "constant",
    }
    recipe = for_groups(
        Recipe(training=TrainingConfig(**rate), network=Architecture(hidden=()), scaling=Scaling(features="maximum"))
    )
    wild = replace(groups[1], X=np.where(np.arange(30)[:, np.newaxis] == 0, 2e3, 1e3 + groups[1].X))

    outcomes = learn_groups([groups[0], wild, *groups[2:]], recipe)

    assert [type(outcome) for outcome in outcomes] == [Model, Diverged, Model, Model]
    for group, outcome in zip([groups[0], wild, *groups[2:]], outcomes, strict=True):
        assert bits(outcome) == bits(learn_groups([group], recipe)[0])


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"optimizer": "levenberg_marquardt"}, "training.optimizer"),
        ({"optimizer": "lbfgs"}, "training.optimizer"),
        ({"schedule": "plateau"}, "training.schedule"),
    ],
)
def test_what_many_cannot_do_at_once_is_refused(settings: dict[str, Any], field: str) -> None:
    """By the setting."""
    with pytest.raises(InvalidRequest) as caught:
        for_groups(Recipe(training=TrainingConfig(**settings)))

    assert caught.value.faults[0].field == field


def test_what_is_set_stays_set() -> None:
    """The usual settings of groups fill in what is open, and nothing else."""
    given = Recipe(training=TrainingConfig(members=2, epochs=7), network=Architecture(hidden=(5,)))

    (model,) = learn_groups([wave(rows=30)], for_groups(given))

    assert isinstance(model, Model)
    training = model.recipe.training
    assert (training.members, training.epochs, model.recipe.network.hidden) == (2, 7, (5,))
    assert (training.optimizer, training.learning_rate, training.validation) == ("adam", 0.05, 0.5)


def test_whoever_cancels_ends_all() -> None:
    """Cancelled, whatever had been learnt; who is asked for the best so far has none either."""
    for wish in (Wish.CANCEL, Wish.KEEP):
        with pytest.raises(Cancelled):
            learn_groups(parts(wave(), 30, 30), USUAL, Control(wish=lambda wish=wish: wish))  # type: ignore[misc]
