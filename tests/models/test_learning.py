"""Learning: what a user's rows and settings lead to."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from app.engine.config import GENERATORS
from app.engine.control import Control, Progress
from app.engine.network import Architecture
from app.engine.optimizers import OPTIMIZERS
from app.engine.schedules import SCHEDULES
from app.errors import BadTable
from app.models.learning import learn
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.tables import EXAM, blobs, columns, ensemble, recipe, saddle, wave
from tests.tutorial import X, Y


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "levenberg_marquardt", "lbfgs"])
def test_every_optimizer_learns(optimizer: str) -> None:
    """Each explains nearly all of a smooth curve within 100 epochs at its usual rate."""
    model = learn(wave(), recipe(optimizer=optimizer, epochs=100, batch_size=32))

    r2 = model.report.metrics["validation"]["r2"]
    assert r2 is not None
    assert r2 > 0.95
    assert model.recipe.training.optimizer == optimizer


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_learns(schedule: str) -> None:
    """Each gets most of the curve."""
    model = learn(wave(), recipe(schedule=schedule, epochs=120, decay_epochs=40))

    assert (model.report.metrics["validation"]["r2"] or 0) > 0.9


def test_same_seed_same_weights() -> None:
    """Two trainings agree to the last bit; another seed differs."""
    first, again, other = (learn(wave(), recipe(epochs=20, seed=seed)) for seed in (1, 1, 2))

    assert first.parameters.tobytes() == again.parameters.tobytes()
    assert first.parameters.tobytes() != other.parameters.tobytes()


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("seed", [0, 2**32, 2**53 - 1])
def test_every_seed_works_with_every_generator(generator: str, seed: int) -> None:
    """Seeds beyond what NumPy's legacy generator takes are split in two; all that is random takes either."""
    assert learn(EXAM, recipe(epochs=2, seed=seed, generator=generator)).report.epochs == 2
    model = learn(wave(60), ensemble(epochs=2, seed=seed, generator=generator))
    assert model.report.epochs == 2


def test_bits_of_a_large_seed_all_count() -> None:
    """Seeds that differ only in their upper half draw different weights."""
    low, high = (learn(EXAM, recipe(epochs=1, seed=seed, generator="mt19937")) for seed in (7, 7 + 2**32))

    assert low.parameters.tobytes() != high.parameters.tobytes()


@pytest.mark.parametrize("keep_best", [True, False])
def test_patience_stops_and_the_best_weights_are_kept(keep_best: bool) -> None:
    """Training on noise stops early; what is kept is the epoch with the lowest validation loss, or the last."""
    rng = np.random.default_rng(0)
    noise = TrainingRows(columns("a"), ("y",), rng.standard_normal((60, 1)), rng.standard_normal((60, 1)))
    jumpy: dict[str, Any] = {"validation": 0.3, "patience": 5, "epochs": 2000, "learning_rate": 0.05}

    model = learn(noise, recipe(hidden=(64,), keep_best=keep_best, **jumpy))

    losses = model.history.validation_loss
    best = int(np.argmin(losses)) + 1
    assert model.report.stopped == "patience"
    assert model.report.epochs == len(losses) == best + 5
    assert model.report.kept_epochs == (best if keep_best else best + 5,)
    assert model.target is not None
    kept = losses[model.report.kept_epochs[0] - 1] * model.target.scale[0] ** 2
    mse = model.report.metrics["validation"]["mse"]
    assert mse is not None
    assert mse > kept if keep_best else mse == pytest.approx(kept)  # rows that chose the best do not judge it


def test_without_held_out_rows_the_training_loss_is_watched() -> None:
    """A rate that jumps about stops by patience, and what is kept is the best that was seen."""
    jumping: dict[str, Any] = {"learning_rate": 0.5, "schedule": "constant", "patience": 10, "tolerance": 0.0}

    for seed in range(10):
        model = learn(EXAM, recipe(seed=seed, **jumping))
        last = learn(EXAM, recipe(seed=seed, keep_best=False, **jumping))
        assert model.report.stopped == "patience"
        assert model.report.loss == pytest.approx(min(model.history.loss.min(), last.report.loss))
        assert model.report.kept_epochs[0] in {np.argmin(model.history.loss), model.report.epochs}
        assert last.report.kept_epochs == (last.report.epochs,) == (model.report.epochs,)


def test_progress_is_told_every_epoch() -> None:
    """One call an epoch, with both losses where rows are held out, as they are in the history."""
    told: list[Progress] = []

    model = learn(wave(), recipe(epochs=3), control=Control(on_epoch=told.append))
    learn(EXAM, recipe(epochs=2), control=Control(on_epoch=told.append))

    assert [progress.epoch for progress in told] == [1, 2, 3, 1, 2]
    assert [progress.epochs for progress in told] == [3, 3, 3, 2, 2]
    assert [progress.loss for progress in told[:3]] == model.history.loss.tolist()
    assert [progress.validation_loss for progress in told] == [*model.history.validation_loss, None, None]


def test_quadratic_loss_of_batches_adds_up() -> None:
    """The summed loss of an epoch is the same for one batch or several, as long as nothing moves."""
    still: dict[str, Any] = {"loss": "quadratic", "optimizer": "gradient_descent", "learning_rate": 1e-300, "epochs": 1}

    whole, parts = (learn(wave(90), recipe(**still, batch_size=size)) for size in (90, 7))

    assert whole.report.loss == pytest.approx(parts.report.loss)
    assert parts.history.loss[0] == pytest.approx(whole.report.loss)


@pytest.mark.parametrize(
    "pull", [{"l2": 1.0}, {"optimizer": "adamw", "weight_decay": 1.0}, {"optimizer": "lbfgs", "l2": 1.0}]
)
def test_regularisation_pulls_weights_towards_zero(pull: dict[str, Any]) -> None:
    """Both the penalty and the decay make the weights of the same training smaller."""
    none: dict[str, Any] = {name: value if name == "optimizer" else 0.0 for name, value in pull.items()}

    free, held = (learn(wave(), recipe(epochs=150, **settings)) for settings in (none, pull))

    weights = [np.abs(model.parameters * model.network.is_weight(model.parameters)).sum() for model in (free, held)]
    assert weights[1] < 0.8 * weights[0]


@pytest.mark.parametrize("optimizer", ["gradient_descent", "lbfgs"])
def test_losses_are_told_without_the_penalty(optimizer: str) -> None:
    """History, report and validation measure the same thing, so that they can be compared."""
    still: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 1e-300, "epochs": 1}

    held = learn(wave(90), recipe(l2=10.0, **still))

    assert held.target is not None
    rows = wave(90)
    mse = np.mean(((held.scores(rows.X) - np.asarray(rows.y)) / held.target.scale) ** 2)
    assert held.report.loss == pytest.approx(mse)
    assert held.history.loss[-1] == pytest.approx(mse)


def test_biases_are_not_decayed() -> None:
    """Where nothing is to be learnt from, decay takes the weights away and leaves the bias that answers."""
    rows = TrainingRows(columns("a"), ("y",), X[:, :1], np.full((3, 1), 8.0))
    decayed: dict[str, Any] = {"optimizer": "adamw", "weight_decay": 1.0, "tolerance": 0.0, "epochs": 400}

    model = learn(rows, recipe(hidden=(), scaling=Scaling(target="maximum"), learning_rate=0.2, **decayed))

    assert model.scores(X[:, :1])[:, 0] == pytest.approx([8.0, 8.0, 8.0], abs=1e-3)


def test_a_linear_model_is_a_network_without_hidden_layers() -> None:
    """An empty list of hidden layers learns a straight line exactly."""
    line = TrainingRows(columns("x"), ("y",), X[:, :1], 3 * X[:, :1] + 1)

    for optimizer in ("adam", "lbfgs", "levenberg_marquardt"):
        model = learn(line, recipe(hidden=(), optimizer=optimizer, l2=0.0, scaling=Scaling(features="standard")))

        assert model.scores(np.array([[10.0]]))[0, 0] == pytest.approx(31, abs=1e-2)


def test_constant_columns_and_targets_are_learnt() -> None:
    """Nothing divides by zero."""
    cells = np.array([[1.0, 5.0, np.nan], [2.0, 5.0, np.nan], [np.nan, np.nan, np.nan]])
    rows = TrainingRows(columns("a", "b", "c"), ("y",), cells, np.full((3, 1), 3.0))

    model = learn(rows, Recipe())

    assert model.scores(rows.X)[:, 0] == pytest.approx([3.0, 3.0, 3.0], abs=1e-3)
    assert model.report.metrics["training"]["r2"] is None


@pytest.mark.parametrize("members", [1, 3])
def test_one_row_is_enough_to_learn_from(members: int) -> None:
    """A share held out never takes the last row."""
    row = TrainingRows(columns("a"), ("y",), np.ones((1, 1)), np.ones((1, 1)))

    model = learn(row, recipe(validation=0.9, members=members, epochs=2))

    assert model.report.rows_held_out == 0
    assert list(model.report.metrics) == ["training"]


def test_an_answer_that_overflows_is_refused() -> None:
    """No answer is ever infinite."""
    rows = TrainingRows(columns("a"), ("y",), 1e-200 * X[:, :1], 1e90 * Y)
    model = learn(rows, recipe(epochs=5, scaling=Scaling(features="standard")))

    with pytest.raises(BadTable, match="too far outside") as caught:
        model.scores(np.array([[0.0], [1e100], [1e100]]))

    assert caught.value.faults[0].row == 1
    assert caught.value.total == 2


def test_a_model_answers_with_the_mean_of_its_members() -> None:
    """Each member's answers are those of its own parameters."""
    rows = saddle(60)
    model = learn(rows, ensemble())

    members = model.member_scores(rows.X)

    assert model.parameters.shape == (3, model.network.size)
    np.testing.assert_allclose(model.scores(rows.X), members.mean(axis=0), rtol=1e-12)
    for member in range(3):
        alone = replace(model, parameters=model.parameters[[member]]).scores(rows.X)
        np.testing.assert_array_equal(alone, members[member])
    assert not np.allclose(members[0], members[1])


def test_a_model_holds_nothing_but_data() -> None:
    """Everything of a model is arrays, numbers and names, so that a snapshot can be plain data."""
    model = learn(EXAM, recipe(epochs=1))

    assert set(asdict(model.report)) >= {"rows", "loss", "metrics", "stopped"}
    assert asdict(model.recipe)["network"]["output_activation"] == "identity"


def test_a_model_of_one_network_shape_is_what_was_asked_for() -> None:
    """Layers, activations and bias as set."""
    shape = Architecture(hidden=(5, 4), activation="tanh", output_activation="sigmoid", bias=False)

    network = learn(EXAM, replace(recipe(epochs=1), network=shape)).network

    assert network.sizes == (2, 5, 4, 1)
    assert (network.hidden, network.output, network.bias) == ("tanh", "sigmoid", False)


@pytest.mark.parametrize("kind", [blobs(3), wave(60)])
def test_rows_alone_answer_as_in_any_company(kind: TrainingRows) -> None:
    """To the last bit, through encoding, all members and un-scaling."""
    model = learn(kind, ensemble())
    scores = model.scores(kind.X)

    for row in range(0, 60, 7):
        assert model.scores(kind.X[row : row + 1]).tobytes() == scores[row].tobytes()
