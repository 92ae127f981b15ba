"""Selection: rows that choose which weights are kept do not judge them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine import selection
from app.engine.control import Checkpoint
from app.engine.selection import Recording
from app.insight.trust import intervals, sets
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.controls import noting, resuming
from tests.models.tables import blobs, columns, ensemble, recipe, wave


def recorded(outputs: Any, losses: Any) -> Recording:
    """Record epochs, as a training would."""
    recording = Recording()
    recording.outputs, recording.losses = list(np.array(outputs, float)), list(np.array(losses, float))
    return recording


def test_a_members_rows_are_answered_as_at_the_epochs_that_the_others_have_chosen() -> None:
    """Of three members, each on average over the epochs at which the other two are best."""
    outputs = [[[[10 * epoch + member]] for member in range(3)] for epoch in range(3)]
    losses = [[[0.0, 5.0, 5.0]], [[4.0, 0.0, 1.0]], [[4.0, 4.0, 0.0]]]  # of each epoch, for each member

    fair = recorded(outputs, losses).fair()

    assert fair is not None
    assert fair[:, 0, 0].tolist() == [15, 11, 7]


def test_of_one_member_each_half_of_the_rows_chooses_for_the_other() -> None:
    """Every second row is of the other half."""
    outputs = [[[[10 * epoch + row] for row in range(4)]] for epoch in range(2)]
    losses = [[[0.0], [3.0]], [[1.0], [0.0]]]  # the first half is best at the first epoch, the second at the second

    fair = recorded(outputs, losses).fair()

    assert fair is not None
    assert fair[0, :, 0].tolist() == [10, 1, 12, 3]


def test_one_row_alone_is_judged_by_nobody() -> None:
    """Nor is anything known where nothing was recorded, or too much would have been."""
    assert recorded([[[[1.0]]]], [[[1.0]]]).fair() is None
    assert Recording().fair() is None
    given_up = recorded([[[[1.0]], [[1.0]]]], [[[1.0, 2.0]]])
    given_up.give_up()
    assert given_up.fair() is None


def test_too_many_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then rows judge what they chose, as ever, and a checkpoint knows that."""
    how, rows = ensemble(epochs=30, patience=None), wave(noise=1.0)
    some = learn(rows, how)
    monkeypatch.setattr(selection, "MOST_RECORDED", 300)
    checkpoints: list[Checkpoint] = []

    forgotten = learn(rows, how, control=noting(checkpoints))

    assert forgotten.parameters.tobytes() == some.parameters.tobytes()
    assert forgotten.report.metrics["validation"] != some.report.metrics["validation"]
    again = learn(rows, how, control=resuming(checkpoints[2]))
    assert again.misses.sizes.tobytes() == forgotten.misses.sizes.tobytes()


@pytest.mark.parametrize("members", [1, 3])
def test_a_training_that_was_left_knows_what_it_had_recorded(members: int) -> None:
    """Misses, temperature and metrics are the same to the last bit."""
    how = ensemble(epochs=5, members=members, validation=0.3)
    checkpoints: list[Checkpoint] = []
    whole = learn(blobs(3), how, control=noting(checkpoints))

    again = learn(blobs(3), how, control=resuming(checkpoints[3]))

    assert again.misses.sizes.tobytes() == whole.misses.sizes.tobytes()
    assert (again.temperature, again.report) == (whole.temperature, whole.report)


def few(rows: int, seed: int) -> tuple[TrainingRows, Any, Any]:
    """A line with noise: some rows to learn, and many to answer."""
    rng = np.random.default_rng([seed, rows])
    X = rng.uniform(0, 10, (rows + 500, 1))
    y = 60 + 2 * X + 2 * rng.standard_normal(X.shape)
    return TrainingRows(columns("x"), ("y",), X[:rows], y[:rows]), X[rows:], y[rows:]


@pytest.mark.parametrize("rows", [12, 20, 40])
def test_intervals_from_few_rows_hold_as_often_as_they_say(rows: int) -> None:
    """With nothing set: on average over several tables, and the validation error is that of new rows."""
    held, ratios = [], []
    for seed in range(6):
        table, X, y = few(rows, seed)
        model: Model = learn(table, replace(Recipe(), training=replace(Recipe().training, seed=seed)))
        ends = intervals(model, X, 0.9)
        assert ends is not None
        held.append(np.mean((ends[:, 0, 0] <= y[:, 0]) & (ends[:, 0, 1] >= y[:, 0])))
        error = np.sqrt(np.mean((model.scores(X) - y) ** 2))
        ratios.append(error / float(model.report.metrics["validation"]["rmse"] or 0))

    assert np.mean(held) > 0.85
    assert 0.7 < np.mean(ratios) < 1.3


def test_sets_of_labels_from_few_rows_hold_as_often_as_they_say() -> None:
    """Of classes that overlap, with nothing set; and probabilities are about as likely as they are said to be."""
    held, losses = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((560, 3))
        y = tuple("yes" if truth else "no" for truth in X[:, 0] + 0.8 * rng.logistic(size=560) > 0)
        table = TrainingRows(columns("a", "b", "c"), ("y",), X[:60], y[:60])
        model = learn(table, replace(Recipe(), training=replace(Recipe().training, seed=seed)))
        scores = model.scores(X[60:])
        kept = sets(model, scores, 0.9)
        truth = np.array([model.labels.index(label) for label in y[60:]])
        assert kept is not None
        held.append(kept[np.arange(500), truth].mean())
        likelihood = np.clip(scores[np.arange(500), truth], 1e-9, 1.0)
        losses.append(-np.log(likelihood).mean() - float(model.report.metrics["validation"]["log_loss"] or 0))

    assert np.mean(held) > 0.87
    assert np.mean(losses) < 0.1


def test_weights_that_nobody_chose_are_judged_as_they_are() -> None:
    """The last epoch's: nothing is recorded, and the answers are the model's own."""
    rows = wave(40)
    model = learn(rows, recipe(epochs=3, validation=0.5, keep_best=False))

    answers = model.scores(rows.X)
    mse = float(model.report.metrics["validation"]["mse"] or 0)
    assert not isinstance(rows.y, tuple)
    squares = (answers - rows.y) ** 2
    assert squares.min() < mse < squares.max()
