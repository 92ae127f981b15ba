"""Learning: what a user's rows and settings lead to."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from app.engine.learning import learn
from app.engine.model import Model, TrainingRows
from app.engine.network import Architecture, Network
from app.engine.optimizers import OPTIMIZERS, clip
from app.engine.preprocessing import Scaling
from app.engine.recipe import Recipe
from app.engine.schedules import SCHEDULES
from app.engine.training import GENERATORS, Progress, TrainingConfig
from app.errors import BadTable, Diverged
from tests.engine.tables import EXAM, blobs, recipe, wave
from tests.tutorial import X, Y


@pytest.mark.parametrize("seed", range(100))
def test_defaults_converge_on_the_tutorial_rows_for_every_seed(seed: int) -> None:
    """Three hidden units and default training reach a mean square below 1e-6 in units of y/100."""
    model = learn(EXAM, recipe(hidden=(3,), seed=seed))

    mse = model.report.metrics["training"]["mse"]
    assert mse is not None
    assert mse / 100**2 < 1e-6
    assert model.report.stopped == "converged"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer: str) -> None:
    """Each explains nearly all of a smooth curve within 500 epochs at its usual rate."""
    model = learn(wave(), recipe(optimizer=optimizer, epochs=500, batch_size=32))

    r2 = model.report.metrics["validation"]["r2"]
    assert r2 is not None
    assert r2 > 0.95


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_learns(schedule: str) -> None:
    """Each gets most of the curve."""
    model = learn(wave(), recipe(schedule=schedule, epochs=300, decay_epochs=100))

    assert (model.report.metrics["validation"]["r2"] or 0) > 0.9


def test_a_gradient_is_clipped_to_its_longest() -> None:
    """A longer one is shortened in place, a shorter one left."""
    long, short = np.array([3.0, 4.0]), np.array([0.3, 0.4])

    clip(long, 1.0)
    clip(short, 1.0)

    np.testing.assert_allclose(long, [0.6, 0.8])
    np.testing.assert_allclose(short, [0.3, 0.4])


def test_clipping_tames_a_rate_that_diverges() -> None:
    """What overflows without clip_norm stays finite with it."""
    wild: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 50.0, "epochs": 200}

    with pytest.raises(Diverged):
        learn(wave(), replace(recipe(**wild), network=Architecture(activation="identity")))
    model = learn(wave(), replace(recipe(**wild, clip_norm=0.01), network=Architecture(activation="identity")))

    assert np.isfinite(model.parameters).all()


def test_divergence_names_epoch_layer_rate_and_last_loss() -> None:
    """The error carries what a user needs to mend it."""
    config = recipe(optimizer="gradient_descent", learning_rate=1e6, schedule="constant")

    with pytest.raises(Diverged, match="epoch") as caught:
        learn(EXAM, replace(config, network=Architecture(hidden=(4, 4), activation="identity")))

    assert caught.value.epoch >= 2
    assert 1 <= caught.value.layer <= 3
    assert caught.value.learning_rate == 1e6
    assert caught.value.last_loss is not None


def test_divergence_in_the_first_epoch_has_no_last_loss() -> None:
    """Mini-batches can overflow before an epoch is over; the layer named is one that is not finite."""
    config = recipe(optimizer="gradient_descent", learning_rate=1e6, batch_size=1, epochs=1, validation=0.0)

    with pytest.raises(Diverged, match="no epoch had a finite loss") as caught:
        learn(wave(), replace(config, network=Architecture(hidden=(4, 4), activation="identity")))

    assert caught.value.epoch == 1
    assert caught.value.last_loss is None


@pytest.mark.parametrize("validation", [0.0, 0.5])
def test_divergence_in_the_last_step_is_found(validation: float) -> None:
    """Weights that overflow in the very last step are not kept."""
    config = recipe(optimizer="gradient_descent", learning_rate=1e6, batch_size=50, epochs=1, validation=validation)

    with pytest.raises(Diverged):
        learn(wave(100), replace(config, network=Architecture(hidden=(9,) * 30, activation="identity")))


def test_same_seed_same_weights() -> None:
    """Two trainings agree to the last bit; another seed differs."""
    first, again, other = (learn(wave(), recipe(epochs=20, seed=seed)) for seed in (1, 1, 2))

    assert first.parameters.tobytes() == again.parameters.tobytes()
    assert first.parameters.tobytes() != other.parameters.tobytes()


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("seed", [0, 2**32, 2**53 - 1])
def test_every_seed_works_with_every_generator(generator: str, seed: int) -> None:
    """Seeds beyond what NumPy's legacy generator takes are split in two."""
    assert learn(EXAM, recipe(epochs=2, seed=seed, generator=generator)).report.epochs == 2


def test_bits_of_a_large_seed_all_count() -> None:
    """Seeds that differ only in their upper half draw different weights."""
    low, high = (learn(EXAM, recipe(epochs=1, seed=seed, generator="mt19937")) for seed in (7, 7 + 2**32))

    assert low.parameters.tobytes() != high.parameters.tobytes()


def test_patience_stops_and_the_best_weights_are_kept() -> None:
    """Training on noise stops early; what is kept is the epoch with the lowest validation loss."""
    rng = np.random.default_rng(0)
    noise = TrainingRows(("a",), ("y",), rng.standard_normal((60, 1)), rng.standard_normal((60, 1)))

    model = learn(noise, recipe(hidden=(64,), validation=0.3, patience=5, epochs=2000, learning_rate=0.05))

    losses = model.history.validation_loss
    assert model.report.stopped == "patience"
    assert model.report.epochs == len(losses) == np.argmin(losses) + 1 + 5
    assert model.report.kept_epoch == np.argmin(losses) + 1
    mse = model.report.metrics["validation"]["mse"]
    assert model.target is not None
    assert mse == pytest.approx(losses.min() * model.target.scale[0] ** 2)


def test_without_held_out_rows_the_training_loss_is_watched() -> None:
    """A rate that jumps about stops by patience, and what is kept is the best that was seen."""
    jumping: dict[str, Any] = {"learning_rate": 0.5, "schedule": "constant", "patience": 10, "tolerance": 0.0}

    for seed in range(10):
        model = learn(EXAM, recipe(seed=seed, **jumping))
        last = learn(EXAM, recipe(seed=seed, keep_best=False, **jumping))
        assert model.report.stopped == "patience"
        assert model.report.loss == pytest.approx(min(model.history.loss.min(), last.report.loss))
        assert model.report.kept_epoch in {np.argmin(model.history.loss), model.report.epochs}
        assert last.report.kept_epoch == last.report.epochs == model.report.epochs


def test_progress_is_told_every_epoch() -> None:
    """One call an epoch, with both losses where rows are held out."""
    told: list[Progress] = []

    learn(wave(), recipe(epochs=3), on_epoch=told.append)

    assert [progress.epoch for progress in told] == [1, 2, 3]
    assert all(progress.epochs == 3 and progress.validation_loss is not None for progress in told)


def test_quadratic_loss_of_batches_adds_up() -> None:
    """The summed loss of an epoch is the same for one batch or several, as long as nothing moves."""
    still: dict[str, Any] = {"loss": "quadratic", "optimizer": "gradient_descent", "learning_rate": 1e-300, "epochs": 1}

    whole, parts = (learn(wave(90), recipe(**still, batch_size=size)).report for size in (90, 7))

    assert whole.loss == pytest.approx(parts.loss)
    assert learn(wave(90), recipe(**still, batch_size=7)).history.loss[0] == pytest.approx(whole.loss)


@pytest.mark.parametrize("pull", [{"l2": 1.0}, {"optimizer": "adamw", "weight_decay": 1.0}])
def test_regularisation_pulls_weights_towards_zero(pull: dict[str, Any]) -> None:
    """Both the penalty and the decay make the weights of the same training smaller."""
    none: dict[str, Any] = {name: value if name == "optimizer" else 0.0 for name, value in pull.items()}

    free, held = (learn(wave(), recipe(epochs=300, **settings)) for settings in (none, pull))

    weights = [np.abs(model.parameters * model.network.is_weight).sum() for model in (free, held)]
    assert weights[1] < 0.8 * weights[0]


def test_losses_are_told_without_the_penalty() -> None:
    """History, report and validation measure the same thing, so that they can be compared."""
    still: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 1e-300, "epochs": 1}

    free, held = (learn(wave(90), recipe(l2=l2, **still)) for l2 in (0.0, 10.0))

    assert held.history.loss == pytest.approx(free.history.loss)
    assert held.report.loss == pytest.approx(free.report.loss)


def test_biases_are_not_decayed() -> None:
    """Where nothing is to be learnt from, decay takes the weights away and leaves the bias that answers."""
    rows = TrainingRows(("a",), ("y",), X[:, :1], np.full((3, 1), 8.0))
    decayed: dict[str, Any] = {"optimizer": "adamw", "weight_decay": 1.0, "tolerance": 0.0}

    model = learn(rows, recipe(hidden=(), scaling=Scaling(target="maximum"), learning_rate=0.1, **decayed))

    assert model.scores(X[:, :1])[:, 0] == pytest.approx([8.0, 8.0, 8.0], abs=1e-3)


def test_several_targets_are_learnt_together() -> None:
    """Each row answers with a list, in the units of each target."""
    rows = wave(outputs=3)
    model = learn(rows, Recipe())

    answers = model.answers(model.scores(rows.X[:2]))

    assert (model.report.metrics["validation"]["r2"] or 0) > 0.95
    np.testing.assert_allclose(np.array(answers), np.array(rows.y)[:2], atol=3)


@pytest.mark.parametrize(("classes", "output"), [(2, "sigmoid"), (2, "softmax"), (4, "softmax")])
def test_classes_are_learnt(classes: int, output: str) -> None:
    """Labels come back as they were sent, with probabilities that sum to 1."""
    rows = blobs(classes)

    model = learn(rows, Recipe(network=Architecture(output_activation=output)))

    scores = model.scores(rows.X)
    assert model.labels == tuple("abcd"[:classes])
    assert model.answers(scores) == list(rows.y)
    assert scores.shape == (60, classes)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)


@pytest.mark.parametrize("loss", ["mse", "quadratic", "mae", "huber"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_classes_can_be_learnt_with_losses_of_numbers(loss: str, output: str) -> None:
    """A sigmoid with a squared error, as in the textbook, is a classifier too."""
    config = TrainingConfig(loss=loss, learning_rate=0.01)

    model = learn(blobs(2), Recipe(network=Architecture(output_activation=output), training=config))

    assert model.report.metrics["training"]["accuracy"] == 1.0


def test_true_and_false_and_whole_numbers_are_labels_too() -> None:
    """What was sent comes back, with its type."""
    for labels in ((True, False, True), (7, 3, 7)):
        model = learn(replace(EXAM, y=labels), Recipe(task="classification"))

        assert model.answers(model.scores(X)) == list(labels)
        assert model.labels == tuple(sorted(set(labels)))


def test_a_linear_model_is_a_network_without_hidden_layers() -> None:
    """An empty list of hidden layers learns a straight line exactly."""
    line = TrainingRows(("x",), ("y",), X[:, :1], 3 * X[:, :1] + 1)

    model = learn(line, recipe(hidden=()))

    assert model.scores(np.array([[10.0]]))[0, 0] == pytest.approx(31, abs=1e-2)


def test_constant_columns_and_targets_are_learnt_with_a_warning() -> None:
    """Nothing divides by zero, and the answer says what was odd."""
    rows = TrainingRows(("a", "b"), ("y",), np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([[3.0], [3.0]]))

    model = learn(rows, Recipe())

    assert model.report.warnings == (
        "Column b has one value only: nothing can be learnt from it.",
        "Target y has one value only: the answer will be that value.",
    )
    assert model.scores(rows.X)[:, 0] == pytest.approx([3.0, 3.0], abs=1e-3)
    assert model.report.metrics["training"]["r2"] is None


def test_one_row_is_enough_to_learn_from() -> None:
    """A share held out never takes the last row."""
    model = learn(TrainingRows(("a",), ("y",), np.ones((1, 1)), np.ones((1, 1))), recipe(validation=0.9))

    assert model.report.rows_held_out == 0


def test_rows_outside_the_trained_ranges_are_known() -> None:
    """(4, 8) is outside because nobody studied 4 hours; the edges are inside."""
    model = learn(EXAM, recipe(epochs=1))

    assert model.in_range(np.array([[4.0, 8.0], [1.0, 9.0], [2.0, 4.9], [3.0, 5.0]])).tolist() == [
        False,
        True,
        False,
        True,
    ]


def test_an_answer_that_overflows_is_refused() -> None:
    """No answer is ever infinite."""
    rows = TrainingRows(("a",), ("y",), 1e-200 * X[:, :1], 1e90 * Y)
    model = learn(rows, recipe(epochs=5))

    with pytest.raises(BadTable, match="too far outside") as caught:
        model.scores(np.array([[0.0], [1e100], [1e100]]))

    assert caught.value.faults[0].row == 1
    assert caught.value.total == 2


def test_held_out_rows_are_not_learnt_from() -> None:
    """Changing them changes neither weights nor scales nor ranges; only what is measured on them."""
    rows = wave(100)
    model = learn(rows, recipe(epochs=5, validation=0.3, keep_best=False))
    wild = rows.X.copy()
    judged = [row for row in range(100) if not model.in_range(wild[row : row + 1])[0]]
    order = np.random.default_rng(0)
    Network((2, 8, 1), "silu", "identity", bias=True).initialize("glorot", order)
    held_out = np.sort(order.permutation(100)[:30])
    assert set(judged) <= set(held_out.tolist())
    wild[held_out] *= 7

    again = learn(replace(rows, X=wild), recipe(epochs=5, validation=0.3, keep_best=False))

    assert again.parameters.tobytes() == model.parameters.tobytes()
    assert again.features.scale.tobytes() == model.features.scale.tobytes()
    assert again.highest.tobytes() == model.highest.tobytes()
    assert again.report.metrics["training"] == model.report.metrics["training"]
    assert again.report.metrics["validation"] != model.report.metrics["validation"]


def test_a_validation_loss_that_overflows_is_divergence() -> None:
    """Held-out rows far beyond the others, with weights that grow: refused, never stored."""
    rows = wave(100)
    far = rows.X.copy()
    far[50] = 1e100

    def learn_all() -> None:
        for seed in range(20):  # until row 50 is held out
            learn(replace(rows, X=far), replace(recipe(seed=seed, epochs=5, validation=0.5), scaling=robust))

    robust = Scaling(features="robust")
    with pytest.raises(Diverged):
        learn_all()


def test_a_model_holds_nothing_but_data() -> None:
    """Everything of a model is arrays, numbers and names, so that a snapshot can be plain data."""
    model: Model = learn(EXAM, recipe(epochs=1))

    assert set(asdict(model.report)) >= {"rows", "loss", "metrics", "stopped"}
    assert asdict(model.recipe)["network"]["output_activation"] == "identity"
