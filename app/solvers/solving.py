"""Solvers: optimizers that see all rows in each step and choose its length themselves, one member after the other."""

from collections.abc import Callable

import numpy as np

from app.engine.arrays import Array, Parameters
from app.engine.backpropagation import Batch
from app.engine.control import CANCELLED, Checkpoint, Progress
from app.engine.examples import Examples
from app.engine.training import Course, History, Told, Trained, is_finite
from app.solvers.lbfgs import lbfgs
from app.solvers.levenberg_marquardt import levenberg_marquardt

PILOTS = 2  # members that tell whether the others are worth training

Solver = Callable[[Course, Parameters, Batch, Told], str]
"""(course, parameters, rows, told) -> why it stopped; changes one member's parameters in place."""


class GaveUp(Exception):
    """The first members are so much worse than what was asked for that the others are not trained."""


class _Watch:
    """One member on its way: its curves, and its best parameters by the rows held out from it."""

    def __init__(self, course: Course, examples: Examples, member: int, before: int) -> None:
        self.course, self.examples, self.before = course, examples, before
        self.parameters = course.parameters[member : member + 1]
        self.learnt, self.judged = examples.learnt[[member]], examples.judged[[member]]
        self.rows = examples.batch(self.learnt)
        self.losses, self.validation_losses = self.curves = list[float](), list[float]()
        self.best_parameters, self.kept_epoch = self.parameters.copy(), 0

    def __call__(self, loss: float) -> str | None:
        """Note the loss after a step; tell whether patience is at an end, or somebody's wish."""
        course, config = self.course, self.course.config
        if not is_finite(np.array([loss])):
            raise course.diverged(self.parameters, self.rows, self.losses)
        self.losses.append(loss)
        watched = None
        if self.judged.size:
            watched = float(course.measure(self.parameters, self.examples, self.judged, self.losses)[0])
            if watched < min(self.validation_losses, default=np.inf):
                self.best_parameters[:], self.kept_epoch = self.parameters, len(self.losses)
            self.validation_losses.append(watched)
        epoch, most = self.before + len(self.losses), min(config.epochs or 0, course.control.most_epochs)
        course.control.on_epoch(Progress(epoch, most * len(course.parameters), loss, watched))
        if course.control.ends_now():
            return CANCELLED
        course.control.after_epoch(None, lambda: Checkpoint(epoch, {}, {}))
        impatient = bool(self.judged.size) and len(self.losses) - self.kept_epoch >= (config.patience or np.inf)
        return "patience" if impatient else course.control.ending(len(self.losses))

    def keep(self) -> None:
        """Keep the best parameters if they were not the last and that was asked for."""
        if self.course.config.keep_best and self.judged.size:
            self.parameters[:] = self.best_parameters
        else:
            self.kept_epoch = len(self.losses)


def solve(solver: Solver, course: Course, examples: Examples) -> Trained:
    """Train the members one after the other; raise GaveUp if the first are not good enough."""
    watches: list[_Watch] = []
    reasons: list[str] = []
    for member in range(len(course.parameters)):
        watch = _Watch(course, examples, member, sum(len(watch.losses) for watch in watches))
        reasons.append(solver(course, watch.parameters, watch.rows, watch))
        if not watch.losses:  # no step helped
            watch(float(course.measure(watch.parameters, examples, watch.learnt)[0]))
        watch.keep()
        watches.append(watch)
        if CANCELLED in reasons:  # the others have learnt nothing yet
            break
        judged = [watch.validation_losses[-1] for watch in watches if watch.validation_losses]
        if len(judged) == PILOTS and np.mean(judged) > course.good_enough:
            raise GaveUp
    history = History(*(_mean_curve(list(curves)) for curves in zip(*(watch.curves for watch in watches), strict=True)))
    parameters = course.parameters[: len(watches)]
    loss = float(course.measure(parameters, examples, examples.learnt[: len(watches)]).mean())
    stopped = next(
        (reason for reason in (CANCELLED, "epochs", "max_epochs", "patience") if reason in reasons), "converged"
    )
    return Trained(parameters, history, loss, tuple(watch.kept_epoch for watch in watches), stopped)


def _mean_curve(curves: list[list[float]]) -> Array:
    """Average curves of several lengths, each going on with its last value."""
    longest = max(map(len, curves))
    mean: Array = np.mean([curve + curve[-1:] * (longest - len(curve)) for curve in curves], axis=0)
    return mean


SOLVERS: dict[str, Solver] = {"levenberg_marquardt": levenberg_marquardt, "lbfgs": lbfgs}
