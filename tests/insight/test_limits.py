"""Limits: each is told where it is so, and only there."""

from dataclasses import replace

import numpy as np
import pytest

from app.insight.limits import limits_of
from app.models.learning import learn
from app.models.model import Model
from app.models.table import TrainingRows
from tests.models.tables import blobs, columns, mixed, recipe, wave


@pytest.fixture(scope="module")
def sound() -> Model:
    """A model of numbers that was judged by many rows."""
    model = learn(wave(rows=250), recipe(epochs=200, validation=0.3))
    return replace(model, report=replace(model.report, parameters_per_row=0.1))


def metric(model: Model, **values: float | None) -> Model:
    """The same model, judged otherwise."""
    metrics = model.report.metrics | {"validation": model.report.metrics["validation"] | values}
    return replace(model, report=replace(model.report, metrics=metrics))


def test_a_sound_model_has_the_limit_that_all_have(sound: Model) -> None:
    """It knows nothing beyond its range."""
    (only,) = limits_of(sound)

    assert "beyond those of the training" in only


def test_facts_about_rows_and_answers_are_limits(sound: Model) -> None:
    """One fact, one sentence more."""
    few = replace(sound, report=replace(sound.report, rows=20, parameters_per_row=3.0, warnings=("Odd cells.",)))
    unseen = replace(sound, report=replace(sound.report, rows_held_out=0), misses=type(sound.misses).none(1))
    hot, cold = (replace(sound, temperature=temperature) for temperature in (2.0, 0.5))

    assert [said for said in ("20 rows only", "3 parameters", "Odd cells") if said in " ".join(limits_of(few))] == [
        *("20 rows only", "3 parameters", "Odd cells")
    ]
    assert "No row was held out" in limits_of(unseen)[0]
    assert any("takes 9 rows" in each for each in limits_of(unseen))
    assert any("less certain" in each for each in limits_of(hot))
    assert any("more certain" in each for each in limits_of(cold))
    assert any("no better than the mean" in each for each in limits_of(metric(sound, r2=-0.1)))


def test_facts_about_classes_are_limits() -> None:
    """Labels with few rows that judged, and answers that are no better than chance."""
    model = metric(learn(blobs(3), recipe(epochs=20, validation=0.5)), balanced_accuracy=0.3)
    counts = ((20, 0, 0), (0, 4, 0), (1, 0, 2))

    told = " ".join(limits_of(replace(model, report=replace(model.report, confusion_matrix=counts))))

    assert "are of: b, c." in told
    assert "are of" not in " ".join(limits_of(learn(blobs(2), recipe(epochs=2, validation=0.5))))
    assert "no better than chance" in told
    whole = replace(model, labels=(False, True, 2), report=replace(model.report, confusion_matrix=((0,), (9,), (9,))))
    assert "are of: false." in " ".join(limits_of(whole))


def test_facts_about_columns_are_limits() -> None:
    """Categories, gaps, and what never varied: the first ten by name."""
    told = " ".join(limits_of(learn(mixed(), recipe(epochs=2))))
    assert "A category that was not there" in told
    assert "only where some were in the training: number." in told

    rows = TrainingRows(columns(*map(str, range(12))), ("y",), np.ones((30, 12)), np.arange(30.0)[:, np.newaxis])
    told = " ".join(limits_of(learn(rows, recipe(epochs=2))))
    assert "cannot be learnt: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more." in told
    few = replace(rows, columns=rows.columns[:2], X=rows.X[:, :2])
    assert "cannot be learnt: 0, 1." in " ".join(limits_of(learn(few, recipe(epochs=2))))
