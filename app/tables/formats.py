"""Formats: what a table may be beside JSON, in a body or an answer; the media types of each, its reader and writer."""

import io
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, ipc, parquet
from pydantic_core import to_json

from app.errors import BadTable, TableTooLarge
from app.tables.csv_files import read_csv
from app.tables.dialect import detect
from app.tables.json_text import parse_lines
from app.tables.kinds import kind_of
from app.tables.npy import npy_layout, said_to_be
from app.tables.raw import RawColumn
from app.tables.table import Table, from_arrays, from_records
from app.tables.texts import MISSING, Arrow

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet run a text


@dataclass(frozen=True)
class Options:
    """How a body is to be read, where it does not say so itself."""

    columns: tuple[str, ...] | None = None
    """Names, for a format that has none."""
    texts: Collection[str] = ()
    """Columns whose cells are texts, whatever they look like."""
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    most_cells: int = 2**31


@dataclass(frozen=True)
class Format:
    """One format: its media types, the first of which it is sent as, and its reader and writer."""

    media_types: tuple[str, ...]
    read: Callable[[bytes, Options], Table]
    write: Callable[[Arrow], bytes]


def format_of(media_type: str) -> str | None:
    """Look a media type up; None for all that is read as JSON."""
    plain = media_type.split(";", 1)[0].strip().lower()
    return next((name for name, format_ in FORMATS.items() if plain in format_.media_types), None)


def _read_csv(body: bytes, options: Options) -> Table:
    dialect = detect(body[: 2**16], encoding=options.encoding, delimiter=options.delimiter, decimal=options.decimal)
    table = read_csv(body, dialect, missing=MISSING, texts=options.texts)
    if dialect.decimal == ",":
        table = pa.table({name: with_points(table.column(name), name) for name in table.column_names})
    return _from_arrow(table, options)


def with_points(cells: Arrow, name: str) -> Arrow:
    """Write numbers with a decimal comma that stand among slips, and so are still texts, as other formats do."""
    if not pa.types.is_string(cells.type):
        return cells
    with_point = pointed(cells)
    return with_point if kind_of(RawColumn(name, with_point)) == "number" else cells


def pointed(texts: Arrow) -> Arrow:
    """Write a point for the comma of each number."""
    return pc.replace_substring_regex(texts, r"^(\s*[+-]?[0-9]*),([0-9]+)", r"\1.\2")


def _read_ndjson(body: bytes, options: Options) -> Table:
    rows = parse_lines(body)
    _require_few(len(rows), len(rows[0]) if rows and isinstance(rows[0], dict | list) else 1, options)
    if rows and isinstance(rows[0], list):
        return from_arrays(rows, options.columns)
    return from_records(rows)


def _read_parquet(body: bytes, options: Options) -> Table:
    with said_to_be("Parquet"):
        file = parquet.ParquetFile(pa.BufferReader(body))
        _require_few(file.metadata.num_rows, file.metadata.num_columns, options)
        return _from_arrow(file.read(), options)


def _read_arrow_file(body: bytes, options: Options) -> Table:
    with said_to_be("an Arrow file"):
        reader = ipc.open_file(pa.BufferReader(body))
        return _from_batches((reader.get_batch(i) for i in range(reader.num_record_batches)), reader.schema, options)


def _read_arrow_stream(body: bytes, options: Options) -> Table:
    with said_to_be("an Arrow stream"):
        reader = ipc.open_stream(pa.BufferReader(body))
        return _from_batches(reader, reader.schema, options)


def _from_batches(found: Iterable[Arrow], schema: Arrow, options: Options) -> Table:
    """Read batch by batch, so that a body that claims too much is given up early."""
    rows, batches = 0, []
    for batch in found:
        batch.validate(full=True)  # offsets and lengths are the sender's word
        rows += batch.num_rows
        _require_few(rows, batch.num_columns, options)
        batches.append(batch)
    return _from_arrow(pa.Table.from_batches(batches, schema), options)


def _read_npy(body: bytes, options: Options) -> Table:
    layout = npy_layout(io.BytesIO(body), len(body))
    rows = np.frombuffer(body, layout.dtype, offset=layout.offset).reshape(layout.shape, order=layout.order)
    _require_few(*layout.shape, options)
    names = layout.names(options.columns)
    native = rows.astype(layout.dtype.newbyteorder("="))
    return _table(names, [pa.array(np.ascontiguousarray(column)) for column in native.T])


def _from_arrow(table: Arrow, options: Options) -> Table:
    _require_few(table.num_rows, table.num_columns, options)
    return _table(tuple(table.column_names), table.columns)


def _table(names: tuple[str, ...], columns: Sequence[Arrow]) -> Table:
    if not columns or not len(columns[0]):
        message = "There are no rows. Send at least one."
        raise BadTable(message)
    return Table(names, columns)


def _require_few(rows: int, columns: int, options: Options) -> None:
    if rows * columns > options.most_cells:
        raise TableTooLarge(rows, columns, options.most_cells)


def _write_csv(table: Arrow) -> bytes:
    """Write CSV in which no text runs as a formula when a spreadsheet opens it."""
    sink = io.BytesIO()
    csv.write_csv(pa.table({name: _harmless(table.column(name)) for name in table.column_names}), sink)
    return sink.getvalue()


def _harmless(column: Arrow) -> Arrow:
    if not pa.types.is_string(column.type):
        return column
    return pa.array([f"'{text}" if text.startswith(FORMULA) else text for text in column.to_pylist()])


def _write_ndjson(table: Arrow) -> bytes:
    return b"".join(to_json(row) + b"\n" for row in table.to_pylist())


def _write_parquet(table: Arrow) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def _write_arrow(table: Arrow, new: Callable[..., Any]) -> bytes:
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _write_npy(table: Arrow) -> bytes:
    """Write the columns that are numbers or truths; texts have no place in it."""
    columns = [column.to_numpy() for column in table.columns if not pa.types.is_string(column.type)]
    sink = io.BytesIO()
    np.lib.format.write_array(sink, np.stack(columns, axis=1).astype(np.float64), version=(1, 0))
    return sink.getvalue()


FORMATS: dict[str, Format] = {
    "csv": Format(("text/csv", "application/csv", "text/tab-separated-values"), _read_csv, _write_csv),
    "ndjson": Format(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"),
        _read_ndjson,
        _write_ndjson,
    ),
    "parquet": Format(
        ("application/vnd.apache.parquet", "application/parquet", "application/x-parquet"),
        _read_parquet,
        _write_parquet,
    ),
    "arrow_stream": Format(
        ("application/vnd.apache.arrow.stream",),
        _read_arrow_stream,
        lambda table: _write_arrow(table, ipc.new_stream),
    ),
    "arrow_file": Format(
        ("application/vnd.apache.arrow.file",), _read_arrow_file, lambda table: _write_arrow(table, ipc.new_file)
    ),
    "npy": Format(("application/x-npy", "application/npy"), _read_npy, _write_npy),
}
