"""Record batches: a file of any format as columns of the few types that cells have, in bounded memory."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.engine.control import GoOn, go_on_for_ever
from app.errors import InvalidRequest
from app.faults import Fault
from app.models.table import Column
from app.tables.answering import UNFIT
from app.tables.arrow import pa
from app.tables.cells import Faults, describe, rows_after
from app.tables.columns import read
from app.tables.csv_faults import require_short_cells
from app.tables.formats import FORMATS
from app.tables.json_text import parse
from app.tables.options import Options
from app.tables.raw import RawColumn, from_json, is_no_cell, json_type
from app.tables.reading import require_known
from app.tables.streams import CsvStream
from app.tables.table import Table, from_arrays, from_records, require_names
from app.tables.texts import Arrow

CELLS = 2**19  # in a batch
JSON = {None, "ndjson"}  # formats whose columns get their types from all of their values


@dataclass(frozen=True)
class Upload:
    """A body as it lies on the disk: where, in which format (None is JSON), and how it is to be read."""

    path: Path
    kind: str | None
    options: Options


def stream(upload: Upload, go_on: GoOn = go_on_for_ever) -> Iterator[Arrow]:
    """Read a file as record batches of one schema, each column double, bool, string, timestamp(us) or null.

    Raises as the reader of a body in this format does, BadTable for a column of anything else, for a date that no
    calendar has, or without rows.
    """
    with ExitStack() as opening:
        if upload.kind is None:
            tables: Iterable[Table] = [_json(upload)]
        else:
            file = opening.enter_context(upload.path.open("rb"))
            tables = _tables(upload.kind, file, upload.options, go_on)
        batches = _typed(tables, go_on) if upload.kind in JSON else _plain(tables, go_on)
        bounds, rows = upload.options.bounds, 0
        for batch in opening.enter_context(closing(batches)):
            names = tuple(batch.schema.names)
            if not rows:
                require_known(upload.options.texts, names)
            with rows_after(rows):
                require_short_cells(batch.columns, names, bounds.cell_bytes)
            rows += batch.num_rows
            bounds.require_few(rows, batch.num_columns)
            yield batch


def _tables(kind: str, file: BinaryIO, options: Options, go_on: GoOn) -> Iterable[Table]:
    """Give a file as tables of bounded size, however many columns they have."""
    if kind == "csv":
        return CsvStream(file, options, CELLS, go_on)
    width = len(next(iter(FORMATS[kind].stream(file, options, 1))).columns)
    return FORMATS[kind].stream(file, options, max(1, CELLS // width))


def _plain(tables: Iterable[Table], go_on: GoOn) -> Generator[Arrow]:
    """Bring tables to the types of cells; raise BadTable for what can be none of them."""
    rows = 0
    for table in tables:
        go_on()
        require_names(table.columns)
        names = list(table.columns)
        with rows_after(rows):
            columns = [RawColumn(name, cells) for name, cells in zip(names, table.cells, strict=True)]
            _require_dates(columns)
        yield pa.RecordBatch.from_arrays([column.array for column in columns], names=names)
        rows += table.rows


def _require_dates(columns: Iterable[RawColumn]) -> None:
    """Raise BadTable for moments that no calendar has."""
    faults = Faults()
    for column in columns:
        if pa.types.is_timestamp(column.array.type):
            read(column, "date", Column(column.name), faults)
    faults.raise_any("Some dates are not in the years 1 to 9999. Send null for them, or leave their column out.")


def _json(upload: Upload) -> Table:
    """Read records, or lists with the names of their columns; raise InvalidRequest for anything else."""
    body = upload.path.read_bytes()
    sent = parse(body)
    upload.options.bounds.require_json(sent, body)
    described: dict[str, Any] = sent if isinstance(sent, dict) else {"rows": sent}
    rows, columns = described.get("rows"), described.get("columns", upload.options.columns)
    named = isinstance(columns, list | tuple) and all(isinstance(name, str) for name in columns)
    if not isinstance(rows, list) or not (named or columns is None) or described.keys() - {"rows", "columns"}:
        message = 'In JSON a dataset is a list of records, or {"columns": [names], "rows": [lists or records]}.'
        raise InvalidRequest(message, [Fault("a list of records", got=describe(sent), field="body")])
    return from_records(rows) if columns is None else from_arrays(rows, tuple(columns))


def _typed(tables: Iterable[Table], go_on: GoOn) -> Generator[Arrow]:
    """Look at all values once to tell the type of each column, and then give them so."""
    types: dict[str, set[type]] = {}
    for table in tables:
        go_on()
        require_names(table.columns)
        for name, cells in zip(table.columns, table.cells, strict=True):
            types.setdefault(name, set()).update(map(type, cells))
    schema = [json_type(found) for found in types.values()]
    rows = 0
    for table in tables:
        with rows_after(rows):
            _require_cells(table)
        rows += table.rows
        columns = [from_json(cells, kind) for cells, kind in zip(table.cells, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, names=list(table.columns))


def _require_cells(table: Table) -> None:
    """Raise BadTable for what can stand in no cell, NonFiniteNumber if that is NaN, Infinity or beyond a float64."""
    faults = Faults()
    for name, cells in zip(table.columns, table.cells, strict=True):
        if {list, dict, float} & set(map(type, cells)):
            for row in [row for row, cell in enumerate(cells) if is_no_cell(cell)]:
                faults.add_cell(cells[row], "a number, a text, true, false or null", row=row, column=name)
    faults.raise_any(UNFIT)
