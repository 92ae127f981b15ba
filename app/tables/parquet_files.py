"""Datasets as Parquet: written group by group from a stream."""

from collections.abc import Iterable, Iterator
from io import IOBase

from app.errors import TableTooLarge
from app.tables.arrow import pa, parquet
from app.tables.texts import Arrow

GROUP_ROWS = 2**17
GROUP_BYTES = 32 * 2**20
MOST_ROWS = 10**9 - 1  # more cannot be sampled


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


def groups(file: Arrow) -> Iterator[Arrow]:
    """Give a file group by group."""
    return (file.read_row_group(group, use_threads=False) for group in range(file.num_row_groups))


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


def _writer(sink: IOBase, schema: Arrow) -> Arrow:
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return parquet.ParquetWriter(sink, schema, compression="zstd", compression_level=1, use_dictionary=texts or False)
