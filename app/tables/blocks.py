"""Blocks: the rows of a dataset that is too long for memory, some row groups at a time, in any order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from app.engine.arrays import Randomness
from app.engine.model import Model
from app.engine.table import TrainingRows
from app.tables.cells import Faults, count
from app.tables.parquet_files import Draw, opened
from app.tables.reading import UNFIT, Likeness
from app.tables.table import Table
from app.tables.texts import Arrow

BLOCK_CELLS = 2**22


@dataclass(frozen=True)
class Plan:
    """What is learnt of a dataset: all rows of a draw, of which a smaller draw is at hand."""

    likeness: Likeness
    drawn: Draw
    at_hand: Draw


class Blocks:
    """The rows of a plan that are not at hand, as the engine's MoreRows.

    What the rows at hand say nothing of, a class or a missing value where they have none, is left out.
    """

    def __init__(self, file: BinaryIO, plan: Plan) -> None:
        """Read all rows once, to see which can be learnt; raise BadTable that names the cells that do not fit."""
        self.file, self.plan = opened(file), plan
        at_hand = plan.likeness.at_hand
        self.never_missing = ~np.isnan(at_hand.X).any(axis=0)
        self.labels = frozenset(at_hand.y) if isinstance(at_hand.y, tuple) else None
        self.count = 0
        faults, start = Faults(), 0
        for group, size in enumerate(plan.drawn.sizes):
            found = Faults()
            rows = self._read(self._table(group), found)
            if found.total:
                faults.add_those(found, (start + plan.drawn.places(group, plan.at_hand)).tolist())
            else:
                self.count += len(rows.X)
            start += size
        faults.raise_any(UNFIT)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how many rows cannot be learnt, if there are some."""
        left_out = self.plan.drawn.rows - self.plan.at_hand.rows - self.count
        why = "they have a class, or miss a value, that none of the rows has by which the model is judged"
        return (f"{count(left_out, 'row')} left out: {why}.",) if left_out else ()

    def blocks(self, rng: Randomness) -> Iterator[TrainingRows]:
        """Put some row groups together at a time, drawn anew from all."""
        waiting: list[Arrow] = []
        order = rng.permutation(len(self.plan.drawn.sizes)).tolist()
        for group in order:
            waiting.append(self._table(group))
            if group == order[-1] or sum(table.num_rows * table.num_columns for table in waiting) >= BLOCK_CELLS:
                rows = self._read(pa.concat_tables(waiting), Faults())
                waiting = []
                if len(rows.X):
                    yield rows

    def _table(self, group: int) -> Arrow:
        return self.plan.drawn.read(self.file, group, self.plan.at_hand)

    def _read(self, table: Arrow, faults: Faults) -> TrainingRows:
        """Read rows, and leave out those that cannot be learnt."""
        likeness = self.plan.likeness
        if not table.num_rows:
            return likeness.at_hand.part(np.empty(0, np.intp))
        rows = likeness.read(Table(tuple(table.column_names), table.columns), faults)
        known = ~np.isnan(rows.X[:, self.never_missing]).any(axis=1)
        if self.labels is not None:
            known &= np.array([label in self.labels for label in rows.y], dtype=np.bool_)
        return rows if known.all() else rows.part(np.flatnonzero(known))


def widened(model: Model) -> Model:
    """Take as trained ranges those of the columns as they were sent, which are of more rows than were at hand."""
    ends = {source.name: (source.lowest, source.highest) for source in model.sources if source.kind != "date"}
    encoder, names = model.encoder, [column.name for column in model.columns]
    lowest, highest = encoder.lowest.copy(), encoder.highest.copy()
    for index, (low, high) in ((index, ends[name]) for index, name in enumerate(names) if name in ends):
        if low is not None:
            lowest[index], highest[index] = low, high
    return replace(model, encoder=replace(encoder, lowest=lowest, highest=highest))
