"""Solvers: members one after the other, what is kept of each, and when the others are not tried."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.backpropagation import Batch
from app.engine.control import Control, Progress
from app.engine.examples import Examples
from app.engine.network import Network
from app.engine.training import Course
from app.errors import Diverged
from app.models.learning import learn
from app.solvers.solving import SOLVERS, GaveUp, solve
from tests.engine.courses import all_rows, course_of
from tests.models.tables import recipe, wave

POINT = Network((1, 1), "identity", "identity", bias=False)
X = np.ones((6, 1))


def walking(*walks: list[float], reasons: tuple[str, ...] = ()) -> Any:
    """Make a solver whose members take their weight through given places, with the loss each has there."""
    member = iter(range(len(walks)))

    def solver(_course: Course, parameters: Array, rows: Batch, told: Callable[[float], str | None]) -> str:
        number = next(member)
        for place in walks[number]:
            parameters[:] = place
            if reason := told(float(np.mean((place - rows.y) ** 2))):
                return reason
        return reasons[number] if reasons else "converged"

    return solver


def judged(**more: Any) -> Examples:
    """Two rows of 1 to learn from for each member, and the others, of 0, to be judged by."""
    y = np.array([[1.0], [1.0], [0.0], [0.0], [0.0], [0.0]])
    members = more.get("members", 2)
    return Examples(X, y, None, np.tile([0, 1], (members, 1)), np.tile([2, 3, 4, 5], (members, 1)))


def test_each_member_keeps_its_best_weights_by_the_rows_that_it_has_not_seen() -> None:
    """Not the last ones; the loss that is told is that of what is kept."""
    course = course_of(POINT, np.full((2, 1), 9.0))

    trained = solve(walking([0.9, 0.3, 0.5], [0.2, 0.8]), course, judged())

    assert trained.parameters.tolist() == [[0.3], [0.2]]
    assert trained.kept_epochs == (2, 1)
    assert trained.loss == pytest.approx(((1 - 0.3) ** 2 + (1 - 0.2) ** 2) / 2)
    assert trained.stopped == "converged"


@pytest.mark.parametrize("keep_best", [True, False])
@pytest.mark.parametrize("held_out", [True, False])
def test_the_last_weights_are_kept_where_nothing_judges_or_so_it_was_set(keep_best: bool, held_out: bool) -> None:
    """Only with both is there a choice."""
    course = course_of(POINT, np.full((1, 1), 9.0), keep_best=keep_best)
    examples = judged(members=1) if held_out else all_rows(X, X)

    trained = solve(walking([0.9, 0.3, 0.5]), course, examples)

    best = keep_best and held_out
    assert trained.kept_epochs == ((2,) if best else (3,))
    assert trained.parameters.tolist() == ([[0.3]] if best else [[0.5]])
    assert bool(len(trained.history.validation_loss)) == held_out


def test_curves_of_members_that_stopped_go_on_with_their_last_loss() -> None:
    """So that their mean has one number an epoch."""
    trained = solve(walking([0.0, 1.0], [0.0]), course_of(POINT, np.full((2, 1), 9.0)), judged())

    assert trained.history.loss.tolist() == [1.0, 0.5]
    assert trained.history.validation_loss.tolist() == [0.0, 0.5]


def test_a_member_that_no_step_helps_still_has_a_curve() -> None:
    """Of one epoch, in which it stayed where it was."""
    trained = solve(walking([], [0.0]), course_of(POINT, np.full((2, 1), 3.0)), judged())

    assert trained.history.loss.tolist() == [(4.0 + 1.0) / 2]
    assert trained.history.validation_loss.tolist() == [(9.0 + 0.0) / 2]
    assert trained.parameters[0, 0] == 3.0


def test_progress_counts_the_epochs_of_all_members() -> None:
    """The second goes on where the first ended."""
    told: list[Progress] = []
    course = course_of(POINT, np.full((2, 1), 9.0), epochs=7, control=Control(on_epoch=told.append))

    solve(walking([0.0, 1.0], [0.5]), course, judged())

    assert [progress.epoch for progress in told] == [1, 2, 3]
    assert {progress.epochs for progress in told} == {14}
    assert [progress.loss for progress in told] == [1.0, 0.0, 0.25]
    assert [progress.validation_loss for progress in told] == [0.0, 1.0, 0.25]


def test_patience_ends_a_member_that_gets_no_better() -> None:
    """So many epochs after its best; without rows that judge there is none."""
    course = course_of(POINT, np.full((1, 1), 9.0), patience=2)
    walk = [0.5, 0.3, 0.6, 0.7, 0.1]

    stopped = solve(walking(walk), course, judged(members=1))
    free = solve(walking(walk), course, all_rows(X, X))

    assert (stopped.stopped, len(stopped.history.loss)) == ("patience", 4)
    assert (free.stopped, len(free.history.loss)) == ("converged", 5)


@pytest.mark.parametrize(
    ("reasons", "stopped"),
    [
        (("converged", "converged"), "converged"),
        (("patience", "converged"), "patience"),
        (("patience", "epochs"), "epochs"),
    ],
)
def test_the_members_that_took_longest_say_why_it_stopped(reasons: tuple[str, ...], stopped: str) -> None:
    """Epochs that were over, before patience, before convergence."""
    course = course_of(POINT, np.full((2, 1), 9.0))

    assert solve(walking([0.5], [0.5], reasons=reasons), course, judged()).stopped == stopped


@pytest.mark.parametrize(("places", "gives_up"), [((0.7, 0.7), True), ((0.9, 0.1), False), ((0.1, 0.1), False)])
def test_two_poor_members_are_enough_to_give_up(places: tuple[float, float], gives_up: bool) -> None:
    """Where something else is there to be tried: if what they leave unexplained is too much on average."""
    walks = [[places[0]], [places[1]], [9.0]]
    course = course_of(POINT, np.full((3, 1), 9.0), good_enough=0.42)
    patient = course_of(POINT, np.full((3, 1), 9.0))

    if gives_up:
        with pytest.raises(GaveUp):
            solve(walking(*walks), course, judged(members=3))
    else:
        assert solve(walking(*walks), course, judged(members=3)).kept_epochs == (1, 1, 1)
    assert solve(walking(*walks), patient, judged(members=3)).kept_epochs == (1, 1, 1)


def test_a_member_that_overflows_is_divergence() -> None:
    """In the epoch and with the loss it had before."""
    with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
        solve(walking([0.5, 1e200]), course_of(POINT, np.full((1, 1), 9.0)), judged(members=1))

    assert caught.value.epoch == 2
    assert caught.value.last_loss == 0.25


@pytest.mark.parametrize("optimizer", SOLVERS)
@pytest.mark.parametrize("members", [1, 3])
def test_solvers_learn_with_any_number_of_members(optimizer: str, members: int) -> None:
    """Each judged by its own rows, which together are all."""
    model = learn(wave(60), recipe(optimizer=optimizer, members=members, epochs=20, validation=1 / 3))

    assert model.report.rows_held_out == (20 if members == 1 else 60)
    assert (model.report.metrics["validation"]["r2"] or 0) > 0.98
    assert len(model.report.kept_epochs) == members


def test_the_summed_loss_of_squares_is_learnt_by_second_derivatives_too() -> None:
    """With the same steps as its mean."""
    mean, total = (
        learn(wave(40), recipe(optimizer="levenberg_marquardt", loss=loss, epochs=9)) for loss in ("mse", "quadratic")
    )

    assert total.parameters.tobytes() == mean.parameters.tobytes()
