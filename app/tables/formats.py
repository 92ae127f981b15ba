"""Formats: what a table may be beside JSON, in a body or an answer; the media types of each, its readers and writer."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.errors import TableTooLarge
from app.tables import arrow_claims, npy, parquet_claims, streams, writers
from app.tables.arrow import ipc, pa, parquet
from app.tables.csv_faults import is_shared, longest_text, require_short_cells
from app.tables.csv_files import read_csv
from app.tables.json_text import parse_lines
from app.tables.options import Options, said_to_be, table_of, with_points
from app.tables.streams import Streamed, streamed
from app.tables.table import Table, from_arrays, from_records
from app.tables.texts import MISSING, Arrow
from app.tables.writers import Writer

MOST_TEXT = 2**28  # bytes of a table that is read at once, if each row had the longest text of each column


@dataclass(frozen=True)
class Format:
    """One format: its media types, the first of which it is sent as, and its readers and writer."""

    media_types: tuple[str, ...]
    read: Callable[[bytes, Options], Table]
    """Reads a body at once."""
    stream: Streamed
    """Reads a file of any length as tables of bounded size, in which each row is read as it is at once."""
    write: Writer
    has_names: bool = True
    """Whether it always has the names of its columns."""


def format_of(media_type: str) -> str | None:
    """Look a media type up; None for all that is read as JSON."""
    plain = media_type.split(";", 1)[0].strip().lower()
    return next((name for name, format_ in FORMATS.items() if plain in format_.media_types), None)


def _read_csv(body: bytes, options: Options) -> Table:
    dialect = options.dialect(body)
    table = read_csv(body, dialect, missing=MISSING, texts=options.texts, longest_cell=options.bounds.cell_bytes)
    if dialect.decimal == ",":
        table = pa.table([with_points(column) for column in table.columns], names=table.column_names)
    return _from_arrow(table, options)


def _read_ndjson(body: bytes, options: Options) -> Table:
    rows = parse_lines(body)
    options.bounds.require_json(rows, body)
    if rows and isinstance(rows[0], list):
        return from_arrays(rows, options.columns)
    return from_records(rows)


def _read_parquet(body: bytes, options: Options) -> Table:
    with said_to_be("Parquet"):
        parquet_claims.require_modest(io.BytesIO(body), options.bounds, at_once=True)
        texts = streams.columns_of_text(pa.BufferReader(body))
        file = parquet.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        options.bounds.require_few(file.metadata.num_rows, file.metadata.num_columns)
        table = file.read()
        table.validate(full=True)  # texts may be no UTF-8
        return _from_arrow(table, options)


def _read_arrow_file(body: bytes, options: Options) -> Table:
    with said_to_be("an Arrow file"):
        arrow_claims.require_modest_file(io.BytesIO(body), options.bounds, at_once=True)
        reader = ipc.open_file(pa.BufferReader(body))
        return _from_batches((reader.get_batch(i) for i in range(reader.num_record_batches)), reader.schema, options)


def _read_arrow_stream(body: bytes, options: Options) -> Table:
    with said_to_be("an Arrow stream"):
        arrow_claims.require_modest_stream(io.BytesIO(body), options.bounds, at_once=True)
        reader = ipc.open_stream(pa.BufferReader(body))
        return _from_batches(reader, reader.schema, options)


def _from_batches(found: Iterable[Arrow], schema: Arrow, options: Options) -> Table:
    """Read batch by batch, so that a body that claims too much is given up early."""
    rows, batches = 0, []
    for batch in found:
        batch.validate(full=True)  # offsets and lengths are the sender's word
        rows += batch.num_rows
        options.bounds.require_few(rows, batch.num_columns)
        batches.append(batch)
    return _from_arrow(pa.Table.from_batches(batches, schema), options)


def _read_npy(body: bytes, options: Options) -> Table:
    return next(npy.tables(io.BytesIO(body), options, len(body)))


def _from_arrow(table: Arrow, options: Options) -> Table:
    options.bounds.require_few(table.num_rows, table.num_columns)
    if any(map(pa.types.is_dictionary, table.schema.types)) and table.num_rows:
        (table,) = table.unify_dictionaries().combine_chunks().to_batches()
    require_short_cells(table.columns, tuple(table.schema.names), options.bounds.cell_bytes)
    _require_short(table)
    return table_of(table.schema.names, table.columns)


def _require_short(table: Arrow) -> None:
    """Raise TableTooLarge where texts that are there once, but stand in many rows, would become too long."""
    coded = [column for column in table.columns if is_shared(column.type)]
    if sum(longest_text(column) * table.num_rows for column in coded) > MOST_TEXT:
        raise TableTooLarge(table.num_rows, table.num_columns, MOST_TEXT, of="bytes of text")


FORMATS: dict[str, Format] = {
    "csv": Format(
        ("text/csv", "application/csv", "text/tab-separated-values"),
        _read_csv,
        streams.CsvStream,
        writers.write_csv,
    ),
    "ndjson": Format(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"),
        _read_ndjson,
        streamed(streams.ndjson),
        writers.write_ndjson,
        has_names=False,
    ),
    "parquet": Format(
        ("application/vnd.apache.parquet", "application/parquet", "application/x-parquet"),
        _read_parquet,
        streamed(streams.parquet_rows),
        writers.write_parquet,
    ),
    "arrow_stream": Format(
        ("application/vnd.apache.arrow.stream",),
        _read_arrow_stream,
        streamed(streams.arrow_stream),
        writers.write_arrow_stream,
    ),
    "arrow_file": Format(
        ("application/vnd.apache.arrow.file",),
        _read_arrow_file,
        streamed(streams.arrow_file),
        writers.write_arrow_file,
    ),
    "npy": Format(
        ("application/x-npy", "application/npy"),
        _read_npy,
        streamed(npy.tables),
        writers.write_npy,
        has_names=False,
    ),
}
