"""Grouping: what a training process does for a job that makes a model of each group, some hundred groups a call.

What is done is known by the catalogue: whoever goes on with the job begins with the first group that it does not list.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from math import fsum
from pathlib import Path
from sys import maxsize
from typing import NamedTuple

import numpy as np

from app.engine.control import Control, Progress, Wish
from app.errors import ShuttingDown, Unforeseen
from app.jobs.orders import Groups, Order
from app.jobs.progress import LEAVE, Note, NoteWriter
from app.models.groups import learn_groups
from app.models.model import Model
from app.models.table import TrainingRows
from app.store.saving import Saved, save_all_aside
from app.tables.ends import Ends
from app.tables.groups import described

MOST_AT_ONCE, MOST_CELLS = 500, 2**21  # groups, and cells of their rows, that are learnt and saved by one call
METRICS = {"regression": "rmse", "classification": "log_loss", "multilabel": "log_loss"}


class GroupEnd(NamedTuple):
    """What came of a group: a snapshot and how well it answers rows held out, or why there is none."""

    name: str
    saved: Saved | None = None
    metric: str | None = None
    score: float | None = None
    error: str | None = None


class SavedGroups(NamedTuple):
    """What came of some groups in a row, the first of which has this place."""

    begin: int
    ends: list[GroupEnd]
    is_last: bool

    @property
    def end(self) -> int:
        """The place after the last."""
        return self.begin + len(self.ends)

    @property
    def names(self) -> list[str]:
        """The models that were made."""
        return [end.name for end in self.ends if end.saved is not None]

    @property
    def saves(self) -> list[Saved]:
        """What was written aside."""
        return [end.saved for end in self.ends if end.saved is not None]


class LearntGroups(NamedTuple):
    """The models of some groups in a row, or why there is none, the first of which has this place."""

    begin: int
    names: tuple[str, ...]
    outcomes: list[Model | str]
    is_last: bool


def learn_some(order: Order, groups: Groups, note: Note, begin: int) -> LearntGroups:
    """Learn some groups from a place on; raise Cancelled or ShuttingDown where that is wished."""
    with closing(NoteWriter(note)) as writer:
        writer.hold(begin)
        control = Control(wish=lambda: _wish(writer), most_epochs=order.max_epochs or maxsize)
        control.ends_now()
        end = begin + _how_many(groups.sizes[begin:], order.rows.X.shape[1])
        starts = (0, *groups.ends)
        parts = [order.rows.part(np.arange(starts[place], starts[place + 1])) for place in range(begin, end)]
        learnt = learn_groups([described(part) for part in parts], order.recipe, control)
        outcomes = [
            _told(outcome, part, order) if isinstance(outcome, Model) else str(outcome)
            for outcome, part in zip(learnt, parts, strict=True)
        ]
        if models := [outcome for outcome in outcomes if isinstance(outcome, Model)]:
            writer(Progress(end, len(groups.names), *_losses(models)))
    return LearntGroups(begin, groups.names[begin:end], outcomes, is_last=end == len(groups.names))


def save_some(learnt: LearntGroups, root: Path, note: Note) -> SavedGroups:
    """Save what was learnt aside; raise StorageFull or StorageError."""
    models = [outcome for outcome in learnt.outcomes if isinstance(outcome, Model)]
    saved = iter(save_all_aside(root, models, note.word))
    ends = [
        _ended(name, outcome, next(saved)) if isinstance(outcome, Model) else GroupEnd(name, error=outcome)
        for name, outcome in zip(learnt.names, learnt.outcomes, strict=True)
    ]
    return SavedGroups(learnt.begin, ends, learnt.is_last)


def _wish(writer: NoteWriter) -> Wish:
    """Tell what is wished; whoever would keep the best has what is saved already. Raises ShuttingDown."""
    if writer.wish == LEAVE:
        raise ShuttingDown
    return Wish.GO_ON if writer.wish == b"\0" else Wish.CANCEL


def _how_many(sizes: Sequence[int], columns: int) -> int:
    """Tell how many groups of these sizes are learnt by one call: one at least."""
    cells = np.cumsum(sizes[:MOST_AT_ONCE]) * columns
    return max(1, int((cells <= MOST_CELLS).sum()))


def _told(model: Model, rows: TrainingRows, order: Order) -> Model:
    """Say of a model what was ordered."""
    warnings = (*model.report.warnings, *order.notes, *Ends(rows).warnings())
    return replace(
        model,
        report=replace(model.report, warnings=warnings),
        tags=order.tags,
        description=order.description,
        weight=order.weight,
        kinds=order.kinds,
    )


def _ended(name: str, model: Model, saved: Saved | None) -> GroupEnd:
    if saved is None:
        return GroupEnd(name, error=Unforeseen.usual)
    metric = METRICS[str(model.recipe.task)]
    score = model.report.metrics.get("validation", {}).get(metric)
    return GroupEnd(name, saved, None if score is None else metric, score)


def _losses(models: Sequence[Model]) -> tuple[float, float | None]:
    """Average the last losses of models, on the rows that they learnt and on those held out, where there were any."""
    judged = [curve for curve in (model.history.validation_loss for model in models) if curve.size]
    loss = fsum(model.history.loss[-1] for model in models) / len(models)
    return loss, fsum(curve[-1] for curve in judged) / len(judged) if judged else None
