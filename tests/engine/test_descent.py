"""Training by gradients: what every epoch does, and what is kept."""

from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.examples import Examples
from app.engine.network import Network
from app.engine.schedules import SCHEDULES, Clock
from app.engine.training import Trained, descend
from tests.engine.courses import all_rows, course_of

LINE = Network((1, 1), "identity", "identity", bias=True)


def line(rows: int = 6, noise: float = 0.0, **more: Any) -> Examples:
    X = np.linspace(-1, 1, rows)[:, np.newaxis]
    return all_rows(X, 3 * X + 1 + noise * np.random.default_rng(5).standard_normal((rows, 1)), **more)


def fitted(examples: Examples, **settings: Any) -> Trained:
    parameters = np.tile([[0.5, -0.5]], (len(examples.learnt), 1))
    return descend(course_of(LINE, parameters, **settings), examples)


def gradient_at(w: Array, X: Array, y: Array) -> Array:
    error = X[:, 0] * w[0] + w[1] - y[:, 0]
    return np.array([2 * np.mean(error * X[:, 0]), 2 * np.mean(error)])


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine"])
def test_every_epoch_descends_at_the_rate_of_its_schedule(schedule: str) -> None:
    """Full-batch descent on a line, by hand: w ← w - rate(epoch) · gradient."""
    examples = line()
    w = np.array([0.5, -0.5])
    for epoch in range(8):
        rate = SCHEDULES[schedule](0.1, 0.1, Clock(epoch, 8, 0), 0.5, 3)
        w = w - rate * gradient_at(w, examples.X, examples.y)

    trained = fitted(examples, schedule=schedule, epochs=8, decay_epochs=3, keep_best=False)

    np.testing.assert_allclose(trained.parameters[0], w, rtol=1e-12)


def test_ntk_lowers_the_rate_of_biases() -> None:
    """The weight of one input learns at the rate, the bias at a tenth of it."""
    examples = line()
    w = np.array([0.5, -0.5])

    trained = fitted(examples, parametrization="ntk", epochs=1, schedule="constant", keep_best=False)

    wanted = w - 0.1 * np.array([1.0, 0.1]) * gradient_at(w, examples.X, examples.y)
    np.testing.assert_allclose(trained.parameters[0], wanted, rtol=1e-12)


def test_the_plateau_schedule_lowers_the_rate_while_nothing_improves() -> None:
    """At a rate that only makes things worse, each third epoch halves it until it works again."""
    stuck: dict[str, Any] = {"learning_rate": 1.02, "epochs": 60, "decay_epochs": 3, "keep_best": False}

    constant = fitted(line(), schedule="constant", **stuck)
    plateau = fitted(line(), schedule="plateau", **stuck)

    assert constant.history.loss[-1] > constant.history.loss[0]
    assert plateau.history.loss[-1] < 1e-6


def test_tolerance_is_compared_with_the_loss() -> None:
    """Training stops in the first epoch that saw a loss below it."""
    free = fitted(line(), schedule="constant", epochs=100)

    stopped = fitted(line(), schedule="constant", epochs=100, tolerance=1e-3)

    first = int(np.argmax(free.history.loss < 1e-3)) + 1
    assert len(stopped.history.loss) == first < 100
    assert stopped.stopped == "converged"
    assert free.stopped == "epochs"


def test_batches_are_shuffled_and_every_row_is_seen_once() -> None:
    """The order of batches differs from epoch to epoch; the loss of an epoch counts each row once."""
    examples = line(7)
    still: dict[str, Any] = {"learning_rate": 1e-300, "epochs": 3, "batch_size": 3, "schedule": "constant"}

    losses = fitted(examples, **still).history.loss
    moved = fitted(examples, epochs=1, batch_size=1, schedule="constant")
    in_order = np.array([0.5, -0.5])
    for x, y in zip(examples.X[:, 0], examples.y[:, 0], strict=True):
        in_order -= 0.1 * 2 * (in_order[0] * x + in_order[1] - y) * np.array([x, 1.0])

    whole = np.mean((0.5 * examples.X - 0.5 - examples.y) ** 2)
    np.testing.assert_allclose(losses, whole)
    assert not np.allclose(moved.parameters, in_order)


def test_members_shuffle_their_own_rows() -> None:
    """Two members that start alike and learn from the same rows in batches end differently, one and all the same."""
    examples = line(8, members=2)

    batches = fitted(examples, epochs=1, batch_size=2)
    whole = fitted(examples, epochs=1)

    assert batches.parameters[0].tolist() != batches.parameters[1].tolist()
    np.testing.assert_array_equal(whole.parameters[0], whole.parameters[1])


def test_members_learn_as_they_would_alone() -> None:
    """Each from its own rows, judged by its own, keeping its own best weights; the curves are means."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 2)), rng.standard_normal((12, 1))
    network = Network((2, 9, 1), "tanh", "identity", bias=True)
    start = network.initialize("normal", 3, rng, X)
    order = np.stack([rng.permutation(12) for _ in range(3)])
    folds = np.sort(order[:, :8]), np.sort(order[:, 8:])
    settings: dict[str, Any] = {"learning_rate": 0.05, "epochs": 60, "optimizer": "adam"}

    together = descend(course_of(network, start.copy(), **settings), Examples(X, y, None, *folds))
    alone = [
        descend(
            course_of(network, start[[member]], **settings),
            Examples(X, y, None, *(rows[[member]] for rows in folds)),
        )
        for member in range(3)
    ]

    assert together.kept_epochs == tuple(trained.kept_epochs[0] for trained in alone)
    assert len(set(together.kept_epochs)) > 1
    np.testing.assert_allclose(together.parameters, np.concatenate([one.parameters for one in alone]), rtol=1e-9)
    np.testing.assert_allclose(together.history.loss, np.mean([one.history.loss for one in alone], axis=0))
    validation = np.mean([one.history.validation_loss for one in alone], axis=0)
    np.testing.assert_allclose(together.history.validation_loss, validation)
    assert together.loss == pytest.approx(np.mean([one.loss for one in alone]))


def test_rows_that_judge_are_not_learnt_from() -> None:
    """Their truth changes what is measured, and nothing of what is learnt."""
    examples = line(9, held_out=3)
    other = Examples(
        examples.X, examples.y + (np.arange(9) >= 6)[:, np.newaxis], None, examples.learnt, examples.judged
    )

    first, second = (fitted(rows, epochs=9, keep_best=False) for rows in (examples, other))

    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert first.loss == second.loss
    assert first.history.validation_loss.tolist() != second.history.validation_loss.tolist()


def test_the_watched_loss_of_rows_that_judge_is_measured_after_the_epoch() -> None:
    """With the weights that the epoch ended with, and the rows' weights."""
    weights = np.linspace(0.2, 1.8, 9)[:, np.newaxis]
    examples = line(9, held_out=3, weights=weights)

    trained = fitted(examples, epochs=1, keep_best=False)

    w = trained.parameters[0]
    errors = (examples.X * w[0] + w[1] - examples.y) ** 2 * weights
    assert trained.history.validation_loss.tolist() == pytest.approx([errors[6:].mean()])
    assert trained.loss == pytest.approx(errors[:6].mean())


def test_of_two_noisy_ends_the_better_is_kept() -> None:
    """In batches the loss on the way is not that of any weights: best and last are measured before one is kept."""
    kept = set()
    for seed in range(10):
        noisy: dict[str, Any] = {"learning_rate": 0.6, "epochs": 9, "batch_size": 2, "seed": seed}
        examples = line(8, noise=1.0)

        best = fitted(examples, schedule="constant", **noisy)
        last = fitted(examples, schedule="constant", keep_best=False, **noisy)

        assert best.loss <= last.loss
        kept.add(best.kept_epochs[0] < 9)
        assert best.loss == pytest.approx(np.mean((LINE.outputs(best.parameters, examples.X)[1] - examples.y) ** 2))
        assert last.kept_epochs == (9,)
    assert kept == {True, False}


def test_the_best_of_the_watched_weights_are_those_before_the_epoch() -> None:
    """Without rows that judge, an epoch's loss is of the weights that it began with."""
    examples = line()

    trained = fitted(examples, learning_rate=3.0, epochs=4, schedule="constant")

    assert trained.kept_epochs == (0,)
    np.testing.assert_array_equal(trained.parameters, [[0.5, -0.5]])
    assert trained.loss == pytest.approx(trained.history.loss[0])


def test_patience_counts_epochs_since_any_member_was_at_its_best() -> None:
    """At a rate that makes all worse from the first epoch on, so many more are run."""
    examples = line(members=2)

    trained = fitted(examples, learning_rate=3.0, epochs=50, patience=4, schedule="constant")

    assert trained.stopped == "patience"
    assert len(trained.history.loss) == 1 + 4


def test_clipping_limits_the_first_step() -> None:
    """However steep, the step is no longer than rate times clip_norm."""
    trained = fitted(line(), clip_norm=0.01, epochs=1, keep_best=False)

    assert np.linalg.norm(trained.parameters - [0.5, -0.5]) == pytest.approx(0.1 * 0.01)


@pytest.mark.parametrize("loss", ["mse", "quadratic"])
def test_what_is_measured_in_blocks_is_what_it_is_at_once(loss: str) -> None:
    """A network so wide that a few rows fill a block."""
    rng = np.random.default_rng(1)
    network = Network((1, 2**20, 1), "tanh", "identity", bias=False)
    X, weights = rng.standard_normal((5, 1)), rng.uniform(0, 2, (5, 1))
    parameters = 1e-3 * rng.standard_normal((1, network.size))
    course = course_of(network, parameters, loss=loss)

    measured = course.measure(parameters, all_rows(X, X, weights=weights), np.arange(5)[np.newaxis])

    whole = course.loss.value(*network.outputs(parameters, X), X, weights)
    np.testing.assert_allclose(measured, whole, rtol=1e-12)
