"""Stopping: a training ends soon after it is asked to, with nothing, with the best so far, or to go on later."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from app.engine.control import CANCELLED, Checkpoint, Control, Progress, Wish
from app.errors import Cancelled
from app.models.learning import PARTIAL, learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.solvers.solving import SOLVERS
from app.store import snapshot
from tests.models.controls import Left, Wisher, kept, leaving, noting, resuming, told
from tests.models.tables import EXAM, recipe, saddle, wave
from tests.models.test_streaming import parted, table

ROWS = wave(40, noise=0.5)
BATCHES = 3  # in an epoch, before each of which a training asks
SLOW: dict[str, Any] = {"batch_size": 16, "validation": 0.0, "epochs": 6}
SETTINGS: dict[str, dict[str, Any]] = {
    "the last weights": {"keep_best": False},
    "the best by what is learnt": {"learning_rate": 0.3},
    "the best by what judges": {"members": 2, "validation": 0.2, "batch_size": 11, "learning_rate": 0.3},
    "with scales and dropout": {"input_scale": True, "dropout": 0.3, "learning_rate": 0.3},
}


@pytest.mark.parametrize("asks", [0, 1, 2, 5, 13])
def test_a_cancelled_training_ends_before_its_next_batch(asks: int) -> None:
    """With nothing but an error; it does not ask again."""
    wisher, epochs = Wisher(asks, Wish.CANCEL), list[Progress]()

    with pytest.raises(Cancelled):
        learn(ROWS, recipe(**SLOW), control=Control(wish=wisher, on_epoch=epochs.append))

    assert wisher.asked == asks + 1
    assert len(epochs) == asks // BATCHES


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_kept_is_what_the_last_whole_epoch_left(setting: str, batch: int) -> None:
    """Wherever in the third epoch the training is stopped, and as if it had been the end all along."""
    asked = recipe(**(SLOW | SETTINGS[setting]))
    checkpoints: list[Checkpoint] = []
    learn(ROWS, asked, control=noting(checkpoints))
    second = kept(checkpoints[1])
    ended = replace(second, facts=second.facts | {"stopped": CANCELLED})

    stopped = learn(ROWS, asked, control=Control(wish=Wisher(2 * BATCHES + batch, Wish.KEEP)))

    assert told(stopped) == told(learn(ROWS, asked, control=Control(resume=ended)))
    assert (stopped.report.epochs, stopped.report.stopped) == (2, CANCELLED)
    assert stopped.report.warnings[0] == PARTIAL
    assert max(stopped.report.kept_epochs) <= 2


def test_the_best_so_far_is_the_best_so_far() -> None:
    """Not the last: of a training that gets worse and worse, the first epoch."""
    settings: dict[str, Any] = {"optimizer": "gradient_descent", "schedule": "constant", "learning_rate": 1.2}
    asked = recipe(hidden=(), epochs=9, validation=0.3, **settings)

    model = learn(ROWS, asked, control=Control(wish=Wisher(6, Wish.KEEP)))

    assert len(model.history.validation_loss) > 1
    assert model.report.kept_epochs == (1 + int(np.argmin(model.history.validation_loss)),)


def test_before_the_first_epoch_has_ended_there_is_nothing_to_keep() -> None:
    """Whoever asks for what there is then gets the error."""
    for asks in range(BATCHES):
        with pytest.raises(Cancelled):
            learn(ROWS, recipe(**SLOW), control=Control(wish=Wisher(asks, Wish.KEEP)))
    assert learn(ROWS, recipe(**SLOW), control=Control(wish=Wisher(BATCHES, Wish.KEEP))).report.epochs == 1


def test_what_was_kept_of_a_streamed_training_is_told_as_partial() -> None:
    """Though its rows are not warned of."""
    at_hand, more = parted(table())

    model = learn(at_hand, recipe(epochs=5), more=more, control=Control(wish=Wisher(200, Wish.KEEP)))

    assert model.report.warnings == (PARTIAL,)
    assert 0 < model.report.epochs < 5


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_a_solver_is_cancelled_before_its_next_step(optimizer: str) -> None:
    """Whichever member it is at."""
    steps: list[Progress] = []
    asked = recipe(optimizer=optimizer, members=2, validation=0.3, epochs=4)

    for step in range(1, 7):
        steps.clear()
        with pytest.raises(Cancelled):
            learn(ROWS, asked, control=Control(wish=Wisher(step - 1, Wish.CANCEL), on_epoch=steps.append))
        assert len(steps) == step


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_members_that_a_solver_had_not_come_to_are_no_part_of_the_model(optimizer: str) -> None:
    """The others are as they were, and judged by what they have not seen."""
    asked = recipe(optimizer=optimizer, members=3, validation=0.3, epochs=4, keep_best=False)
    whole = learn(ROWS, asked)

    model = learn(ROWS, asked, control=Control(wish=Wisher(6, Wish.KEEP)))

    assert len(model.parameters) == len(model.report.kept_epochs) == model.recipe.training.members == 2
    assert model.parameters[0].tobytes() == whole.parameters[0].tobytes()
    assert model.parameters[1].tobytes() != whole.parameters[1].tobytes()
    assert model.report.kept_epochs == (4, 3)
    assert model.report.stopped == CANCELLED
    assert 0 < model.report.rows_held_out < whole.report.rows_held_out
    assert model.report.parameters == model.parameters.size


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_what_is_kept_can_be_stored(optimizer: str) -> None:
    """Its recipe is complete, with as many members as it has."""
    asked = recipe(optimizer=optimizer, members=3, validation=0.3, epochs=4)
    model = learn(ROWS, asked, control=Control(wish=Wisher(3, Wish.KEEP)))

    read, _ = snapshot.decode(snapshot.encode(model))

    assert told(read) == told(model)
    assert read.report.stopped == CANCELLED


def tried(wish: Wish, asks: int) -> tuple[Model, list[Progress]]:
    """Train what is learnt in two ways one after the other, until somebody has a wish."""
    epochs: list[Progress] = []
    return learn(TWICE, Recipe(), control=Control(wish=Wisher(asks, wish), on_epoch=epochs.append)), epochs


TWICE = saddle(40)


@cache
def asks_of_the_first() -> int:
    """Count how often the first of two ways asks."""
    wisher = Wisher(10_000, Wish.CANCEL)

    def stop(_progress: Progress) -> None:
        wisher.patience = wisher.asked

    with pytest.raises(Cancelled):
        learn(TWICE, Recipe(), control=Control(wish=wisher, on_epoch=stop))
    return wisher.patience - 1


def test_the_first_of_two_ways_is_kept_if_the_second_is_not_begun() -> None:
    """Neither tried nor told."""
    wisher, epochs = Wisher(4, Wish.KEEP), list[Progress]()

    model = learn(TWICE, Recipe(), control=Control(wish=wisher, on_epoch=epochs.append))

    assert wisher.asked == 4 + 1
    assert model.recipe.training.optimizer == "levenberg_marquardt"
    assert (model.report.stopped, model.recipe.training.members) == (CANCELLED, 1)
    assert not epochs


@pytest.mark.parametrize("more", [0, 1])
def test_the_better_of_two_ways_is_kept_if_the_second_is_under_way(more: int) -> None:
    """Before its first epoch, and after; it is partial, for the other might have become better."""
    model, epochs = tried(Wish.KEEP, asks_of_the_first() + more)

    assert len(epochs) == more
    assert model.recipe.training.optimizer == "levenberg_marquardt"
    assert (model.report.stopped, model.report.warnings) == (CANCELLED, (PARTIAL,))


@pytest.mark.parametrize("asks", [0, 5])
def test_both_of_two_ways_are_cancelled(asks: int) -> None:
    """While the first is tried, and while the second is."""
    for before in (asks, asks_of_the_first() + asks):
        with pytest.raises(Cancelled):
            tried(Wish.CANCEL, before)


STEPPED: dict[str, tuple[TrainingRows, Recipe]] = {
    "by gradients": (ROWS, recipe(epochs=4, members=2, input_scale=True, batch_size=16, patience=2, dropout=0.2)),
    "by a solver": (ROWS, recipe(optimizer="lbfgs", epochs=3, members=2, validation=0.3)),
    "in one of two ways": (TWICE, replace(Recipe(), training=replace(Recipe().training, epochs=3))),
}


@pytest.mark.parametrize("kind", STEPPED)
def test_a_training_can_be_stepped_through(kind: str) -> None:
    """Each step is one epoch and its checkpoint; at the end, nothing has become of it that would not have otherwise."""
    rows, asked = STEPPED[kind]
    epochs: list[Progress] = []
    whole = learn(rows, asked, control=Control(on_epoch=epochs.append))
    checkpoints: list[Checkpoint] = []
    stepped: Model | None = None

    while stepped is None:
        with suppress(Left):
            stepped = learn(rows, asked, control=leaving(checkpoints))
        assert [checkpoint.epoch for checkpoint in checkpoints] == list(range(1, len(checkpoints) + 1))

    assert told(stepped) == told(whole)
    assert len(checkpoints) >= len(epochs) - 1


def test_what_was_left_can_be_cancelled() -> None:
    """And what is kept is what it had come to before, if there is no more."""
    checkpoints: list[Checkpoint] = []
    learn(EXAM, recipe(epochs=9), control=noting(checkpoints))

    with pytest.raises(Cancelled):
        learn(EXAM, recipe(epochs=9), control=replace(resuming(checkpoints[0]), wish=lambda: Wish.CANCEL))
    model = learn(EXAM, recipe(epochs=9), control=replace(resuming(checkpoints[0]), wish=lambda: Wish.KEEP))

    assert (model.report.epochs, model.report.stopped) == (1, CANCELLED)


BOUNDED: dict[str, dict[str, Any]] = {
    "by gradients": {"batch_size": 16, "members": 2, "dropout": 0.2, "keep_best": False},
    "by a solver": {"optimizer": "lbfgs", "members": 2, "validation": 0.3, "keep_best": False},
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_no_more_epochs_than_a_run_is_allowed(kind: str) -> None:
    """Each network has had as many, on the schedule of all, and is no part of a training that was cancelled."""
    asked = recipe(epochs=6, **BOUNDED[kind])
    epochs: list[Progress] = []
    whole = learn(ROWS, asked)

    model = learn(ROWS, asked, control=Control(most_epochs=2, on_epoch=epochs.append))

    assert (model.report.stopped, model.report.kept_epochs, model.report.warnings) == ("max_epochs", (2, 2), ())
    assert model.history.loss.tolist() == whole.history.loss.tolist()[:2]
    assert model.recipe == whole.recipe
    assert epochs[-1].epoch == epochs[-1].epochs == len(epochs)
    assert told(snapshot.decode(snapshot.encode(model))[0]) == told(model)


def test_a_bound_that_is_not_reached_changes_nothing() -> None:
    """Nor one that is as many as the recipe has."""
    asked = recipe(**SLOW)

    assert told(learn(ROWS, asked, control=Control(most_epochs=6))) == told(learn(ROWS, asked))


def test_of_two_ways_neither_has_more_epochs_than_allowed() -> None:
    """The one that is only tried has not, either."""
    model = learn(TWICE, Recipe(), control=Control(most_epochs=3))

    assert model.report.epochs == 3
    assert model.report.stopped == "max_epochs"


@pytest.mark.parametrize("kind", BOUNDED)
def test_a_bounded_training_is_gone_on_with(kind: str) -> None:
    """From any of its checkpoints, to the same bytes."""
    asked, bound = recipe(epochs=6, **BOUNDED[kind]), Control(most_epochs=3)
    checkpoints: list[Checkpoint] = []
    whole = learn(ROWS, asked, control=replace(noting(checkpoints), most_epochs=3))

    assert told(learn(ROWS, asked, control=bound)) == told(whole)
    for checkpoint in checkpoints:
        assert told(learn(ROWS, asked, control=replace(resuming(checkpoint), most_epochs=3))) == told(whole)
