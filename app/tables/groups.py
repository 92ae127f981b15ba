"""Groups of a table by a column: which rows are of each, and what each group's columns hold."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Index
from app.errors import BadTable
from app.faults import Fault
from app.models.table import Label, Source, TrainingRows
from app.tables.arrow import pc
from app.tables.cells import Faults, closest, names
from app.tables.columns import NUMBERS, Values, describe_levels, describe_numbers
from app.tables.raw import RawColumn
from app.tables.reading import labelled_table, training_rows
from app.tables.sent import Sent
from app.tables.texts import as_numpy


class Grouped(NamedTuple):
    """All rows of a table, those of a group side by side, and the groups, those of like size side by side."""

    rows: TrainingRows
    groups: tuple[str, ...]
    """What the column said of each."""
    ends: tuple[int, ...]
    """Where the rows of each end; the next one's begin there."""


Fits = Callable[[str], bool]


def grouped_rows(sent: Sent, by: str, fits: Fits, *, task: str | None, wants_labels: bool | None) -> Grouped:
    """Read rows to learn from, group by group; the column that tells the groups is no input.

    Raises BadTable for a column that is not there or is learnt, and for a cell that is missing or does not fit; and as
    `training_rows` does.
    """
    table, targets = labelled_table(sent)
    if by in (*targets, sent.weight) or by not in table.columns:
        message = f"The groups are told by a column of their own, of the rows, which are: {names(table.columns)}."
        instead = closest(by, (other for other in table.columns if other != by))
        raise BadTable(message, [Fault("another column", column=by, field="group_by", instead=instead)])
    groups, of = _groups(table.column(by), fits)
    kinds = {name: kind for name, kind in sent.kinds.items() if name != by}
    bare = replace(
        sent, table=table.without([by]), target=targets, rows=None, columns=None, X=None, y=None, kinds=kinds
    )
    rows = training_rows(bare, task=task, wants_labels=wants_labels)
    sizes = np.bincount(of, minlength=len(groups))
    order = np.lexsort((np.arange(len(groups)), sizes))  # groups as they come, of each size
    rank = np.empty_like(order)
    rank[order] = np.arange(len(groups))
    return Grouped(
        rows.part(np.argsort(rank[of], kind="stable")),
        tuple(groups[group] for group in order.tolist()),
        tuple(np.cumsum(sizes[order]).tolist()),
    )


def _groups(column: RawColumn, fits: Fits) -> tuple[list[str], Index]:
    """Name the groups, in the order in which they come, and tell which each row is of."""
    coded = column.texts.dictionary_encode()
    groups: list[str] = coded.dictionary.to_pylist()
    of: Index = as_numpy(pc.fill_null(coded.indices, len(groups))).astype(np.intp)
    unfit = np.array([*(not fits(group) for group in groups), True])
    faults = Faults()
    faults.add_cells(column.cell, np.flatnonzero(unfit[of]), lambda _row: "part of a model's name", column=column.name)
    faults.raise_any(
        f"Models are called as their groups are, after a name and a dot, and with these some cells of {column.name} "
        "are no name: 1 to 63 of a-z, 0-9, dot, dash and underscore, with no two dots in a row. Send other words, or "
        "numbers, in their place, or another name."
    )
    return groups, of


def described(rows: TrainingRows) -> TrainingRows:
    """Say of each column what it holds in these rows; of dates, what it holds in the table that they are a part of."""
    position = {column.name: index for index, column in enumerate(rows.columns)}

    def told(source: Source) -> Source:
        if source.parts:
            return source
        index = position[source.name]
        column, values = rows.columns[index], rows.X[:, index].astype(np.float64, copy=False)
        source = replace(source, missing=float(np.isnan(values).mean()), example=_example(column.levels, values))
        if source.kind in NUMBERS:
            return describe_numbers(replace(source, lowest=None, highest=None), values)
        return describe_levels(source, column, values)

    return replace(rows, sources=tuple(map(told, rows.sources)))


def _example(levels: tuple[Label, ...], values: Values) -> Label | float | None:
    first: list[float] = values[np.isfinite(values)][:1].tolist()
    if not first:
        return None
    return levels[int(first[0])] if levels else first[0]
