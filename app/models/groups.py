"""Groups: a model for each group of a table, many of which learn at once.

Networks of one shape are members of one batched matrix product, as those of an ensemble are. Each group has its own
scaling, folds and end, and begins with the same random numbers as any other, so that its model is the same to the last
bit whatever learns beside it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from sys import maxsize
from typing import Any, TypeAlias

import numpy as np

from app.engine.arrays import Array, PerMember
from app.engine.config import WHOLE_TABLE
from app.engine.control import Control
from app.engine.device import DEVICES, one_blas_thread
from app.engine.examples import Examples
from app.engine.selection import MOST_RECORDED
from app.engine.training import Course, History, Means, Run, Trained
from app.errors import Cancelled, Diverged, InputError, InvalidRequest, UnsuitableTarget
from app.faults import Fault
from app.models.defaults import Candidate, candidates, labels_of, problem_of
from app.models.learning import Lesson, lesson_of
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import TrainingRows

LEAST_ROWS = 2
NUMBERS_AT_ONCE = 2**17  # in the widest layer of all networks that learn at once: they stay in a core's cache
MOST_RECORDED_AT_ONCE = 2**24
USUAL_NETWORK = {"hidden": (8,), "activation": "tanh", "initializer": "lecun"}
USUAL_TRAINING = {"members": 4, "epochs": 100, "precision": "float32"}
USUAL_RATE = 0.05  # of adam, where the optimizer is open too

Outcome: TypeAlias = Model | InputError
"""What came of a group: its model, or why there is none."""


def for_groups(recipe: Recipe) -> Recipe:
    """Fill in what is usual for groups; raise InvalidRequest for what many networks cannot do at once."""
    network, training = recipe.network, recipe.training
    if training.optimizer in WHOLE_TABLE:
        message = f"Groups learn by gradients, at once: {training.optimizer} trains one network after the other."
        raise InvalidRequest(message, [Fault("adam, or nothing", got=training.optimizer, field="training.optimizer")])
    if training.schedule == "plateau":
        message = "Groups learn at one rate: plateau would have one for each."
        raise InvalidRequest(message, [Fault("another schedule", got="plateau", field="training.schedule")])
    usual: dict[str, Any] = dict(USUAL_TRAINING)
    if training.optimizer is None:
        usual |= {"optimizer": "adam"} | ({} if training.learning_rate else {"learning_rate": USUAL_RATE})
    return replace(recipe, network=_filled(network, USUAL_NETWORK), training=_filled(training, usual))


def learn_groups(groups: Sequence[TrainingRows], recipe: Recipe, control: Control = Control()) -> list[Outcome]:
    """Train a model on the rows of each group, by a recipe that is `for_groups`; raise Cancelled where that is wished.

    A group that cannot be learnt has its error; the others are learnt.
    """
    outcomes: dict[int, Outcome] = {}
    alike: dict[Hashable, dict[int, Lesson]] = {}
    with np.errstate(all="ignore"), one_blas_thread():  # overflow is what Diverged reports
        for place, rows in enumerate(groups):
            try:
                lesson = _lesson(rows, recipe, control)
            except InputError as fault:
                outcomes[place] = fault
            else:
                alike.setdefault(_shape(lesson), {})[place] = lesson
        for lessons in alike.values():
            outcomes |= dict(zip(lessons, _learnt(list(lessons.values())), strict=True))
    return [outcomes[place] for place in range(len(groups))]


def _filled(config: Any, usual: dict[str, Any]) -> Any:  # noqa: ANN401 - an Architecture or a TrainingConfig
    return replace(config, **{name: value for name, value in usual.items() if getattr(config, name) is None})


def _lesson(rows: TrainingRows, recipe: Recipe, control: Control) -> Lesson:
    """Prepare a group; raise UnsuitableTarget where it cannot be learnt."""
    if len(rows.X) < LEAST_ROWS:
        message = f"The group has {len(rows.X)} row; a model of its own takes at least {LEAST_ROWS}."
        raise UnsuitableTarget(message)
    if rows.weights is not None and not rows.weights.any():
        message = "All rows of the group weigh 0, so that none counts."
        raise UnsuitableTarget(message)
    (only,) = candidates(recipe, problem_of(rows, labels_of(rows), recipe.scaling.one_hot))
    candidate = Candidate(only.recipe, f"a group of {len(rows.X)} rows, which learns beside others")
    return lesson_of(rows, candidate, Means(device=DEVICES["cpu"](), control=control))


def _shape(lesson: Lesson) -> Hashable:
    """Tell what lessons have in common that can be learnt at once."""
    model, examples = lesson.model, lesson.examples
    shapes = tuple(each.shape for each in (examples.X, examples.y, examples.learnt, examples.judged))
    return model.network, model.recipe, shapes, examples.weights is None


def _learnt(lessons: Sequence[Lesson]) -> list[Outcome]:
    """Learn lessons of one shape, some at once; where one of them diverges, the halves apart, until it is alone."""
    together = _at_once(lessons[0])
    if len(lessons) > together:
        parts = [lessons[start : start + together] for start in range(0, len(lessons), together)]
        return [outcome for part in parts for outcome in _learnt(part)]
    try:
        return [lesson.judged(trained).model for lesson, trained in zip(lessons, _trained(lessons), strict=True)]
    except Diverged as fault:
        if len(lessons) == 1:
            return [fault]
        half = len(lessons) // 2
        return [*_learnt(lessons[:half]), *_learnt(lessons[half:])]


def _at_once(lesson: Lesson) -> int:
    """Tell how many such lessons are learnt at once."""
    examples, network, training = lesson.examples, lesson.model.network, lesson.model.recipe.training
    members, batch = len(examples.learnt), min(training.batch_size or maxsize, examples.count)
    recorded = min(MOST_RECORDED, examples.judged.size * network.sizes[-1] * (training.epochs or 1))
    largest = members * batch * max(network.sizes)
    return max(1, min(NUMBERS_AT_ONCE // largest, MOST_RECORDED_AT_ONCE // max(1, recorded)))


def _trained(lessons: Sequence[Lesson]) -> list[Trained]:
    """Learn lessons of one shape as one; raise Diverged if any does."""
    first = lessons[0]
    course = replace(
        first.course,
        parameters=np.concatenate([lesson.course.parameters for lesson in lessons]),
        models=len(lessons),
    )
    return _Together(course, _joined([lesson.examples for lesson in lessons])).trained_all()


def _joined(examples: Sequence[Examples]) -> Examples:
    """Put the rows of several one after the other; the members of each learn from its own."""
    first, count = examples[0], len(examples)
    starts = np.repeat(np.arange(count) * len(first.X), len(first.learnt))[:, np.newaxis]
    return Examples(
        X=_end_to_end([each.X for each in examples]),
        y=_end_to_end([each.y for each in examples]),
        weights=None if first.weights is None else _end_to_end([each.weights for each in examples]),
        learnt=_end_to_end([each.learnt for each in examples]) + starts,
        judged=_end_to_end([each.judged for each in examples]) + starts,
        models=count,
    )


def _end_to_end(arrays: Sequence[Any]) -> Any:  # noqa: ANN401 - of whatever numbers
    return np.concatenate(arrays)


class _Together(Run):
    """The changing state of several models that learn at once, each until its own end."""

    def __init__(self, course: Course, examples: Examples) -> None:
        super().__init__(course, examples)
        self.each = np.arange(len(course.parameters)).reshape(course.models, -1)
        self.curves: dict[int, list[Array]] = {}
        self.ended: dict[int, Trained] = {}

    def trained_all(self) -> list[Trained]:
        """See every row once, and again, until all have ended."""
        while len(self.ended) < self.course.models:
            self.before[:] = self.course.parameters
            learnt = self.learn()
            if learnt is None:
                raise Cancelled
            self.judge(learnt)
            self.rate = self.next_rate()
            for reason, models in self._endings().items():
                self._end(models, reason)
        return [self.ended[model] for model in range(self.course.models)]

    def note(self, curve: list[float], losses: PerMember) -> None:
        """Add the mean over the members of all to a curve, and those of each model to its own."""
        super().note(curve, losses)
        members = losses.reshape(self.each.shape).astype(np.float64)
        mean = sum(members.T, start=np.zeros(len(members))) / members.shape[1]  # in one order, whoever is beside
        self.curves.setdefault(id(curve), []).append(mean)

    def _endings(self) -> dict[str, list[int]]:
        """Tell which models stop after this epoch, by the reason."""
        config, epoch = self.config, len(self.losses)
        last = self.course.control.ending(epoch) if epoch < (config.epochs or 0) else "epochs"
        converged = self.curves[id(self.losses)][-1] - self.course.loss.floor < config.tolerance
        stalled = epoch - self.best_epochs.reshape(self.each.shape).max(axis=1)
        impatient = stalled >= (config.patience or np.inf)
        found: dict[str, list[int]] = {}
        if last is None and not (converged | impatient).any():
            return found
        for model in range(self.course.models):
            reason = "converged" if converged[model] else "patience" if impatient[model] else last
            if reason is not None and model not in self.ended:
                found.setdefault(reason, []).append(model)
        return found

    def _end(self, models: list[int], stopped: str) -> None:
        """Keep each member's best parameters of some models, or the last; the others go on."""
        members = len(self.each[0])
        parameters, losses, epochs = self.kept(self.each[models].reshape(-1))
        curves = [np.array(self.curves.get(id(curve), [])) for curve in (self.losses, self.validation_losses)]
        for number, model in enumerate(models):
            own = slice(number * members, (number + 1) * members)
            history = History(*(curve[:, model].copy() if curve.size else np.empty(0) for curve in curves))
            unseen = None if self.recording is None else self.recording.fair(model)
            self.ended[model] = Trained(
                parameters[own], history, float(losses[own].mean()), tuple(epochs[own].tolist()), stopped, unseen
            )
