"""Columns that are more than numbers: missing values, categories of few levels and of many."""

from dataclasses import replace

import numpy as np
import pytest

from app.models.learning import learn
from app.models.preprocessing import EMBEDDING_WIDTH, Scaling
from app.models.recipe import Recipe
from app.models.table import UNSEEN, Column, TrainingRows
from tests.models.tables import columns, ensemble, mixed, recipe, shops


def unexplained(rows: TrainingRows, given: Recipe) -> float:
    """Give the share of the variance that is left of rows not seen."""
    return 1.0 - (learn(rows, given).report.metrics["validation"]["r2"] or 0.0)


@pytest.mark.parametrize("one_hot", [2, 20])
@pytest.mark.parametrize("kind", ["single", "ensemble"])
def test_categories_are_learnt(one_hot: int, kind: str) -> None:
    """As inputs of their own or as embeddings: most of what the price alone leaves open is explained."""
    rows = shops()
    scaling = Scaling(features="standard", one_hot=one_hot)
    given = recipe(epochs=150, scaling=scaling) if kind == "single" else replace(ensemble(epochs=60), scaling=scaling)
    without = replace(rows, columns=rows.columns[:1], X=rows.X[:, :1])

    assert unexplained(rows, given) < 0.25 * unexplained(without, given)
    assert bool(learn(rows, replace(given, training=replace(given.training, epochs=1))).network.embeddings) == (
        one_hot == 2
    )


def test_embeddings_are_part_of_the_network() -> None:
    """A vector for each level and one for none, behind the numbers."""
    network = learn(mixed(), recipe(epochs=1, scaling=Scaling(features="standard", one_hot=4))).network

    assert network.embeddings == ((10, EMBEDDING_WIDTH),)
    assert network.sizes == (1 + 1 + 1 + 3 + EMBEDDING_WIDTH, 8, 1)


@pytest.mark.parametrize("one_hot", [2, 20])
@pytest.mark.parametrize("value", [UNSEEN, np.nan])
def test_an_unseen_level_has_a_finite_answer(one_hot: int, value: float) -> None:
    """It is answered as no level, and known to be outside of what was trained on."""
    model = learn(shops(60), recipe(epochs=20, scaling=Scaling(features="standard", one_hot=one_hot)))
    row = np.array([[0.5, value]])

    assert np.isfinite(model.scores(row)).all()
    assert model.encoder.in_range(row).tolist() == [False]


def test_that_a_value_is_missing_is_learnt_from() -> None:
    """Here it is all that the target depends on."""
    rng = np.random.default_rng(3)
    cells = rng.uniform(-1, 1, (100, 1))
    missing = rng.uniform(size=100) < 0.4
    cells[missing] = np.nan
    rows = TrainingRows(columns("a"), ("y",), cells, 10.0 * missing[:, np.newaxis])

    model = learn(rows, recipe(epochs=200))

    np.testing.assert_allclose(model.scores(cells)[:, 0], 10.0 * missing, atol=0.5)


def test_missing_values_are_answered_by_the_middle() -> None:
    """Where no row of the training lacked the value, its median stands for it nowhere: an answer is finite still."""
    rows = TrainingRows(columns("a", "b"), ("y",), np.eye(4)[:, :2], np.arange(4.0)[:, np.newaxis])

    scores = learn(rows, recipe(epochs=5)).scores(np.array([[np.nan, 0.5], [np.nan, np.nan]]))

    assert np.isfinite(scores).all()


@pytest.mark.parametrize("given", [Recipe(), recipe(epochs=5), ensemble()])
def test_columns_of_all_kinds_are_learnt_together(given: Recipe) -> None:
    """Better than the mean, with whatever is chosen."""
    quick = replace(given, training=replace(given.training, epochs=60, members=3, validation=1 / 3))

    assert unexplained(mixed(120), quick) < 0.5


def test_a_table_of_categories_only_is_a_table() -> None:
    """No column of numbers is needed."""
    rows = TrainingRows(
        (Column("kind", ("a", "b")), Column("size", ("s", "m", "l"))),
        ("price",),
        np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]),
        np.array([[1.0], [2.0], [3.0], [9.0]]),
    )

    model = learn(rows, Recipe())

    assert model.scores(rows.X)[:, 0].tolist() == pytest.approx([1.0, 2.0, 3.0, 9.0], abs=0.01)
