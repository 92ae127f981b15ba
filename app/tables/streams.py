"""Streams: a file of any format as batches of columns of the few types that cells have, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc, parquet

from app.errors import Fault, InvalidRequest
from app.tables.cells import Faults, describe, rows_after
from app.tables.csv_faults import longest_text, require_short_cells
from app.tables.csv_files import LONGEST_CELL, batches, column_types
from app.tables.dialect import SAMPLE, detect
from app.tables.formats import Options
from app.tables.json_text import parse
from app.tables.line_blocks import line_tables
from app.tables.npy import npy_layout, said_to_be
from app.tables.raw import RawColumn, from_json, json_type
from app.tables.reading import UNFIT
from app.tables.table import Table, from_arrays, from_records, require_names, require_rows
from app.tables.texts import MISSING, Arrow

CELLS = 2**19  # in a batch
TEXT_BYTES = 2**26  # in a piece of one
DECIMAL = b"decimal"
"""Where a schema says which decimal mark the numbers among its texts have, if it is no point."""

GoOn = Callable[[], None]
"""Called between batches; whatever it raises ends the reading."""


@dataclass(frozen=True)
class Upload:
    """A body as it lies on the disk: where, in which format (None is JSON), and how it is to be read."""

    path: Path
    kind: str | None
    options: Options


def stream(upload: Upload, go_on: GoOn = lambda: None) -> Iterator[Arrow]:
    """Read a file as record batches of one schema, each column double, bool, string, timestamp(us) or null.

    Raises as the reader of a body in this format does, BadTable for a column of anything else or without rows.
    """
    rows, names = 0, None
    for batch in STREAMS[upload.kind](upload, go_on):
        go_on()
        if names is None:
            names = tuple(batch.schema.names)
            require_names(names)
        with rows_after(rows):
            require_short_cells(batch, names, LONGEST_CELL)
        for piece in _pieces(batch):
            with rows_after(rows):
                yield _plain(piece, names)
            rows += piece.num_rows
    if not rows:
        require_rows(())


def _pieces(batch: Arrow) -> Iterator[Arrow]:
    """Cut a batch so that its texts are not long, all together, even if a code stands for the longest everywhere."""
    step = max(1, TEXT_BYTES // max(1, sum(map(longest_text, batch.columns))))
    yield from (batch.slice(start, step) for start in range(0, batch.num_rows, step))


def _plain(batch: Arrow, names: tuple[str, ...]) -> Arrow:
    """Bring a batch to the types of cells; raise BadTable for what can be none of them."""
    columns = [RawColumn(name, cells).array for name, cells in zip(names, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=list(names)).replace_schema_metadata(batch.schema.metadata)


def _csv(upload: Upload, go_on: GoOn) -> Iterator[Arrow]:
    options = upload.options
    with upload.path.open("rb") as file:
        beginning = file.read(SAMPLE)
    dialect = detect(beginning, encoding=options.encoding, delimiter=options.delimiter, decimal=options.decimal)
    types = column_types(upload.path, dialect, missing=MISSING, texts=options.texts, go_on=go_on)
    for batch in batches(upload.path, dialect, missing=MISSING, types=types):
        yield batch.replace_schema_metadata({DECIMAL: b","}) if dialect.decimal == "," else batch


def _parquet(upload: Upload, _go_on: GoOn) -> Iterator[Arrow]:
    with said_to_be("Parquet"):
        schema = parquet.read_schema(upload.path)
        _require_cells(schema)
        texts = [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]  # one long text may be there often
        file = parquet.ParquetFile(upload.path, read_dictionary=texts, pre_buffer=False, buffer_size=2**20)
        for batch in file.iter_batches(_rows_at_once(len(schema)), use_threads=False):
            batch.validate(full=True)
            yield batch


def _arrow(upload: Upload, what: str, read: Callable[[Arrow], tuple[Arrow, Iterable[Arrow]]]) -> Iterator[Arrow]:
    with said_to_be(what), pa.memory_map(str(upload.path)) as source:
        schema, found = read(source)
        _require_cells(schema)
        step = _rows_at_once(len(schema))
        for batch in found:
            batch.validate(full=True)  # offsets and lengths are the sender's word
            yield from (batch.slice(start, step) for start in range(0, batch.num_rows, step))


def _arrow_file(source: Arrow) -> tuple[Arrow, Iterable[Arrow]]:
    reader = ipc.open_file(source)
    return reader.schema, (reader.get_batch(index) for index in range(reader.num_record_batches))


def _arrow_stream(source: Arrow) -> tuple[Arrow, Iterable[Arrow]]:
    reader = ipc.open_stream(source)
    return reader.schema, reader


def _npy(upload: Upload, _go_on: GoOn) -> Iterator[Arrow]:
    with upload.path.open("rb") as file:
        layout = npy_layout(file, upload.path.stat().st_size)
    names, step = list(layout.names(upload.options.columns)), _rows_at_once(layout.shape[1])
    if not layout.shape[0] or not layout.shape[1]:  # nothing can be mapped
        return
    rows = np.memmap(upload.path, layout.dtype, "r", layout.offset, layout.shape, layout.order)
    for start in range(0, layout.shape[0], step):
        columns = rows[start : start + step].astype(layout.dtype.newbyteorder("=")).T
        yield pa.RecordBatch.from_arrays([pa.array(np.ascontiguousarray(column)) for column in columns], names=names)


def _ndjson(upload: Upload, go_on: GoOn) -> Iterator[Arrow]:
    return _typed(lambda: line_tables(upload.path, upload.options.columns), go_on)


def _json(upload: Upload, go_on: GoOn) -> Iterator[Arrow]:
    sent = parse(upload.path.read_bytes())
    described: dict[str, Any] = sent if isinstance(sent, dict) else {"rows": sent}
    rows, columns = described.get("rows"), described.get("columns", upload.options.columns)
    named = isinstance(columns, list | tuple) and all(isinstance(name, str) for name in columns)
    if not isinstance(rows, list) or not (named or columns is None) or described.keys() - {"rows", "columns"}:
        message = 'In JSON a dataset is a list of records, or {"columns": [names], "rows": [lists or records]}.'
        raise InvalidRequest(message, [Fault("a list of records", got=describe(sent), field="body")])
    table = from_records(rows) if columns is None else from_arrays(rows, tuple(columns))
    return _typed(lambda: [table], go_on)


def _typed(tables: Callable[[], Iterable[Table]], go_on: GoOn) -> Iterator[Arrow]:
    """Look at all values once to tell the type of each column, and then give them so."""
    types: dict[str, set[type]] = {}
    for table in tables():
        go_on()
        for name, cells in zip(table.columns, table.cells, strict=True):
            types.setdefault(name, set()).update(map(type, cells))
    schema = [json_type(found) for found in types.values()]
    rows = 0
    for table in tables():
        with rows_after(rows):
            _require_flat(table)
        rows += table.rows
        columns = [from_json(cells, kind) for cells, kind in zip(table.cells, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, names=list(table.columns))


def _require_flat(table: Table) -> None:
    """Raise BadTable for cells that are lists or objects."""
    faults = Faults()
    for name, cells in zip(table.columns, table.cells, strict=True):
        if {list, dict} & set(map(type, cells)):
            for row in [row for row, cell in enumerate(cells) if isinstance(cell, list | dict)]:
                faults.add_cell(cells[row], "a number, a text, true, false or null", row=row, column=name)
    faults.raise_any(UNFIT)


def _require_cells(schema: pa.Schema) -> None:
    """Raise BadTable for a column of what can be no cell, before it is read."""
    require_names(schema.names)
    for field in schema:
        _ = RawColumn(field.name, pa.nulls(0, field.type)).array


def _rows_at_once(columns: int) -> int:
    return max(1, CELLS // max(1, columns))


STREAMS: dict[str | None, Callable[[Upload, GoOn], Iterator[Arrow]]] = {
    None: _json,
    "csv": _csv,
    "ndjson": _ndjson,
    "parquet": _parquet,
    "arrow_file": lambda upload, _go_on: _arrow(upload, "an Arrow file", _arrow_file),
    "arrow_stream": lambda upload, _go_on: _arrow(upload, "an Arrow stream", _arrow_stream),
    "npy": _npy,
}
"""How each of FORMATS is read from a file, and JSON."""
