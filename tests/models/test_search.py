"""Searches: what is tried of which table, which rows are kept apart, and how trials are compared."""

from dataclasses import replace

import numpy as np
import pytest

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.defaults import labels_of, problem_of, rows_held_out
from app.models.learning import APART, apart, learn
from app.models.recipe import Recipe
from app.models.search import (
    JUDGING,
    SETTINGS,
    Dimension,
    Search,
    best_of,
    judging,
    measured,
    usual_metric,
    usual_ways,
    with_settings,
)
from app.models.table import TrainingRows
from app.models.trials import Trial, TrialState
from tests.models.tables import blobs, ensemble, recipe, shops, wave


def names(how: Recipe, rows: TrainingRows) -> list[set[str]]:
    return [{each.setting for each in way} for way in usual_ways(how, problem_of(rows, labels_of(rows), 8))]


def trial(number: int, value: float | None) -> Trial:
    return Trial(number=number, settings={}, state=TrialState.COMPLETE, value=value, epochs=1)


def test_what_matters_for_the_table_is_searched() -> None:
    """Both kinds of networks where only trying tells; one for classes; what is set is left as it is."""
    gradients = {"hidden", "activation", "learning_rate", "l2", "dropout", "batch_size", "members"}
    second_order = {"optimizer", "hidden", "activation", "epochs", "keep_best", "members"}

    assert names(Recipe(), wave()) == [gradients, second_order]
    assert names(Recipe(), blobs(3)) == [gradients]
    assert names(recipe(), wave()) == [gradients - {"members", "hidden"}]
    assert names(Recipe(training=TrainingConfig(optimizer="levenberg_marquardt")), wave()) == [{"hidden", "activation"}]
    assert names(Recipe(training=TrainingConfig(optimizer="lbfgs")), wave()) == [{"hidden", "activation", "l2"}]


def test_nothing_is_searched_where_all_is_set() -> None:
    """There is no way then."""
    how = Recipe(
        network=Architecture(hidden=(4,), activation="tanh"), training=TrainingConfig(optimizer="levenberg_marquardt")
    )

    assert names(how, wave()) == []


def test_the_usual_metric_asks_for_what_is_learnt() -> None:
    """The root mean square for squares, the loss itself for others of numbers, log loss for classes."""
    numbers, classes = (problem_of(rows, labels_of(rows), 8) for rows in (wave(), blobs(2)))

    assert usual_metric(Recipe(), numbers) == "rmse"
    assert usual_metric(Recipe(training=TrainingConfig(loss="mae")), numbers) == "loss"
    assert usual_metric(Recipe(), classes) == "log_loss"


def test_settings_of_a_trial_stand_beside_what_is_set() -> None:
    """Of the network and of the training."""
    how = with_settings(recipe(epochs=7), {"hidden": (3, 2), "learning_rate": 0.5, "bias": False})

    assert how == replace(
        recipe(epochs=7, learning_rate=0.5), network=Architecture(hidden=(3, 2), bias=False, activation=None)
    )
    assert {"hidden", "learning_rate", "bias"} <= set(SETTINGS)


@pytest.mark.parametrize("rows", [wave(100), blobs(3, 100), shops(100)])
def test_a_fifth_of_the_rows_is_kept_apart_evenly(rows: TrainingRows) -> None:
    """The same for a seed; none twice; as many of each class, or size, as there are of it."""
    chosen = apart(rows, 1)

    assert len(chosen) == round(APART * 100)
    assert len(set(chosen.tolist())) == len(chosen)
    assert chosen.tolist() == apart(rows, 1).tolist() != apart(rows, 2).tolist()
    if isinstance(rows.y, tuple):
        kept = [rows.y[row] for row in chosen.tolist()]
        assert {kept.count(label) for label in set(rows.y)} <= {6, 7}
    else:
        assert abs(np.median(rows.y[chosen]) - np.median(rows.y)) < 0.35 * rows.y.std()


def test_a_search_sees_a_row_of_each_class() -> None:
    """Also of one that has no other."""
    rows = replace(blobs(2, 40), y=("rare", *blobs(2, 40).y[1:]))

    for seed in range(20):
        assert 0 not in apart(rows, seed)


def test_only_judges_are_held_out() -> None:
    """Whatever the members; all that is measured on rows held out is of judges, none of whom has a say before."""
    rows = wave(100, noise=0.2)
    judges = apart(rows, 0)

    for how in (ensemble(), ensemble(members=1, validation=0.1), Recipe()):
        model = learn(rows, how, judges=judges)
        assert 0 < model.report.rows_held_out <= len(judges)
        usual = learn(rows, how)
        assert model.parameters.shape == usual.parameters.shape
    everyone = learn(rows, ensemble(members=8), judges=judges)
    assert everyone.report.rows_held_out == len(judges)


def test_where_no_row_may_judge_none_is_held_out() -> None:
    """A report says so."""
    model = learn(wave(40), ensemble(), judges=np.empty(0, dtype=np.intp))

    assert model.report.rows_held_out == 0
    assert set(model.report.metrics) == {"training"}


def test_a_trial_holds_rows_out_whatever_is_set() -> None:
    """As it is set, if that holds any out."""
    problem = problem_of(wave(50), (), 8)

    assert judging(Recipe(), problem) == Recipe()
    alone = recipe(validation=0.0)
    held = judging(alone, problem)
    assert held.training.validation == JUDGING
    assert rows_held_out(problem.rows, JUDGING) > 0


def test_trials_are_compared_as_the_metric_wants() -> None:
    """Errors by the least, scores by the greatest; of equals the first; none where none is complete."""
    trials = [trial(0, 2.0), trial(1, 1.0), trial(2, 3.0), trial(3, 3.0), trial(4, None)]

    least, greatest = best_of(trials, "rmse"), best_of(trials, "accuracy")
    assert (least, greatest) == (trials[1], trials[2])
    assert best_of(trials[4:], "rmse") is None


def test_a_model_is_measured_on_rows_held_out() -> None:
    """By a metric of its report, or its loss."""
    model = learn(wave(100), ensemble())

    assert measured(model, "rmse") == model.report.metrics["validation"]["rmse"]
    assert measured(model, "loss") == model.history.validation_loss.min()


def test_the_dearest_trainings_of_a_space_are_known_before() -> None:
    """Largest networks; small batches take time, large ones memory; each optimizer."""
    way = (
        Dimension(setting="hidden", choices=("[]", "[100, 100]", "[150]")),
        Dimension(setting="batch_size", low=8, high=64),
        Dimension(setting="optimizer", choices=('"adam"', '"lbfgs"')),
        Dimension(setting="activation", choices=('"tanh"', '"silu"')),
    )
    dearest = Search(metric="rmse", ways=(way,)).dearest(Recipe())

    assert {how.network.hidden for how in dearest} == {(100, 100)}
    assert {(how.training.batch_size, how.training.optimizer) for how in dearest} == {
        (8, "adam"),
        (64, "adam"),
        (8, "lbfgs"),
        (64, "lbfgs"),
    }
