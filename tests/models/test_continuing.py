"""Continuing: a model is trained on with new rows, from the weights that it has and what its optimizer remembers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.control import MEMORY, Checkpoint, Control
from app.engine.network import Network
from app.engine.optimizers import OPTIMIZERS
from app.engine.regularisers import RawParameters
from app.errors import UnsuitableTarget
from app.models.learning import Start, learn, loss_on
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.solvers.solving import SOLVERS
from app.store import snapshot
from tests.engine.courses import course_of
from tests.models.controls import kept, noting, resuming, told
from tests.models.tables import blobs, ensemble, mixed, recipe, wave
from tests.models.test_streaming import parted, table

ROWS, NEW = wave(40), wave(30, noise=0.2)
STILL: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 1e-300, "epochs": 1}
PLAIN: dict[str, Any] = {
    "batch_size": 1000,
    "validation": 0.0,
    "schedule": "constant",
    "keep_best": False,
    "precision": "float64",
}


def trained_with_memory(rows: TrainingRows, asked: Recipe) -> tuple[Model, Checkpoint]:
    """Train, and keep what the optimizer remembers at the end."""
    last: list[Checkpoint] = []
    control = Control(is_due=lambda stopped: stopped is not None, save=last.append)
    model = learn(rows, asked, control=control)
    return model, kept(last[0].memory)


def with_training(model: Model, **changes: Any) -> Recipe:
    """A model's own recipe, with another training."""
    return replace(model.recipe, training=replace(model.recipe.training, **changes))


MODELS: dict[str, tuple[TrainingRows, Recipe]] = {
    "one network": (ROWS, recipe(epochs=3)),
    "members": (mixed(60), ensemble()),
    "labels": (blobs(3), recipe(epochs=3, members=2)),
    "squares": (ROWS, recipe(optimizer="levenberg_marquardt", members=2, epochs=3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_all_that_does_not_learn_stays_as_it_is(name: str) -> None:
    """Columns, scaling, labels and network are the model's; steps of no length leave its weights alone."""
    rows, asked = MODELS[name]
    model = learn(rows, asked)
    before = model.parameters.tobytes()
    again = rows.part(np.arange(0, len(rows.X), 2))

    on = learn(again, with_training(model, **STILL, members=5, dropout=0.0), start=Start(model))

    assert on.parameters.tobytes() == model.parameters.tobytes() == before
    for part in ("columns", "targets", "labels", "network", "encoder", "target", "sources"):
        assert getattr(on, part) is getattr(model, part)
    assert on.recipe.training.members == len(model.parameters)
    assert (on.recipe.network, on.recipe.scaling) == (model.recipe.network, model.recipe.scaling)
    assert on.report.loss_before == on.report.loss
    assert (on.report.rows, on.report.epochs) == (len(again.X), 1)
    assert "gone on with" in on.report.choice


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, *SOLVERS])
def test_new_rows_are_learnt(optimizer: str) -> None:
    """Their loss is less than before; the model that was trained on is the one that it was."""
    model = learn(ROWS, recipe(epochs=5, precision="float64"))
    before = told(model)
    rate = 0.001 if optimizer == "rmsprop" else 0.01
    given = with_training(model, optimizer=optimizer, learning_rate=rate, epochs=20, validation=0.0)

    on = learn(NEW, given, start=Start(model))

    assert on.report.loss_before is not None
    assert on.report.loss < on.report.loss_before
    assert on.report.metrics["training"] != model.report.metrics["training"]
    assert told(model) == before
    assert model.report.loss_before is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_its_memory_a_training_goes_on_as_if_it_had_not_ended(optimizer: str) -> None:
    """Three epochs and four are seven, to the last bit; without the memory they are not, where there is one."""
    settings = PLAIN | {"optimizer": optimizer, "learning_rate": 0.01, "members": 2}
    model, memory = trained_with_memory(ROWS, recipe(epochs=3, **settings))
    whole = learn(ROWS, recipe(epochs=7, **settings))

    on = learn(ROWS, with_training(model, epochs=4), start=Start(model, memory))
    forgetful = learn(ROWS, with_training(model, epochs=4), start=Start(model))

    assert on.parameters.tobytes() == whole.parameters.tobytes()
    assert on.history.loss.tolist() == whole.history.loss.tolist()[3:]
    assert (forgetful.parameters.tobytes() == whole.parameters.tobytes()) is (OPTIMIZERS[optimizer].vectors == 0)


def test_learnt_scales_are_gone_on_with_too() -> None:
    """As if the training had not ended, but for rounding."""
    settings = PLAIN | {"learning_rate": 0.01, "input_scale": True}
    model, memory = trained_with_memory(ROWS, recipe(epochs=9, **settings))
    whole = learn(ROWS, recipe(epochs=18, **settings))

    on = learn(ROWS, with_training(model, epochs=9), start=Start(model, memory))

    np.testing.assert_allclose(on.parameters, whole.parameters, rtol=1e-7, atol=1e-9)
    assert set(memory.arrays) == set(MEMORY)


def test_an_input_that_was_turned_off_can_be_turned_on() -> None:
    """A scale of 0 would leave its weights unknown."""
    network = Network((2, 3, 1), "tanh", "identity", bias=True)
    parameters = np.arange(1.0, 1.0 + network.size)[np.newaxis]
    raw = RawParameters(course_of(network, parameters))
    raw.scale[0, 0], raw.scale[0, 1] = 0.0, 4.0

    raw.factor()

    assert raw.scale.tolist() == [[1.0, 4.0]]
    np.testing.assert_array_equal(raw.raw_W[0], network.layers(parameters)[0].W[0] / [[1.0], [4.0]])


@pytest.mark.parametrize("changes", [{"optimizer": "momentum"}, {"input_scale": True}])
def test_another_optimizer_begins_with_an_empty_memory(changes: dict[str, Any]) -> None:
    """What one remembers means nothing to another."""
    model, memory = trained_with_memory(ROWS, recipe(epochs=3, **PLAIN))
    given = with_training(model, epochs=3, **changes)

    with_it, without = (learn(NEW, given, start=Start(model, remembered)) for remembered in (memory, None))

    assert told(with_it) == told(without)


def test_each_member_goes_on_from_its_own_weights() -> None:
    """And the rows are dealt as to a new one: a member that learns from the same rows ends the same as before."""
    model = learn(ROWS, recipe(members=2, epochs=3, batch_size=1000))
    turned = replace(model, parameters=model.parameters[::-1].copy())
    given = with_training(model, epochs=3, validation=0.0, batch_size=1000)

    on, turned_on = (learn(NEW, given, start=Start(each)) for each in (model, turned))

    assert on.parameters.tobytes() == turned_on.parameters[::-1].tobytes()
    assert learn(NEW, with_training(model, epochs=1, validation=0.5), start=Start(model)).report.rows_held_out > 15


def test_a_continued_training_is_gone_on_with() -> None:
    """To the same bytes, from any checkpoint; and it can be stored."""
    model, memory = trained_with_memory(mixed(60), ensemble())
    rows, given, start = mixed(40), with_training(model, epochs=4), Start(model, memory)
    checkpoints: list[Checkpoint] = []
    whole = learn(rows, given, start=start, control=noting(checkpoints))

    for checkpoint in checkpoints:
        assert told(learn(rows, given, start=start, control=resuming(checkpoint))) == told(whole)

    assert told(snapshot.decode(snapshot.encode(whole))[0]) == told(whole)


def test_rows_of_some_of_the_labels_are_enough() -> None:
    """The others stay answers, and are measured as what did not occur."""
    model = learn(blobs(3), recipe(epochs=40))
    rows = blobs(3)
    part = rows.part(np.flatnonzero(np.array(rows.y) == "b"))

    on = learn(part, with_training(model, epochs=2), start=Start(model))

    assert on.labels == ("a", "b", "c")
    assert on.scores(rows.X).shape == (60, 3)
    assert on.report.confusion_matrix is not None
    assert np.sum(on.report.confusion_matrix, axis=1).tolist() == [0, 20, 0]


def test_labels_that_the_model_does_not_have_are_refused() -> None:
    """By row, since a network has one output for each that it has."""
    model = learn(blobs(3), recipe(epochs=2))
    rows = blobs(5)

    with pytest.raises(UnsuitableTarget, match="Train a new one") as caught:
        learn(rows, model.recipe, start=Start(model))

    assert [(fault.row, fault.got) for fault in caught.value.faults[:3]] == [(3, "d"), (4, "e"), (8, "d")]
    assert (len(caught.value.faults), caught.value.total) == (20, 24)


@pytest.mark.parametrize(("first", "then"), [(blobs(2), wave(20)), (wave(20), blobs(2))])
def test_numbers_and_labels_do_not_follow_each_other(first: TrainingRows, then: TrainingRows) -> None:
    """What is one cannot become the other."""
    model = learn(first, recipe(epochs=2))

    with pytest.raises(UnsuitableTarget, match="Train a new one"):
        learn(then, model.recipe, start=Start(model))


def test_rows_that_come_block_by_block_are_gone_on_with() -> None:
    """From the model's weights, and judged by those at hand."""
    model = learn(table(), recipe(hidden=(32,), epochs=3))
    at_hand, more = parted(table())

    on = learn(at_hand, with_training(model, epochs=8), more=more, start=Start(model))

    assert (on.report.rows, on.report.rows_held_out) == (4000, 500)
    assert on.report.loss_before is not None
    assert on.report.loss < on.report.loss_before
    assert on.history.loss[0] < 0.8 * model.history.loss[0]  # so that it is no new one


def test_a_model_that_was_chosen_goes_on_with_what_was_chosen() -> None:
    """It is tried in one way only: its own."""
    chosen = replace(Recipe(), training=replace(Recipe().training, epochs=4))
    model = learn(wave(40), chosen)

    on = learn(wave(40, noise=0.1), model.recipe, start=Start(model))

    assert on.recipe == model.recipe
    assert on.recipe.training.optimizer is not None
    assert on.parameters.shape == model.parameters.shape
    assert on.parameters.tobytes() != model.parameters.tobytes()


@pytest.mark.parametrize("rows", [ROWS, blobs(3)])
def test_the_loss_of_a_model_is_measured_as_a_training_does(rows: TrainingRows) -> None:
    """On the rows that it has learnt it is the report's; measuring leaves the model as it is."""
    model = learn(rows, recipe(epochs=3, members=2, validation=0.0))
    before = told(model)

    assert loss_on(model, rows) == pytest.approx(model.report.loss, rel=1e-12)
    assert told(model) == before
