"""Draws: some rows of a dataset, and the file that they are read from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from app.engine.arrays import Index
from app.errors import BadTable, DatasetDamaged
from app.faults import Fault
from app.tables.arrow import pa, parquet
from app.tables.table import Table
from app.tables.texts import Arrow

MOST_TEXT = 2**31 - 1  # an array holds no more
SAMPLING = 1  # sets these random numbers apart from those of the training with the same seed


@dataclass(frozen=True)
class Draw:
    """Some rows of a file, any set of so many being as likely as any other: how many of each group, and which."""

    sizes: tuple[int, ...]
    """How many rows each group has,"""
    counts: tuple[int, ...]
    """and how many of them are drawn."""
    seed: int
    also: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Rows that are chosen beside: by group, their places."""

    @classmethod
    def all_of(cls, file: "DatasetFile", seed: int) -> "Draw":
        """Take all rows."""
        return cls(file.sizes, file.sizes, seed)

    @property
    def rows(self) -> int:
        """How many rows these are."""
        return sum(self.counts) + sum(map(len, self.also.values()))

    @property
    def groups(self) -> list[int]:
        """In which groups there are some."""
        return [group for group, count in enumerate(self.counts) if count or group in self.also]

    def few(self, most: int) -> "Draw":
        """Draw so many of these rows, or all; the seed decides."""
        rng = np.random.default_rng((self.seed, SAMPLING, most))
        left, wanted, counts = sum(self.counts), min(most, sum(self.counts)), []
        for count in self.counts:
            counts.append(int(rng.hypergeometric(count, left - count, wanted)))
            left, wanted = left - count, wanted - counts[-1]
        return replace(self, counts=tuple(counts))

    def and_also(self, places: Mapping[int, Sequence[int]]) -> "Draw":
        """Add some rows by their places in their groups, but for those that are drawn already."""
        others = {group: np.setdiff1d(more, self.places(group)) for group, more in places.items()}
        return replace(self, also={group: tuple(more.tolist()) for group, more in others.items() if len(more)})

    def places(self, group: int, but: "Draw | None" = None) -> Index:
        """Tell which rows of a group these are, in their order, without those of another draw."""
        order = np.random.default_rng((self.seed, SAMPLING, group)).permutation(self.sizes[group])
        chosen = np.array(self.also.get(group, ()), dtype=np.intp)
        own = np.sort(np.concatenate([order[: self.counts[group]], chosen]))
        return own if but is None else np.setdiff1d(own, but.places(group), assume_unique=True)

    def place(self, row: int) -> int:
        """Tell where in the file a row of these stands."""
        for group, drawn in enumerate(self.counts):
            count = drawn + len(self.also.get(group, ()))
            if row < count:
                return sum(self.sizes[:group]) + int(self.places(group)[row])
            row -= count
        raise IndexError(row)


class DatasetFile:
    """A dataset's Parquet file, read group by group; raises DatasetDamaged if that cannot be done any more."""

    def __init__(self, source: BinaryIO, dataset: str = "") -> None:
        self.file, self.dataset = parquet.ParquetFile(source), dataset
        metadata = self.file.metadata
        self.width = metadata.num_columns
        self.sizes = tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))

    def group(self, group: int, columns: Sequence[str] | None = None) -> Arrow:
        """Read a group, or some of its columns."""
        try:
            return self.file.read_row_group(group, columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:  # it was whole when it was opened
            message = "its Parquet file has changed since"
            raise DatasetDamaged(self.dataset, message) from error

    def part(self, draw: Draw, group: int, but: Draw | None = None) -> Arrow:
        """Read the rows of a group that are of a draw, and not of another."""
        table = self.group(group)
        places = draw.places(group, but)
        return table if len(places) == table.num_rows else table.take(places)

    def read(self, draw: Draw, *, most_text: int = MOST_TEXT) -> Table:
        """Read the rows of a draw, in their order; raise BadTable for too much text."""
        table = pa.concat_tables(_short((self.part(draw, group) for group in draw.groups), most_text))
        return Table(tuple(table.column_names), table.columns)


def _short(found: Iterable[Arrow], most: int) -> Iterator[Arrow]:
    """Pass groups on; raise BadTable once a column has more text than a table that is read at once should hold."""
    lengths: Counter[str] = Counter()
    for group in found:
        for column in group.schema:
            if pa.types.is_string(column.type):
                lengths[column.name] += group.column(column.name).nbytes
        if lengths.total() > most:
            longest = max(lengths, key=lambda name: lengths[name])
            message = f"The texts are longer than {most} bytes. Leave column {longest} out of the dataset."
            raise BadTable(message, [Fault("shorter texts", column=longest)])
        yield group
