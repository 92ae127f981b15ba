"""Applicability: how far rows are from those that were learnt from, and which are of none of the classes."""

from dataclasses import replace

import numpy as np
import pytest

from app.insight.trust import Outside, none_of_these, outside
from app.models.applicability import MOST_NEIGHBOURS, Neighbours
from app.models.learning import learn
from app.models.preprocessing import Encoder, Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.letters import ALMOST_E, LETTERS, UNKNOWN, pixels
from tests.models.tables import EXAM, blobs, columns, ensemble, mixed, recipe, saddle


@pytest.mark.parametrize("rows", [50, 200, 2000])
def test_rows_such_as_were_learnt_from_are_about_as_near(rows: int) -> None:
    """95 of 100 nearer than 1, whether all rows are kept or a sample."""
    model = learn(saddle(rows), ensemble(epochs=1))
    fresh = np.random.default_rng(9).uniform(-1, 1, (2000, 2))

    assert len(model.neighbours.rows) == min(rows, MOST_NEIGHBOURS)
    assert np.mean(model.distances(fresh) <= 1.0) == pytest.approx(0.95, abs=0.04)
    assert (model.distances(model.neighbours.rows) == 0.0).all()
    assert model.distances(fresh + 9.0).min() > 10


def test_a_row_is_as_far_alone_as_among_others() -> None:
    """To the last bit."""
    model = learn(mixed(), ensemble())
    X = mixed(500).X

    together = model.distances(X)

    assert [model.distances(X[[row]])[0] for row in range(500)] == together.tolist()


def test_categories_differ_or_do_not() -> None:
    """By 1 each, however far their numbers are apart; a missing number is as the median."""
    rows = mixed()
    encoder = Encoder.fit(rows.columns, rows.X, Scaling(features="standard"))
    neighbours = Neighbours.fit(encoder, rows.X)
    own = neighbours.rows[[0]]
    other_pair, other_level, missing = own.copy(), own.copy(), own.copy()
    other_pair[0, 1], other_level[0, 3], missing[0, 0] = 1.0 - own[0, 1], (own[0, 3] + 5) % 9, np.nan
    filled = missing.copy()
    filled[0, 0] = encoder.fill[0]

    alone = replace(neighbours, rows=own, near=1.0)

    assert alone.distances(encoder, own) == 0.0
    assert alone.distances(encoder, other_pair) == 1.0
    assert alone.distances(encoder, other_level) == 1.0
    assert alone.distances(encoder, missing) == alone.distances(encoder, filled)


def test_rows_that_are_all_the_same_have_a_unit_too() -> None:
    """No division by zero, neither with one row."""
    same = TrainingRows(columns("a", "b"), ("y",), np.ones((20, 2)), np.arange(20.0)[:, None])
    for count in (1, 20):
        model = learn(same.part(np.arange(count)), recipe(epochs=1))
        assert model.distances(np.array([[1.0, 1.0], [2.0, 1.0]])).tolist() == [0.0, 1.0]


def test_what_is_beyond_all_measure_is_far() -> None:
    """Numbers whose squares overflow have a distance, and it is finite."""
    model = learn(EXAM, recipe(epochs=1))

    assert np.isfinite(model.distances(np.array([[1e200, -1e200]]))).all()


def test_the_tutorials_question_is_outside_by_hours_studied_only() -> None:
    """Nobody studied for 4 hours; many slept for 8."""
    model = learn(EXAM, recipe(epochs=1))

    assert list(outside(model, np.array([4.0, 8.0]))) == [Outside("hours_studied", 4.0, 1.0, 3.0)]
    assert not list(outside(model, np.array([2.0, 8.0])))


def test_a_category_that_was_not_there_is_outside() -> None:
    """Without a value or a range; a value that may be missing is not outside where it is."""
    rows = mixed()
    model = learn(rows, ensemble())
    row = rows.X[0].copy()
    row[3] = -1.0

    assert list(outside(model, row)) == [Outside(rows.columns[3].name, None, None, None)]
    assert [model.encoder.in_range(X[None])[0] for X in rows.X] == [not list(outside(model, X)) for X in rows.X]


@pytest.mark.parametrize("seed", range(50))
def test_six_letters_are_told_apart_and_another_is_none_of_them(seed: int) -> None:
    """Whatever the seed, with nothing set: 6 of 6, an E without a corner is one, and an O is nothing."""
    how = Recipe()
    model = learn(LETTERS, replace(how, training=replace(how.training, seed=seed)))

    scores = model.scores(LETTERS.X)
    assert [model.labels[place] for place in scores.argmax(axis=1)] == list(LETTERS.y)
    assert none_of_these(model, LETTERS.X, scores) == [None] * 6

    pictures = np.stack([pixels(ALMOST_E), pixels(UNKNOWN)])
    scores = model.scores(pictures)
    assert none_of_these(model, pictures, scores) == [None, "distance"]
    assert model.labels[scores[0].argmax()] == "E"


def test_hardly_any_row_of_a_class_is_taken_for_none() -> None:
    """One in a hundred, where there are many to know it from; what is far from all of them is."""
    rows = blobs(3, 600)
    model = learn(rows.part(np.arange(300)), ensemble(epochs=30))
    others = rows.X[300:]

    reasons = none_of_these(model, others, model.scores(others))

    assert sum(reason is not None for reason in reasons) <= 12
    away = np.array([[0.0, 40.0], [-30.0, 0.0]])
    assert none_of_these(model, away, model.scores(away)) == ["distance", "distance"]


def test_members_that_do_not_agree_answer_nothing() -> None:
    """No more than half of them on the side of the answer: the row is none's, however near it is."""
    rows = blobs(2, 100)
    model = learn(rows, ensemble(members=2, epochs=2))
    opposite = model.parameters.copy()
    opposite[1] = opposite[0]
    for layer in model.network.layers(opposite)[-1:]:
        layer.W[1] *= -1.0
        if layer.b is not None:
            layer.b[1] *= -1.0
    model = replace(model, parameters=opposite)

    assert set(none_of_these(model, rows.X, model.scores(rows.X))) == {"disagreement"}
