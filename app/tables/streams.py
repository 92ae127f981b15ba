"""Streams: tables of bounded size, one after the other, from a file of any length in the format it is said to be in."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO

from app.engine.control import GoOn, go_on_for_ever
from app.errors import MalformedBody
from app.tables import arrow_claims, parquet_claims
from app.tables.arrow import ipc, pa, parquet
from app.tables.cells import rows_after
from app.tables.csv_faults import longest_text
from app.tables.csv_files import batches, column_types
from app.tables.dialect import SAMPLE, Dialect
from app.tables.json_text import parse_lines
from app.tables.options import Options, said_to_be, table_of, with_points
from app.tables.table import Table, from_arrays, from_records, require_rows
from app.tables.texts import MISSING, Arrow

LONGEST_LINE = 16 * 2**20
LINES = 2 * 2**20  # bytes of lines that are parsed at once
TEXT_BYTES = 2**26  # of all texts of a table
PARQUET = {"buffer_size": 2**14, "pre_buffer": False}  # bytes of a column at a time, not all of a row group at once

Begin = Callable[[BinaryIO, Options, int], Iterator[Table]]
Streamed = Callable[[BinaryIO, Options, int], Iterable[Table]]
"""Takes a file, how to read it and the most rows that a table may have; what it gives can be gone through again."""


@dataclass(frozen=True)
class Stream:
    """The tables of a file, from its start whenever they are asked for.

    Raises MalformedTable (MalformedBody for NDJSON) for what is not of its format, BadTable without rows.
    """

    begin: Begin
    file: BinaryIO
    options: Options
    rows: int

    def __iter__(self) -> Iterator[Table]:
        """Begin at the start."""
        return self.begin(self.file, self.options, self.rows)


def streamed(begin: Begin) -> Streamed:
    """Make what begins once something that can begin again."""
    return lambda file, options, rows: Stream(begin, file, options, rows)


@dataclass(frozen=True)
class CsvStream:
    """A CSV, whose columns have the types that all their cells have; these are told once."""

    file: BinaryIO
    options: Options
    rows: int
    go_on: GoOn = go_on_for_ever

    @cached_property
    def dialect(self) -> Dialect:
        """How it is written, as its beginning tells."""
        self.file.seek(0)
        return self.options.dialect(self.file.read(SAMPLE))

    @cached_property
    def types(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Names and types of the columns."""
        return column_types(
            place_of(self.file), self.dialect, missing=MISSING, texts=self.options.texts, go_on=self.go_on
        )

    def __iter__(self) -> Iterator[Table]:
        """Begin at the start; raise as `Stream` does."""
        for batch in batches(place_of(self.file), self.dialect, missing=MISSING, types=self.types):
            yield from slices(_pointed(batch, self.dialect), self.rows)


def place_of(file: BinaryIO) -> Any:  # noqa: ANN401 - what pyarrow takes as a file
    """Give a path to an open file, also one without a name: each who opens it reads at a place of its own."""
    return file if isinstance(file, io.BytesIO) else f"/proc/self/fd/{file.fileno()}"


def slices(batch: Arrow, rows: int) -> Iterator[Table]:
    """Cut a batch into tables, so that their texts are not long, even if a code stands for the longest everywhere."""
    step = min(rows, max(1, TEXT_BYTES // max(1, sum(map(longest_text, batch.columns)))))
    for start in range(0, batch.num_rows, step):
        part = batch.slice(start, step)
        yield table_of(part.schema.names, part.columns)


def _pointed(batch: Arrow, dialect: Dialect) -> Arrow:
    if dialect.decimal == ".":
        return batch
    return pa.RecordBatch.from_arrays([with_points(column) for column in batch.columns], batch.schema.names)


def ndjson(file: BinaryIO, options: Options, rows: int) -> Iterator[Table]:
    """Read some lines at a time; all rows have the columns of the first."""
    first: list[Any] = []
    before = 0
    for number, lines in _lines(file, rows):
        found = parse_lines(lines, first=number)
        if not found:
            continue
        with rows_after(before):
            options.bounds.require_json(found, lines)
        table = _rows([*first, *found], options, before=before - len(first))
        yield replace(table, cells=[cells[len(first) :] for cells in table.cells])
        first, before = first or found[:1], before + len(found)
    if not before:
        require_rows(())


def _rows(rows: Sequence[Any], options: Options, *, before: int) -> Table:
    """Read rows behind the first, which tells how they must look; faults are told by their rows in the file."""
    with rows_after(before):
        return from_arrays(rows, options.columns) if isinstance(rows[0], list) else from_records(rows)


def _lines(file: BinaryIO, rows: int) -> Iterator[tuple[int, bytes]]:
    """Give some lines at a time, with the number of the first; raise MalformedBody for one that is too long."""
    file.seek(0)
    number = 1
    while lines := list(islice(_few(file), rows)):
        if len(lines[-1]) > LONGEST_LINE:
            message = f"Line {number + len(lines) - 1} of the body is longer than {LONGEST_LINE} bytes."
            raise MalformedBody(message)
        yield number, b"".join(lines)
        number += len(lines)


def _few(file: BinaryIO) -> Iterator[bytes]:
    length = 0
    while length < LINES and (line := file.readline(LONGEST_LINE + 1)):
        length += len(line)
        yield line


def parquet_rows(file: BinaryIO, options: Options, rows: int) -> Iterator[Table]:
    """Read row group by row group, each page by page."""
    with said_to_be("Parquet"):
        parquet_claims.require_modest(file, options.bounds, at_once=False)
    texts = columns_of_text(place_of(file))
    with said_to_be("Parquet"), parquet.ParquetFile(place_of(file), read_dictionary=texts, **PARQUET) as opened:
        options.bounds.require_few(opened.metadata.num_rows, opened.metadata.num_columns)
        require_rows(range(opened.metadata.num_rows))
        for batch in opened.iter_batches(batch_size=rows):
            batch.validate(full=True)  # texts may be no UTF-8
            yield from slices(batch, rows)


def columns_of_text(source: Any) -> list[str]:  # noqa: ANN401 - what pyarrow takes as a file
    """Name the columns of text of a Parquet file: they are read as codes, for one long text may be there often."""
    with said_to_be("Parquet"):
        schema = parquet.read_schema(source)
        return [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]


def arrow_file(file: BinaryIO, options: Options, rows: int) -> Iterator[Table]:
    """Read batch by batch."""
    with said_to_be("an Arrow file"), ExitStack() as stack:
        arrow_claims.require_modest_file(file, options.bounds, at_once=False)
        reader = ipc.open_file(stack.enter_context(_mapped(file)))
        yield from _batches((reader.get_batch(index) for index in range(reader.num_record_batches)), rows)


def arrow_stream(file: BinaryIO, options: Options, rows: int) -> Iterator[Table]:
    """Read batch by batch."""
    with said_to_be("an Arrow stream"), ExitStack() as stack:
        arrow_claims.require_modest_stream(file, options.bounds, at_once=False)
        yield from _batches(ipc.open_stream(stack.enter_context(_mapped(file))), rows)


def _mapped(file: BinaryIO) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Open a file so that what is not compressed stays on disk until it is looked at, however large a batch is."""
    return pa.BufferReader(file.getvalue()) if isinstance(file, io.BytesIO) else pa.memory_map(place_of(file))


def _batches(found: Iterable[Arrow], rows: int) -> Iterator[Table]:
    any_rows = False
    for batch in found:
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            part.validate(full=True)  # offsets and lengths are the sender's word
            any_rows = True
            yield from slices(part, rows)
    if not any_rows:
        require_rows(())
