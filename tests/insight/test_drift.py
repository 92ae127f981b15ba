"""Drift: the mean of recent rows, in deviations of those that were learnt from."""

from dataclasses import replace

import numpy as np
import pytest

from app.insight.drift import FEWEST, RECENT, Drift
from app.models.learning import learn
from app.models.model import Model
from app.models.table import TrainingRows
from tests.models.tables import EXAM, mixed, recipe, shops, wave

QUICK = recipe(epochs=1)
SLIGHTLY = 0.05
ROWS = np.random.default_rng(1)


@pytest.fixture(scope="module")
def waves() -> Model:
    return learn(wave(), QUICK)


def drift_of(model: Model, *batches: np.ndarray) -> Drift:
    drift = Drift(model)
    for X in batches:
        drift.merge(drift.measure(X))
    return drift


def test_rows_like_those_that_were_learnt_from_do_not_drift(waves: Model) -> None:
    """The very rows: their mean is that of the sample, but for the few that were held out."""
    for _, drift in drift_of(waves, wave().X).farthest(2):
        assert abs(drift) < SLIGHTLY


@pytest.mark.parametrize("deviations", [-2.0, 0.5, 10.0])
def test_a_column_that_has_moved_is_named_with_how_far(deviations: float, waves: Model) -> None:
    """In deviations of the column as it was learnt from; the others stay where they are."""
    X = wave().X.copy()
    X[:, 1] += deviations * X[:, 1].std()

    (first, drift), (second, rest) = drift_of(waves, X).farthest(2)

    assert (first, second) == ("b", "a")
    assert drift == pytest.approx(deviations, rel=SLIGHTLY)
    assert abs(rest) < SLIGHTLY


def test_it_is_the_same_however_the_rows_come(waves: Model) -> None:
    """All at once, one by one, or some at a time."""
    X = 3 * wave().X[:FEWEST] + 1

    at_once, alone, some = (drift_of(waves, *parts).farthest(2) for parts in ([X], np.split(X, FEWEST), np.split(X, 4)))

    assert dict(alone) == pytest.approx(dict(at_once))
    assert dict(some) == pytest.approx(dict(at_once))


def test_of_few_rows_nothing_is_said(waves: Model) -> None:
    """A mean of less than a hundred may be anywhere."""
    assert drift_of(waves, wave().X[: FEWEST - 1]).farthest(2) == []


def test_what_was_long_ago_is_forgotten(waves: Model) -> None:
    """After a few thousand rows that do not drift, nothing is left of those that did."""
    X = wave().X
    many = X[ROWS.integers(0, len(X), RECENT)]
    drift = drift_of(waves, many + 10 * X.std(axis=0))
    assert min(each for _, each in drift.farthest(2)) > 9

    for _ in range(5 * RECENT // len(X)):
        drift.merge(drift.measure(X))

    assert drift.rows <= RECENT
    assert max(abs(each) for _, each in drift.farthest(2)) < 2 * SLIGHTLY


@pytest.mark.parametrize(
    "table", [shops(), mixed(), replace(EXAM, X=EXAM.X * [1, 0])], ids=["shops", "mixed", "constant"]
)
def test_only_numbers_that_vary_can_drift(table: TrainingRows) -> None:
    """Categories have no mean, and a column with one value no deviation; a gap is no move."""
    model = learn(table, QUICK)
    gaps = np.where(model.encoder.missing > 0, np.nan, 0.0)
    X = np.tile(table.X, (FEWEST, 1)) + gaps

    drifts = dict(drift_of(model, X).farthest(10))

    numbers = {
        column.name
        for column, values in zip(table.columns, table.X.T, strict=True)
        if not column.levels and np.nanstd(values) > 0
    }
    assert drifts.keys() == numbers
    assert all(np.isfinite(drift) for drift in drifts.values())
    for column, missing in zip(model.columns, model.encoder.missing, strict=True):
        if missing and column.name in numbers:
            assert drifts[column.name] == 0
