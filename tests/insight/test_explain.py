"""Explanations: shares that add up, and are nobody's but those who changed something."""

from itertools import permutations

import numpy as np
import pytest

from app.engine.arrays import Row, Vector
from app.insight.explain import MOST_EXACT, contributions, evaluations, middle
from app.models.learning import learn
from app.models.model import Model
from app.models.table import TrainingRows
from tests.models.tables import blobs, columns, mixed, recipe, wave


def wide(count: int) -> Model:
    """Learn a sum of some of many columns."""
    X = np.random.default_rng(0).uniform(-1, 1, (60, count))
    rows = TrainingRows(columns(*(f"x{number}" for number in range(count))), ("y",), X, X[:, :2].sum(axis=1)[:, None])
    return learn(rows, recipe(epochs=30))


def difference(model: Model, row: Row) -> Vector:
    """Tell how far the scores of a row are from those of the middle."""
    of_row, of_middle = model.scores(np.stack((row, middle(model))))
    away: Vector = of_row - of_middle
    return away


TABLES = {"one": wave(), "several": wave(outputs=2), "pair": blobs(2), "labels": blobs(3), "mixed": mixed()}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_contributions_add_up(rows: TrainingRows) -> None:
    """To what lies between the answer and that of the middle, for numbers and for probabilities."""
    model = learn(rows, recipe(epochs=5))
    groups = [[index] for index in range(len(model.columns))]
    for row in rows.X[:5]:
        shares = contributions(model, row, groups)
        np.testing.assert_allclose(shares.sum(axis=0), difference(model, row), atol=1e-9)


def test_shares_are_the_average_over_all_orders() -> None:
    """What Shapley's values are by their definition: each of the orders tried one by one."""
    model = wide(3)
    row, other = np.array([0.9, -0.7, 0.4]), middle(model)
    expected = np.zeros(3)
    for order in permutations(range(3)):
        mixed_row = other.copy()
        for column in order:
            before = model.scores(mixed_row[None])[0, 0]
            mixed_row[column] = row[column]
            expected[column] += (model.scores(mixed_row[None])[0, 0] - before) / 6

    assert contributions(model, row, [[0], [1], [2]])[:, 0] == pytest.approx(expected, abs=1e-12)


def test_more_columns_add_up_too_and_what_is_as_in_the_middle_adds_nothing() -> None:
    """Averaged over some orders, the same ones each time; groups of columns have one share."""
    count = MOST_EXACT + 3
    model = wide(count)
    row = middle(model)
    row[:3] = 0.8
    groups = [[0, 1], *([index] for index in range(2, count))]

    shares = contributions(model, row, groups)[:, 0]

    assert shares.sum() == pytest.approx(difference(model, row)[0], abs=1e-9)
    assert shares[2:].tolist() == [0.0] * (count - 3)
    assert abs(shares[0]) > abs(shares[1]) > 0
    assert (contributions(model, row, groups)[:, 0] == shares).all()


def test_a_row_in_the_middle_has_nothing_to_explain() -> None:
    """Numbers are in the middle of their ranges, categories at their most frequent level or at their first."""
    model = learn(mixed(), recipe(epochs=2))
    row = middle(model)
    groups = [[index] for index in range(len(model.columns))]
    assert not contributions(model, row, groups).any()
    for index, column in enumerate(model.columns):
        if column.levels:
            assert row[index] == 0
        else:
            assert row[index] == (model.encoder.lowest[index] + model.encoder.highest[index]) / 2


def test_it_is_told_before_how_many_answers_it_takes() -> None:
    """All sets of few columns, some orders of many."""
    assert evaluations(2) == 4
    assert evaluations(MOST_EXACT) == 4096
    assert evaluations(MOST_EXACT + 1) < 4096
    assert evaluations(100) == 64 * 101
    assert evaluations(1000) == 8 * 1001
    assert evaluations(9000) == 2 * 9001


def test_very_many_columns_are_answered_some_rows_at_a_time() -> None:
    """Which changes nothing: they add up, and the work can be stopped between the blocks."""
    model = wide(600)
    row = model.encoder.highest.copy()
    asked = []

    shares = contributions(model, row, [[index] for index in range(600)], lambda: asked.append(1))[:, 0]

    assert shares.sum() == pytest.approx(difference(model, row)[0], abs=1e-9)
    assert len(asked) > 22 * 2
