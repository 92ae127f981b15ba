"""Searches that are lost, cancelled or out of time: what was tried is gone on with, and the best is kept."""

import asyncio
from dataclasses import replace

import pytest

from app.engine.control import Control, Wish
from app.errors import Cancelled
from app.jobs import leaderboard
from app.jobs.executors import ProcessExecutor
from app.jobs.job import State
from app.jobs.jobs import Jobs
from app.jobs.leaderboard import Leaderboard
from app.jobs.orders import Order
from app.jobs.searching import UNFINISHED, Attempt
from app.models.learning import learn
from app.models.model import Model
from app.models.trials import TrialState
from app.store.store import ModelStore
from tests.jobs.running import running
from tests.jobs.searches import ORDER, ROWS, SEARCH, searching, trained
from tests.models.tables import recipe


@pytest.mark.parametrize("lost_after", [1, 5, 11])
def test_who_goes_on_after_the_trials_that_are_over_comes_to_the_same(lost_after: int) -> None:
    """None of them is trained again."""
    whole = searching()
    whole.run(())
    tried: list[int] = []

    def one(attempt: Attempt) -> Model:
        tried.append(attempt.before)
        return learn(attempt.rows, attempt.recipe, control=Control(on_epoch=attempt.watch))

    written = leaderboard.plain(whole.trials[:lost_after])
    resumed = searching(learn=one)
    resumed.run(leaderboard.trials_of(written))

    assert resumed.trials == whole.trials
    assert len(tried) == sum(trial.same_as is None for trial in whole.trials[lost_after:])


def test_trials_of_another_search_are_not_taken_for_its_own() -> None:
    """They are tried anew."""
    others = searching(how=recipe(epochs=18, batch_size=16, seed=3))
    others.run(())
    own = searching()
    own.run(())

    mixed = searching()
    mixed.run([own.trials[0], *others.trials[1:]])

    assert mixed.trials == own.trials


async def _after_two(jobs: Jobs, job: str) -> Leaderboard:
    """Give the leaderboard of a job once two trials are over."""
    while True:
        board = (await jobs.get(job)).search
        if board is not None and len(board.trials) > 1:
            return board
        await asyncio.sleep(0.02)


async def test_a_search_whose_process_is_killed_goes_on_with_the_next(
    store: ModelStore, processes: ProcessExecutor
) -> None:
    """With the trials that were over, to the same bits; the job's second attempt tells as many."""
    slow = recipe(epochs=400, batch_size=4, hidden=(32,))
    order = Order(name="exam", rows=ROWS, recipe=slow, search=replace(SEARCH, trials=6))
    alone = trained(store, order)

    async with running(store, processes) as jobs:
        job = (await jobs.submit(order)).job
        board = await _after_two(jobs, job.id)
        for worker in list(processes.busy):
            worker.kill()
        told = [len(board.trials)]
        while not (now := await jobs.wait(job, 0.05)).is_over:
            if now.attempt == 2 and now.search is not None:
                told.append(len(now.search.trials))
        over = now

    assert (over.state, over.attempt) == (State.SUCCEEDED, 2)
    assert min(told) >= 2
    model = store.load("exam", over.version or 0).model
    assert model.parameters.tobytes() == alone.parameters.tobytes()
    assert model.report == alone.report


@pytest.mark.parametrize("keeps", [True, False])
def test_who_cancels_has_the_best_so_far_or_nothing(keeps: bool) -> None:
    """It says that it is that."""

    def one(attempt: Attempt) -> Model:
        if attempt.before >= 18 + 2:
            raise Cancelled
        return learn(attempt.rows, attempt.recipe, control=Control(on_epoch=attempt.watch))

    found = searching(learn=one, keeps=lambda: keeps)
    if not keeps:
        with pytest.raises(Cancelled):
            found.run(())
        return

    model = found.run(())

    assert model is not None
    told = found.told(model).report
    assert (told.stopped, told.warnings[0]) == ("cancelled", UNFINISHED)
    assert told.search is not None
    assert told.search.best is not None
    best = found.trials[told.search.best]
    assert model.report.metrics["validation"]["rmse"] == best.value


def test_who_cancels_the_first_trial_has_what_it_had_come_to() -> None:
    """It is the best of none that is over."""
    wishes = iter([Wish.GO_ON] * 20)

    def one(attempt: Attempt) -> Model:
        control = Control(on_epoch=attempt.watch, wish=lambda: next(wishes, Wish.KEEP))
        return learn(attempt.rows, attempt.recipe, control=control)

    found = searching(learn=one, keeps=lambda: True)
    model = found.run(())

    assert model is not None
    told = found.told(model).report
    assert (told.stopped, told.epochs < 18, told.search and told.search.best) == ("cancelled", True, None)


def test_seconds_are_a_budget_too_and_the_first_trial_is_done_whatever_it_takes() -> None:
    """Then trials begin until they are over; the one that is under way is given up."""
    now = iter(range(10_000))
    one = searching(replace(SEARCH, trials=None, seconds=0.5), clock=lambda: 1.0)
    some = searching(replace(SEARCH, trials=None, seconds=40.0), clock=lambda: float(next(now)))

    assert one.run(()) is None
    assert some.run(()) is None

    assert [trial.state for trial in one.trials] == [TrialState.COMPLETE]
    assert len(some.trials) > 1
    assert some.trials[-1].state is TrialState.PRUNED
    resumed = searching(replace(SEARCH, trials=None, seconds=40.0), clock=lambda: 41.0)
    resumed.run(some.trials)
    assert resumed.trials == some.trials


def test_seconds_of_earlier_attempts_count(store: ModelStore) -> None:
    """A search whose time is over before this attempt begins only trains its model."""
    order = replace(ORDER, search=replace(SEARCH, trials=None, seconds=0.001))
    first = trained(store, order)
    assert first.report.search is not None
    assert len(first.report.search.trials) == 1

    again = trained(store, order, "a-2.note")

    assert again.report.search == first.report.search
