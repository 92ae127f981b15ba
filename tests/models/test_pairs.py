"""Pairs of answer and truth that a model keeps, and the fingerprint of its rows."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from app.engine.training import Trained
from app.models.ensemble import Folds
from app.models.judgement import judged
from app.models.learning import learn
from app.models.metrics import classification_metrics, regression_metrics
from app.models.pairs import MOST_NUMBERS, MOST_PAIRS, Pairs
from app.models.table import TrainingRows
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe, wave


def test_pairs_are_those_that_the_metrics_rest_on() -> None:
    """Of rows held out, in the order of the table: as many, with the same error."""
    rows = wave()
    model = learn(rows, recipe(epochs=20, validation=0.2, keep_best=False))

    assert len(model.pairs) == model.report.rows_held_out == 30
    assert regression_metrics(model.pairs.answers, model.pairs.truth) == model.report.metrics["validation"]
    places = np.flatnonzero(np.isin(rows.y, model.pairs.truth))
    assert np.array_equal(np.asarray(rows.y)[places], model.pairs.truth)
    assert np.array_equal(model.pairs.answers, model.scores(rows.X[places]))


def test_classes_are_known_by_their_positions() -> None:
    """The same accuracy comes out."""
    model = learn(blobs(3), recipe(epochs=20, validation=0.5))

    metrics = classification_metrics(model.pairs.answers, np.eye(3)[model.pairs.truth[:, 0].astype(int)])

    assert metrics == model.report.metrics["validation"]


def test_where_nothing_was_held_out_they_are_of_rows_that_were_learnt() -> None:
    """Which `rows_held_out` tells: 0."""
    model = learn(EXAM, recipe(epochs=5))

    assert model.report.rows_held_out == 0
    assert np.array_equal(model.pairs.truth, EXAM.y)
    assert np.array_equal(model.pairs.answers, model.scores(EXAM.X))


def test_a_bounded_number_of_rows_is_kept() -> None:
    """Fewer where there are many labels, and always at least one."""
    for answers, kept in ((1, MOST_PAIRS), (1000, MOST_NUMBERS // 1000), (MOST_NUMBERS * 2, 1)):
        pairs = Pairs.sample(np.zeros((600, answers)), np.arange(600.0)[:, np.newaxis])

        assert len(pairs) == kept
        assert (np.diff(pairs.truth[:, 0]) > 0).all()


def changed() -> list[TrainingRows]:
    """Tables that differ from `mixed` in one thing each."""
    rows = mixed()
    X, y = rows.X.copy(), np.array(rows.y)
    X[3, 1], y[5] = 1 - X[3, 1], y[5] + 1e-12
    renamed = (replace(rows.columns[0], name="other"), *rows.columns[1:])
    weights = np.ones(len(X))
    return [
        *(replace(rows, X=X), replace(rows, y=y), replace(rows, columns=renamed), replace(rows, targets=("z",))),
        *(replace(rows, weights=weights), replace(rows, multilabel=True), rows.part(np.arange(len(X))[::-1])),
        *(rows.part(np.arange(len(X) - 1)), blobs(2), replace(blobs(2), y=blobs(2).y[::-1])),
    ]


def test_a_fingerprint_is_that_of_the_rows_and_of_no_others() -> None:
    """Any cell, answer, name, weight or order changes it; memory layout, zeros' signs and kinds of NaN do not."""
    rows = mixed()

    fingerprints = {each.fingerprint for each in (rows, *changed())}

    assert len(fingerprints) == 1 + len(changed())
    odd = np.asfortranarray(np.where(np.isnan(rows.X), -np.nan, np.where(rows.X == 0, -0.0, rows.X)))
    assert replace(rows, X=odd).fingerprint == rows.fingerprint


@pytest.mark.parametrize("how", [recipe(epochs=1), ensemble()])
def test_a_report_tells_the_fingerprint_whatever_was_learnt_how(how: object) -> None:
    """It depends on the rows alone."""
    assert learn(mixed(), how).report.fingerprint == mixed().fingerprint  # type: ignore[arg-type]  # both are recipes


def test_a_fingerprint_can_be_computed_as_its_documentation_says() -> None:
    """By whoever follows models/README.md."""
    words = '[[["hours_studied",[]],["hours_slept",[]]],["score"],false,null,[3,2]]'
    numbers = np.array([2, 9, 1, 5, 3, 6, 92, 86, 89], dtype="<f8").tobytes()

    assert hashlib.sha256(words.encode() + numbers).hexdigest() == EXAM.fingerprint


def test_answers_that_are_no_numbers_are_not_kept() -> None:
    """As those are whose scale is beyond what a float64 holds."""
    model = learn(EXAM, recipe(epochs=1))
    assert model.target is not None
    endless = replace(model, target=replace(model.target, scale=np.array([np.inf])))
    trained = Trained(model.parameters, model.history, 0.0, (1,), "epochs")

    with np.errstate(all="ignore"):
        measured = judged(endless, EXAM, Folds(np.arange(3)[np.newaxis], np.empty((1, 0), dtype=np.intp)), trained, "")

    assert len(measured.model.pairs) == 0
