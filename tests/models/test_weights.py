"""Weights of rows: how often each counts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.config import TrainingConfig
from app.models.learning import learn
from app.models.model import Model
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.tables import EXAM, blobs, columns, ensemble, recipe, saddle, wave

SETTINGS: dict[str, Any] = {"epochs": 20, "validation": 0.0, "precision": "float64", "members": 1, "tolerance": 0.0}


def counting(rows: TrainingRows, times: list[int], optimizer: str) -> tuple[Model, Model]:
    """Learn from rows with whole weights, and from each of them so many times; scaled alike."""
    weighted = replace(rows, weights=np.array(times) * 1.0)
    repeated = np.repeat(np.arange(len(rows.X)), times)
    y = np.array(rows.y)[repeated] if not isinstance(rows.y, tuple) else tuple(rows.y[row] for row in repeated)
    scaling = Scaling(features="maximum", target_maximum=None if isinstance(y, tuple) else 100.0)
    given = recipe(optimizer=optimizer, l2=0.01, scaling=scaling, **SETTINGS)
    return learn(weighted, given), learn(replace(rows, X=rows.X[repeated], y=y), given)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam", "lbfgs"])
@pytest.mark.parametrize("rows", [wave(12), blobs(3, rows=12)])
def test_a_weight_of_two_is_the_row_twice_and_one_of_nothing_none(rows: TrainingRows, optimizer: str) -> None:
    """The same answers, whatever is learnt and however."""
    weighted, repeated = counting(rows, [2, 0, 1, 1, 3, 1, 1, 0, 2, 1, 1, 1], optimizer)

    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-6, atol=1e-9)
    assert weighted.report.loss == pytest.approx(repeated.report.loss)


def test_levenberg_marquardt_weighs_rows_too() -> None:
    """A few rows are learnt as if the heavy one were there more often."""
    rows = TrainingRows(columns("a"), ("y",), np.zeros((4, 1)), np.array([[0.0], [1.0], [5.0], [2.0]]))
    weighted = replace(rows, weights=np.array([1.0, 1.0, 0.0, 2.0]))

    answer = learn(weighted, recipe(optimizer="levenberg_marquardt", hidden=(2,))).scores(rows.X)

    assert answer[0, 0] == pytest.approx((0 + 1 + 2 * 2) / 4, abs=1e-3)


@pytest.mark.parametrize("factor", [1.0, 1e-6, 1e6])
def test_only_the_proportions_of_weights_count(factor: float) -> None:
    """Equal weights of any size are none."""
    rows = wave(30)

    plain, equal = (learn(rows_, recipe(**SETTINGS)) for rows_ in (rows, replace(rows, weights=np.full(30, factor))))

    np.testing.assert_allclose(equal.parameters, plain.parameters, rtol=1e-9)
    assert equal.report.loss == pytest.approx(plain.report.loss)


def test_balanced_classes_count_alike() -> None:
    """A class with a row in ten weighs what the other does: the answer to what cannot be told apart is one half."""
    rows = TrainingRows(columns("a"), ("kind",), np.zeros((20, 1)), ("rare",) * 2 + ("usual",) * 18)

    plain, balanced = (
        learn(rows, recipe(optimizer="lbfgs", class_weight=weight, validation=0.0)).scores(rows.X[:1])[0].tolist()
        for weight in (None, "balanced")
    )

    assert plain == pytest.approx([0.1, 0.9], abs=1e-3)
    assert balanced == pytest.approx([0.5, 0.5], abs=1e-3)


def test_balanced_classes_keep_the_weights_of_their_rows() -> None:
    """Within a class, rows count as they are weighed; a class counts by all its weight."""
    cells = np.array([[0.0], [1.0], [0.0], [1.0]])
    rows = TrainingRows(columns("a"), ("kind",), cells, ("p", "p", "q", "q"), weights=np.array([3.0, 1.0, 2.0, 6.0]))

    given = recipe(optimizer="lbfgs", class_weight="balanced", validation=0.0, l2=0.0, epochs=300)
    scores = learn(rows, given).scores(cells[:2])

    np.testing.assert_allclose(scores[:, 0], [0.75 / (0.75 + 0.25), 0.25 / (0.25 + 0.75)], atol=1e-3)


def test_ensembles_weigh_rows() -> None:
    """Two kinds of rows contradict each other; the heavier are believed."""
    rows = saddle(60)
    doubled = replace(rows, X=np.tile(rows.X, (2, 1)), y=np.concatenate((rows.y, np.asarray(rows.y) + 10)))
    weights = np.repeat([1000.0, 1.0], 60)

    model = learn(replace(doubled, weights=weights), ensemble(epochs=40))

    assert np.abs(model.scores(rows.X) - np.asarray(rows.y)).mean() < 1.5


def test_what_counts_is_told_in_the_loss() -> None:
    """A row without weight may be as wrong as it likes."""
    rows = replace(EXAM, weights=np.array([1.0, 1.0, 0.0]))

    model = learn(rows, Recipe(training=TrainingConfig(optimizer="lbfgs", l2=0.0)))

    assert model.report.loss < 1e-8
