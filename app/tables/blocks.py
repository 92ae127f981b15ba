"""Blocks: the rows of a dataset that is too long for memory, some row groups at a time, in any order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from app.engine.arrays import Randomness
from app.errors import BadTable, UnsuitableTarget
from app.faults import Fault
from app.models.model import Model
from app.models.table import Source, TrainingRows
from app.tables.answering import UNFIT
from app.tables.arrow import pa
from app.tables.cells import Faults, count
from app.tables.draws import DatasetFile, Draw
from app.tables.ends import Ends
from app.tables.reading import Likeness
from app.tables.table import Table
from app.tables.texts import Arrow

BLOCK_CELLS, BLOCK_BYTES = 2**22, 2**26
WHY_LEFT_OUT = "they have a class, or miss a value, that none of the rows has by which the model is judged"
NO_WEIGHT = (
    "All rows that would be learnt weigh 0, unlike some of those held back to judge by. "
    "Leave rows of weight 0 out of the dataset."
)
PART_RANGES = {"month": (1.0, 12.0), "day": (1.0, 31.0), "weekday": (0.0, 6.0), "hour": (0.0, 24.0)}


@dataclass(frozen=True)
class Plan:
    """What is learnt of a dataset: the rows of a draw, but for those of another, which are at hand."""

    dataset: str
    likeness: Likeness
    drawn: Draw
    at_hand: Draw

    @property
    def more(self) -> int:
        """How many rows are not at hand."""
        return self.drawn.rows - self.at_hand.rows


class Blocks:
    """The rows of a plan that are not at hand, as the engine's MoreRows.

    What the rows at hand say nothing of, a class or a missing value where they have none, is left out.
    """

    def __init__(self, file: BinaryIO, plan: Plan) -> None:
        """Read all rows once, to see which can be learnt; raise BadTable that names the cells that do not fit."""
        self.file, self.plan = DatasetFile(file, plan.dataset), plan
        at_hand = plan.likeness.at_hand
        self.never_missing = ~np.isnan(at_hand.X).any(axis=0)
        self.labels = frozenset(at_hand.y) if isinstance(at_hand.y, tuple) else None
        self.ends = Ends(at_hand)
        self.count = self.left_out = 0
        faults, start, weigh = Faults(), 0, False
        for group, size in enumerate(self.file.sizes):
            found, table = Faults(), self._table(group)
            rows = self._read(table, found)
            if found.total:
                faults.add_those(found, (start + plan.drawn.places(group, plan.at_hand)).tolist())
            self.ends.add(rows)
            weigh = weigh or rows.weights is None or bool(rows.weights.any())
            self.count += len(rows.X)
            self.left_out += table.num_rows - len(rows.X)
            start += size
        faults.raise_any(UNFIT)
        if not self.count:
            message = f"No row can be learnt: {WHY_LEFT_OUT}."
            raise UnsuitableTarget(message)
        if not weigh:
            raise BadTable(NO_WEIGHT, [Fault("more numbers above 0", column=plan.likeness.sent.weight)])

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how many rows cannot be learnt, and warn of what has one value in all others and those at hand."""
        left_out = (f"{count(self.left_out, 'row')} left out: {WHY_LEFT_OUT}.",) if self.left_out else ()
        return *left_out, *self.ends.warnings()

    def blocks(self, rng: Randomness) -> Iterator[TrainingRows]:
        """Put some row groups together at a time, drawn anew from all."""
        waiting: list[Arrow] = []
        order = rng.permutation(len(self.file.sizes)).tolist()
        for group in order:
            waiting.append(self._table(group))
            cells, size = (sum(each) for each in zip(*map(_size, waiting), strict=True))
            if group == order[-1] or cells >= BLOCK_CELLS or size >= BLOCK_BYTES:
                rows = self._read(pa.concat_tables(waiting), Faults())
                waiting = []
                if len(rows.X):
                    yield rows

    def _table(self, group: int) -> Arrow:
        return self.file.part(self.plan.drawn, group, self.plan.at_hand)

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


def _size(table: Arrow) -> tuple[int, int]:
    return table.num_rows * table.num_columns, table.nbytes


def widened(model: Model) -> Model:
    """Take as trained ranges those of the columns as they were sent, which are of more rows than were at hand."""
    ends = {name: range_ for source in model.sources for name, range_ in _ranges(source)}
    lowest, highest = model.encoder.lowest.copy(), model.encoder.highest.copy()
    for index, column in enumerate(model.columns):
        low, high = ends.get(column.name, (lowest[index], highest[index]))
        lowest[index], highest[index] = min(low, lowest[index]), max(high, highest[index])
    return replace(model, encoder=replace(model.encoder, lowest=lowest, highest=highest))


def _ranges(source: Source) -> Iterator[tuple[str, tuple[float, float]]]:
    """Tell the ranges of the columns that a column becomes; of a date that spans years, they are those of calendars."""
    low, high = source.lowest, source.highest
    if isinstance(low, float) and isinstance(high, float):
        yield source.name, (low, high)
    if isinstance(low, str) and isinstance(high, str):
        years = float(low[:4]), float(high[:4])
        for part, name in zip(source.parts, source.columns, strict=True):
            if part == "year" or years[0] < years[1]:
                yield name, PART_RANGES.get(part, years)
