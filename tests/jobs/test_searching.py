"""Searches: trials one after the other, some given up, the best trained anew on all rows, and none of it lost."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.engine.control import Control
from app.errors import Diverged, UnsuitableTarget
from app.jobs import leaderboard, orders
from app.jobs.orders import Order
from app.jobs.searching import NOTHING_TOLD, Attempt
from app.jobs.study import RUNGS, Study
from app.models.defaults import labels_of, problem_of
from app.models.learning import apart, learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.search import Dimension, Search, judging, usual_ways, with_settings
from app.models.trials import Trial, TrialState
from app.store import snapshot
from app.store.store import ModelStore
from tests.jobs.searches import HOW, ORDER, ROWS, SEARCH, WAY, searching, seen_of, trained
from tests.models.tables import recipe, wave


def test_the_same_seed_and_trials_give_the_same_leaderboard_and_the_same_model(store: ModelStore) -> None:
    """To the last bit of the snapshot; another seed gives others."""
    one, other = trained(store), trained(store, note="b-1.note")

    assert snapshot.encode(one) == snapshot.encode(other)
    assert one.report.search is not None
    assert len(one.report.search.trials) == 12
    third = trained(store, replace(ORDER, recipe=recipe(epochs=18, batch_size=16, seed=1)), "c-1.note")
    assert third.report.search is not None
    assert third.report.search.trials[1].settings != one.report.search.trials[1].settings


def test_the_first_trial_is_what_would_be_trained_without_a_search(store: ModelStore) -> None:
    """So that on the rows that judge trials the best is never worse."""
    search = trained(store).report.search

    assert search is not None
    first, chosen = search.trials[0], search.trials[search.best or 0]
    alone = learn(seen_of(ROWS), judging(HOW, problem_of(seen_of(ROWS), (), 8)))
    assert (first.settings, first.state) == ({}, TrialState.COMPLETE)
    assert first.value == alone.report.metrics["validation"]["rmse"]
    assert chosen.value is not None
    assert chosen.value == min(trial.value for trial in search.trials if trial.value is not None)
    assert chosen.value <= (first.value or 0.0)


def test_poor_trials_are_given_up_early(store: ModelStore) -> None:
    """After a ninth or a third of their epochs; those that are complete have all of them."""
    search = trained(store).report.search

    assert search is not None
    pruned = [trial for trial in search.trials if trial.state is TrialState.PRUNED]
    complete = [trial for trial in search.trials if trial.state is TrialState.COMPLETE]
    assert pruned
    assert {trial.epochs for trial in pruned} <= {2, 6}
    assert all(trial.value is None and trial.judged[-1][0] == trial.epochs for trial in pruned)
    assert all([epoch for epoch, _ in trial.judged] == [2, 6] for trial in complete)
    assert {trial.epochs for trial in complete} == {18}
    worst = max(trial.judged[0][1] for trial in pruned)
    assert worst > min(trial.judged[0][1] for trial in complete)


def test_the_model_is_the_best_trained_as_usual_on_all_rows_and_judged_by_rows_unseen(store: ModelStore) -> None:
    """Bit for bit; no row that judged a trial judges the model."""
    model = trained(store)

    search = model.report.search
    assert search is not None
    best = with_settings(HOW, search.trials[search.best or 0].settings)
    alone = learn(ROWS, best, judges=apart(ROWS, 0))
    assert model.parameters.tobytes() == alone.parameters.tobytes()
    assert model.report.metrics == alone.report.metrics
    assert model.report.rows == len(ROWS.X) == search.rows + len(apart(ROWS, 0))


def test_errors_of_noise_are_not_flattered_by_a_search(store: ModelStore) -> None:
    """Where nothing can be learnt, the best of many trials seems to have, and its model does not say so."""
    rng = np.random.default_rng(7)
    noise = replace(wave(60), y=rng.standard_normal((60, 1)))
    way = (Dimension(setting="l2", low=1e-6, high=1.0, log=True), *WAY)
    search = Search(metric="r2", ways=(way,), trials=25)
    told, seemed = [], []
    for seed in range(4):
        order = Order(name="exam", rows=noise, recipe=recipe(epochs=10, validation=0.2, seed=seed), search=search)
        model = trained(store, order, f"{seed}-1.note")
        assert model.report.search is not None
        seemed.append(model.report.search.trials[model.report.search.best or 0].value or 0.0)
        told.append(model.report.metrics["validation"]["r2"] or 0.0)

    assert np.mean(seemed) > 0.0
    assert np.mean(told) < np.mean(seemed) - 0.1


def test_a_trial_that_fails_says_why_and_the_others_go_on() -> None:
    """What diverges, and settings that contradict each other."""
    way = (
        Dimension(setting="learning_rate", choices=("1000000.0", "0.02")),
        Dimension(setting="optimizer", choices=('"gradient_descent"', '"lbfgs"')),
        Dimension(setting="dropout", choices=("0.1", "0.2")),
    )
    found = searching(Search(metric="rmse", ways=(way,), trials=12))

    assert found.run(()) is None

    failed = [trial for trial in found.trials if trial.state is TrialState.FAILED]
    assert {
        "diverged in epoch" in str(trial.fault) or "means nothing to lbfgs" in str(trial.fault) for trial in failed
    } == {True}
    assert found.trials[0].state is TrialState.COMPLETE


def test_where_none_is_complete_the_first_tells_why() -> None:
    """Also after another process had tried it."""
    how = recipe(epochs=18, optimizer="gradient_descent", learning_rate=1e6)
    way = (Dimension(setting="learning_rate", choices=("1000000.0", "900000.0")),)
    found = searching(Search(metric="rmse", ways=(way,), trials=3), how)
    with pytest.raises(Diverged, match="1e\\+06"):
        found.run(())

    again = searching(Search(metric="rmse", ways=(way,), trials=3), how)
    with pytest.raises(UnsuitableTarget, match="diverged"):
        again.run(found.trials)


def test_a_metric_that_rows_held_out_do_not_tell_fails_its_trials() -> None:
    """As that of one that never varies there."""
    flat = replace(ROWS, y=np.ones_like(ROWS.y))
    found = searching(Search(metric="r2", ways=(WAY,), trials=2), rows=seen_of(flat))

    with pytest.raises(UnsuitableTarget, match=NOTHING_TOLD):
        found.run(())


def test_what_was_tried_before_is_not_trained_again() -> None:
    """A space of two has two trainings beside the first, however many trials there are."""
    trained_with: list[Recipe] = []

    def one(attempt: Attempt) -> Model:
        trained_with.append(attempt.recipe)
        return learn(attempt.rows, attempt.recipe, control=Control(on_epoch=attempt.watch))

    way = (Dimension(setting="activation", choices=('"tanh"', '"relu"')),)
    found = searching(Search(metric="rmse", ways=(way,), trials=10), learn=one)
    found.run(())

    assert (len(found.trials), len(trained_with)) == (10, 3)
    copies = [trial for trial in found.trials if trial.same_as is not None]
    assert len(copies) == 7
    for copy in copies:
        original = found.trials[copy.same_as or 0]
        assert (copy.settings, copy.state, copy.value, copy.epochs) == (
            original.settings,
            original.state,
            original.value,
            0,
        )


def test_both_kinds_of_networks_are_tried_where_only_trying_tells() -> None:
    """Each way is searched."""
    ways = usual_ways(Recipe(), problem_of(ROWS, labels_of(ROWS), 8))
    study = Study(Search(metric="rmse", ways=ways, trials=20), 0)
    sets: list[frozenset[str]] = []
    for number in range(20):
        settings = study.begin(number)
        sets.append(frozenset(settings))
        state = TrialState.COMPLETE
        study.end(Trial(number=number, settings=settings, state=state, value=float(number), epochs=1))

    assert set(sets) == {frozenset(), *(frozenset(each.setting for each in way) for way in ways)}


def test_the_first_trial_is_never_given_up_and_others_are_compared_with_it() -> None:
    """Whatever its losses are."""
    study = Study(SEARCH, 0)
    study.begin(0)
    assert not any(study.judge(rung, 9.0) for rung in range(len(RUNGS)))
    study.end(Trial(number=0, settings={}, state=TrialState.COMPLETE, value=9.0, epochs=9))

    study.begin(1)
    assert study.judge(0, 10.0)


def test_a_search_tells_the_log_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What it comes to is in the report."""
    with caplog.at_level(logging.DEBUG, logger="app"):
        searching(replace(SEARCH, trials=2)).run(())

    assert not [record for record in caplog.records if record.name.startswith("optuna")]


def test_a_service_that_never_searches_never_loads_the_library() -> None:
    """Nor do its training processes."""
    program = "import sys; import app.main, app.jobs.work; print('optuna' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"


def test_trials_are_there_for_who_watches_and_unreadable_ones_are_not(tmp_path: Path) -> None:
    """As they were; nothing where there is no search, or its file is damaged."""
    seen: list[Sequence[Trial]] = []
    found = searching(replace(SEARCH, trials=3), note=lambda trials: seen.append(tuple(trials)))
    found.run(())

    assert [len(trials) for trials in seen] == [1, 2, 3]
    assert leaderboard.read(tmp_path / "none.trials") is None
    (tmp_path / "some.trials").write_text("{")
    assert leaderboard.read(tmp_path / "some.trials") is None
    assert leaderboard.trials_of(leaderboard.plain(found.trials)) == tuple(found.trials)


def test_a_search_comes_back_from_the_disk_as_it_was(store: ModelStore) -> None:
    """As an order, and in the report of a model."""
    assert orders.decode(orders.encode(ORDER)).search == SEARCH
    model = trained(store)

    after = store.load("exam", store.publish("exam", model)).model

    assert after.report.search == model.report.search
