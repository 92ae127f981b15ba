"""Datasets as Parquet: written group by group from a stream, and read whole or as a sample that fits."""

from collections import Counter
from collections.abc import Iterable, Iterator
from io import IOBase
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from app.errors import BadTable, Fault, TableTooLarge
from app.tables.table import Table
from app.tables.texts import Arrow

GROUP_ROWS = 2**17
MOST_TEXT = 2**31 - 1  # an array holds no more
GROUP_BYTES = 32 * 2**20
MOST_ROWS = 10**9 - 1  # more cannot be sampled
SAMPLING = 1  # sets these random numbers apart from those of the training with the same seed


class Sample(NamedTuple):
    """Rows of a file, in their order, and how many it has in all."""

    table: Table
    of: int


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


def groups(file: parquet.ParquetFile) -> Iterator[Arrow]:
    """Give a file group by group."""
    for index in range(file.num_row_groups):
        yield file.read_row_group(index, use_threads=False)


def read_sample(source: BinaryIO, *, most_cells: int, seed: int, most_text: int = MOST_TEXT) -> Sample:
    """Read a file; if it has more cells, so many rows at most, drawn by the seed, each as likely as any other."""
    file = parquet.ParquetFile(source)
    rows = file.metadata.num_rows
    most = max(1, most_cells // file.metadata.num_columns)
    table = pa.concat_tables(_short(groups(file) if rows <= most else _drawn(file, most, seed), most_text))
    return Sample(Table(tuple(table.column_names), table.columns), rows)


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


def _drawn(file: parquet.ParquetFile, most: int, seed: int) -> Iterator[Arrow]:
    """Draw rows group by group: first how many of a group, then which; any set of rows is equally likely."""
    rng = np.random.default_rng((seed, SAMPLING))
    left, wanted = file.metadata.num_rows, most
    for index in range(file.num_row_groups):
        if not wanted:
            return
        rows = file.metadata.row_group(index).num_rows
        taken = int(rng.hypergeometric(rows, left - rows, wanted))
        left, wanted = left - rows, wanted - taken
        if taken:
            places = np.sort(rng.choice(rows, taken, replace=False, shuffle=False))
            yield file.read_row_group(index, use_threads=False).take(places)


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
