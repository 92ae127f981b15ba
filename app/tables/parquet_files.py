"""Datasets as Parquet: written group by group from a stream, and read whole or as a sample that fits."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import IOBase
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from app.engine.arrays import Index
from app.errors import BadTable, Fault, TableTooLarge
from app.tables.table import Table
from app.tables.texts import Arrow

GROUP_ROWS = 2**17
MOST_TEXT = 2**31 - 1  # an array holds no more
GROUP_BYTES = 32 * 2**20
MOST_ROWS = 10**9 - 1  # more cannot be sampled
SAMPLING = 1  # sets these random numbers apart from those of the training with the same seed


@dataclass(frozen=True)
class Draw:
    """Some rows of a file, any set of so many being as likely as any other: how many of each group, and which."""

    sizes: tuple[int, ...]
    """How many rows each group has,"""
    counts: tuple[int, ...]
    """and how many of them are drawn."""
    seed: int

    @classmethod
    def all_of(cls, file: parquet.ParquetFile, seed: int) -> "Draw":
        """Take all rows."""
        sizes = tuple(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
        return cls(sizes, sizes, seed)

    @property
    def rows(self) -> int:
        """How many rows are drawn."""
        return sum(self.counts)

    def few(self, most: int) -> "Draw":
        """Draw so many of these rows, or all; the seed decides."""
        rng = np.random.default_rng((self.seed, SAMPLING, most))
        left, wanted, counts = self.rows, min(most, self.rows), []
        for count in self.counts:
            counts.append(int(rng.hypergeometric(count, left - count, wanted)))
            left, wanted = left - count, wanted - counts[-1]
        return replace(self, counts=tuple(counts))

    def places(self, group: int, but: "Draw | None" = None) -> Index:
        """Tell which rows of a group are drawn, in their order, without those of a draw from these."""
        order = np.random.default_rng((self.seed, SAMPLING, group)).permutation(self.sizes[group])
        return np.sort(order[but.counts[group] if but else 0 : self.counts[group]])

    def place(self, row: int) -> int:
        """Tell where in the file a row of these stands."""
        before = 0
        for group, (size, count) in enumerate(zip(self.sizes, self.counts, strict=True)):
            if row < count:
                return before + int(self.places(group)[row])
            before, row = before + size, row - count
        raise IndexError(row)

    def read(self, file: parquet.ParquetFile, group: int, but: "Draw | None" = None) -> Arrow:
        """Read those rows of a group."""
        whole = but is None and self.counts[group] == self.sizes[group]
        table = file.read_row_group(group, use_threads=False)
        return table if whole else table.take(self.places(group, but))


def write(sink: IOBase, batches: Iterable[Arrow]) -> int:
    """Write batches of one schema, of which there is at least one, and count the rows; raise as `batches` does."""
    writer, rows = None, 0
    try:
        for group in _groups(batches):
            rows += group.num_rows
            if rows > MOST_ROWS:
                raise TableTooLarge(rows, group.num_columns, MOST_ROWS * group.num_columns)
            if writer is None:
                writer = _writer(sink, group.schema)
            writer.write_table(group, group.num_rows)
    finally:
        if writer is not None:
            try:
                writer.close()
            finally:
                writer.is_open = False  # what could not be closed is not tried again when it is collected
    return rows


def opened(source: BinaryIO) -> parquet.ParquetFile:
    """Open a file to be read group by group."""
    return parquet.ParquetFile(source)


def groups(file: parquet.ParquetFile) -> Iterator[Arrow]:
    """Give a file group by group."""
    draw = Draw.all_of(file, seed=0)
    return (draw.read(file, group) for group in range(file.num_row_groups))


def read(file: parquet.ParquetFile, draw: Draw, *, most_text: int = MOST_TEXT) -> Table:
    """Read the rows of a draw, in their order; raise BadTable for too much text."""
    there = [group for group, count in enumerate(draw.counts) if count]
    table = pa.concat_tables(_short((draw.read(file, group) for group in there), most_text))
    return Table(tuple(table.column_names), table.columns)


def _short(found: Iterable[Arrow], most: int) -> Iterator[Arrow]:
    """Pass groups on; raise BadTable once a column has more text than a table that is read at once should hold."""
    lengths: Counter[str] = Counter()
    for group in found:
        for field in group.schema:
            if pa.types.is_string(field.type):
                lengths[field.name] += group.column(field.name).nbytes
        if lengths.total() > most:
            longest = max(lengths, key=lambda name: lengths[name])
            message = f"The texts are longer than {most} bytes. Leave column {longest} out of the dataset."
            raise BadTable(message, [Fault("shorter texts", column=longest)])
        yield group


def _groups(batches: Iterable[Arrow]) -> Iterator[Arrow]:
    """Put batches together until there are enough for a group of the file."""
    waiting: list[Arrow] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _writer(sink: IOBase, schema: pa.Schema) -> parquet.ParquetWriter:
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return parquet.ParquetWriter(sink, schema, compression="zstd", compression_level=1, use_dictionary=texts or False)
