"""Rows of a dataset: all of them, or as many as one training may take; those that memory does not hold are streamed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.api.parts import Limits
from app.errors import InputError
from app.jobs.budget import most_rows, most_streamed, within
from app.models.defaults import Problem, labels_of, problem_of
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.store.datasets import DatasetStore
from app.tables.blocks import Plan
from app.tables.cells import rows_at
from app.tables.draws import DatasetFile, Draw
from app.tables.reading import Likeness, training_rows
from app.tables.sent import Sent
from app.tables.summaries import ColumnSummary

GLANCED_CELLS = 2**16  # to tell how much can be learnt
AT_HAND_CELLS, AT_HAND_ROWS, AT_HAND_SHARE = 2**19, 2**16, 0.1  # of what is streamed, to scale and to judge by
LEAST_AT_HAND = 100


class Chosen(NamedTuple):
    """Rows at hand, what is to be said of them, and what else is learnt, if there is more."""

    rows: TrainingRows
    notes: tuple[str, ...] = ()
    plan: Plan | None = None

    def problem(self, one_hot: int) -> Problem:
        """Tell what is to be learnt."""
        more = None if self.plan is None else self.plan.more
        return problem_of(self.rows, labels_of(self.rows), one_hot, more)


def choose(sent: Sent, dataset: str, recipe: Recipe, limits: Limits, datasets: DatasetStore) -> Chosen:
    """Read a dataset, or draw from it as many rows as one training may take, and say so.

    Raises DatasetNotFound or DatasetDamaged, and as `training_rows` does.
    """
    with datasets.verified(dataset) as source:
        file = DatasetFile(source, dataset)
        everything = Draw.all_of(file, recipe.training.seed)
        most = max(1, limits.bounds.cells // file.width)
        glanced = everything.few(min(most, max(1, GLANCED_CELLS // file.width)))
        if glanced.rows == everything.rows:
            return Chosen(_Reading(file, sent, recipe).all_of(everything))
        columns = datasets.find(dataset).document.columns
        reading = _Reading(file, _of_kinds(sent, columns), recipe)
        rows, budget = reading.shape(glanced, columns), within(limits.training, limits.training_seconds)
        fits = most_rows(rows, recipe, budget, min(everything.rows, most))
        if fits == everything.rows:
            return Chosen(_Reading(file, sent, recipe).all_of(everything))
        drawn, at_hand = _streamed(everything, fits, most_streamed(rows, recipe, budget, everything.rows), file.width)
        is_sample = at_hand is drawn
        at_hand, likeness = reading.with_what_is_rare(at_hand)
    few = f"Learnt from a random {drawn.rows} of {everything.rows} rows, as many as one training may take."
    notes = (few,) if drawn.rows < everything.rows else ()
    if is_sample:
        return Chosen(likeness.at_hand, notes)
    if drawn.rows == everything.rows:
        likeness = likeness.described(columns)
    return Chosen(likeness.at_hand, notes, Plan(dataset, likeness, drawn, at_hand))


def _streamed(everything: Draw, fits: int, most: int, width: int) -> tuple[Draw, Draw]:
    """Draw the rows to learn from, and those of them to be at hand: all, where streaming brings no more of them."""
    share = max(LEAST_AT_HAND, int(AT_HAND_SHARE * most))
    few = min(fits, share, AT_HAND_ROWS, max(1, AT_HAND_CELLS // width))
    if most < fits + few:
        drawn = everything.few(fits)
        return drawn, drawn
    drawn = everything.few(most)
    return drawn, drawn.few(few)


def _of_kinds(sent: Sent, columns: Sequence[ColumnSummary]) -> Sent:
    """State the kinds that all rows have shown, for a few of them may look otherwise."""
    shown = {column.name: column.kind for column in columns if column.name != sent.weight}
    return replace(sent, kinds=shown | dict(sent.kinds))


@dataclass(frozen=True)
class _Reading:
    """How rows of a dataset are read for a training."""

    file: DatasetFile
    sent: Sent
    recipe: Recipe

    def all_of(self, everything: Draw) -> TrainingRows:
        """Read all rows."""
        sent = replace(self.sent, table=self.file.read(everything))
        return training_rows(sent, task=self.recipe.task, wants_labels=self.recipe.wants_labels)

    def of(self, draw: Draw) -> Likeness:
        """Read the rows of a draw; what does not fit is told by its place in the dataset."""
        with _saying_of_how_many(draw), rows_at(draw.place):
            sent = replace(self.sent, table=self.file.read(draw))
            return Likeness.of(sent, self.recipe.task, self.recipe.wants_labels)

    def shape(self, draw: Draw, columns: Sequence[ColumnSummary]) -> TrainingRows:
        """Read a few rows to tell what learning all of them takes, whatever their weights and classes are."""
        rows = replace(self, sent=replace(self.sent, weight=None)).of(draw).at_hand
        if self.sent.like is not None:
            return replace(rows, y=self.sent.like.labels or rows.y)
        if not isinstance(rows.y, tuple):
            return rows
        counted = next(column.level_count for column in columns if column.name == rows.targets[0])
        return replace(rows, y=tuple(range(max(2, counted or 0, len(set(rows.y))))))

    def with_what_is_rare(self, draw: Draw) -> tuple[Draw, Likeness]:
        """Read the rows of a draw, and some of each class, or of the weight, that it lacks; give all that was read."""
        likeness = self.of(draw)
        others = likeness.others(self.file)
        if not others:
            return draw, likeness
        draw = draw.and_also(others)
        return draw, self.of(draw)


@contextmanager
def _saying_of_how_many(draw: Draw) -> Iterator[None]:
    """Say with what is wrong that not all rows were looked at."""
    try:
        yield
    except InputError as error:
        if draw.rows < sum(draw.sizes):
            error.args = (f"{error} Looked at were {draw.rows} of {sum(draw.sizes)} rows.",)
        raise
