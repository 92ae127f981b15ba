"""Rows of a dataset: all of them, or as many as one training may take; those that memory does not hold are streamed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from app.api.parts import Limits
from app.engine.recipe import Recipe
from app.engine.table import TrainingRows
from app.errors import InputError
from app.jobs.budget import most_rows, most_streamed
from app.store.datasets import DatasetStore
from app.tables.blocks import Plan
from app.tables.parquet_files import Draw, opened, read
from app.tables.reading import Likeness, Sent
from app.tables.summaries import ColumnSummary

GLANCED_CELLS = 2**16  # to tell how much can be learnt
AT_HAND_CELLS, AT_HAND_ROWS = 2**19, 2**16  # of what is streamed, to scale and to judge by
OPERATIONS_A_SECOND = 3e10  # that even a busy processor does: what is chosen for a training is to end in its time


class Chosen(NamedTuple):
    """Rows at hand, what is to be said of them, and what else is learnt, if there is more."""

    rows: TrainingRows
    notes: tuple[str, ...] = ()
    plan: Plan | None = None


def choose(sent: Sent, dataset: str, recipe: Recipe, limits: Limits, datasets: DatasetStore) -> Chosen:
    """Read a dataset, or draw from it as many rows as one training may take, and say so.

    Raises DatasetNotFound or DatasetDamaged, and as `training_rows` does.
    """
    budget = limits.training
    budget = budget._replace(operations=min(budget.operations, limits.training_seconds * OPERATIONS_A_SECOND))
    with datasets.verified(dataset) as source:
        file = opened(source)
        everything = Draw.all_of(file, recipe.training.seed)
        total, width = everything.rows, file.metadata.num_columns

        def read_rows(draw: Draw) -> Likeness:
            with _rows_of(draw):
                return Likeness.of(replace(sent, table=read(file, draw)), recipe.task, recipe.wants_labels)

        if total * width > limits.bounds.cells:
            sent = _of_kinds(sent, datasets.find(dataset).document.columns)
        glanced = everything.few(max(1, min(limits.bounds.cells, GLANCED_CELLS) // width))
        rows = read_rows(glanced).at_hand
        if glanced.rows == total:
            return Chosen(rows)
        fits = most_rows(rows, recipe, budget, min(total, limits.bounds.cells // width))
        drawn = everything.few(max(fits, most_streamed(rows, recipe, budget, total)))
        at_hand = drawn
        if drawn.rows > fits:
            at_hand = drawn.few(min(fits, AT_HAND_ROWS, max(1, AT_HAND_CELLS // width)))
        likeness = read_rows(at_hand)
    few = f"Learnt from a random {drawn.rows} of {total} rows, as many as one training may take."
    notes = (few,) if drawn.rows < total else ()
    if at_hand is drawn:
        return Chosen(likeness.at_hand, notes)
    if drawn.rows == total:
        likeness = likeness.described(datasets.find(dataset).document.columns)
    return Chosen(likeness.at_hand, notes, Plan(likeness, drawn, at_hand))


def _of_kinds(sent: Sent, columns: Sequence[ColumnSummary]) -> Sent:
    """State the kinds that all rows have shown, for a few of them may look otherwise."""
    shown = {column.name: column.kind for column in columns if column.name != sent.weight}
    return replace(sent, kinds=shown | dict(sent.kinds))


@contextmanager
def _rows_of(draw: Draw) -> Iterator[None]:
    """Tell in faults where a row of a draw stands in the dataset."""
    try:
        yield
    except InputError as error:
        error.faults = tuple(
            fault if fault.row is None else replace(fault, row=draw.place(fault.row)) for fault in error.faults
        )
        raise
