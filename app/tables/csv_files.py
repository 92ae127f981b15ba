"""CSV as columns of numbers, of true and false, or of text: a body at once, or a file batch by batch."""

import io
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.engine.control import GoOn, go_on_for_ever
from app.errors import BadTable
from app.faults import MOST_FAULTS, Fault
from app.tables.arrow import csv, pa, pc
from app.tables.csv_faults import require_closed, require_short_cells, unfit_cell, unfit_records
from app.tables.csv_records import Records, Tail, Types
from app.tables.csv_text import (
    CHUNK,
    LONGEST_HEADER,
    UTF8,
    WRITTEN,
    chunks,
    decoded,
    header,
    in_utf8,
    require_decodable,
    require_no_nul,
)
from app.tables.dialect import Dialect
from app.tables.table import LONGEST_CELL, require_rows
from app.tables.texts import Arrow

Source = str | os.PathLike[str] | io.BytesIO
"""What can be opened anew: a reader that has failed still reads ahead, and must not move the place of the next one."""

BEGINNING = LONGEST_HEADER + CHUNK
BATCH = 2 * 2**20  # the reader keeps some 30 of them ahead
OTHER_LETTERS = "[A-DF-Za-df-z]"
"""What a number does not have: those of inf, nan and 0x1F, which are texts here, but not the e of 1e9."""


def read_csv(
    body: bytes,
    dialect: Dialect,
    *,
    missing: Sequence[str],
    texts: Collection[str] = (),
    longest_cell: int = LONGEST_CELL,
) -> Arrow:
    """Read a body as columns, each double, bool, string, or null if all is missing; the names are not looked at.

    Blank lines are skipped. Raises MalformedTable for what is no CSV, BadTable without rows or for too long a text.
    """
    text = in_utf8(body, dialect.encoding)
    if b"\0" in text:
        require_no_nul(chunks(text))
    names, end = header(text, dialect.delimiter)
    if WRITTEN.search(text, end) is None:
        raise _no_lines()
    buffer = pa.py_buffer(text).slice(end)
    records = Records(lambda: pa.BufferReader(buffer), dialect, names, missing, quoted=b'"' in text)
    try:
        table = _columns(records, texts, may_have_hex=b"x" in text or b"X" in text)
    except pa.ArrowInvalid as error:
        require_decodable(chunks(text), UTF8)
        raise unfit_records(records) from error
    if any(map(pa.types.is_binary, table.schema.types)):
        require_decodable(chunks(text), UTF8)
    if records.quoted:
        require_closed(text, records, table)
    require_short_cells(table.columns, names, longest_cell)
    return table.rename_columns(list(names))


def column_types(
    source: Source,
    dialect: Dialect,
    *,
    missing: Sequence[str],
    texts: Collection[str] = (),
    go_on: GoOn = go_on_for_ever,
) -> Arrow:
    """Read a file once, in little memory, to tell the types that `read_csv` would give its columns.

    Raises MalformedTable for what is no CSV, BadTable without rows, and whatever `go_on` does between batches.
    """
    records = _records(source, dialect, missing)
    types = [pa.string() if name in texts else pa.null() for name in records.names]
    for batch in _batches(source, replace(records, missing=()), {}):
        go_on()
        undecided = [index for index, type_ in enumerate(types) if not pa.types.is_string(type_)]
        if undecided:
            found = _types_of(batch.select(undecided), records)
            for index, type_ in zip(undecided, found, strict=True):
                types[index] = _common(types[index], type_)
    return pa.schema(list(zip(records.names, types, strict=True)))


def batches(source: Source, dialect: Dialect, *, missing: Sequence[str], types: Arrow | None = None) -> Iterator[Arrow]:
    """Read a file batch by batch, as columns of these names, order and types: its own where none are given.

    Raises MalformedTable for what is no CSV, BadTable for a cell of another type, for a column that is not there and
    without rows.
    """
    if types is None:
        types = column_types(source, dialect, missing=missing)
    records = _records(source, dialect, missing)
    positions = _positions(records.names, types.names)
    for batch in _batches(source, records, dict(zip(positions, types.types, strict=True))):
        yield batch.select(positions).rename_columns(types.names)


def _columns(records: Records, texts: Collection[str], *, may_have_hex: bool) -> Arrow:
    """Read all columns, and those that must be seen as they are written once more."""
    table = _as_first_block_tells(records, texts)
    doubtful = [index for index, column in enumerate(table.columns) if _is_doubtful(column, may_have_hex=may_have_hex)]
    again = records.table(dict.fromkeys(doubtful, pa.string()), only=doubtful).columns if doubtful else ()
    written = dict(zip(doubtful, again, strict=True))
    columns = dict(enumerate(table.columns))
    del table
    for index, column in columns.items():
        if index in written and _is_text(column, written[index]):
            columns[index] = written[index]
        elif pa.types.is_integer(column.type):
            columns[index] = column.cast(pa.float64(), safe=False)
    return pa.table(list(columns.values()), names=[str(index) for index in columns])


def _as_first_block_tells(records: Records, texts: Collection[str]) -> Arrow:
    """Read with the types of the first block, which is fast and takes little memory; if they do not fit, infer all."""
    types = {index: pa.string() for index, name in enumerate(records.names) if name in texts}
    for index, type_ in enumerate(records.first_types()):
        if pa.types.is_string(type_) or pa.types.is_temporal(type_):
            types[index] = pa.string()
        elif pa.types.is_integer(type_) or pa.types.is_floating(type_):
            types.setdefault(index, pa.float64())
    try:
        return records.table(types)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise
    return records.table({index: type_ for index, type_ in types.items() if pa.types.is_string(type_)})


def _is_doubtful(column: Arrow, *, may_have_hex: bool) -> bool:
    """Tell whether a column may hold something else than its type says: a date, hexadecimal digits, inf or nan."""
    if pa.types.is_floating(column.type):
        return pc.all(pc.is_finite(column)).as_py() is False
    return pa.types.is_temporal(column.type) or (pa.types.is_integer(column.type) and may_have_hex)


def _is_text(column: Arrow, written: Arrow) -> bool:
    letters = pc.any(pc.match_substring_regex(written, OTHER_LETTERS)).as_py()
    return pa.types.is_temporal(column.type) or bool(letters)


def _types_of(batch: Arrow, records: Records) -> list[Arrow]:
    """Tell the types of cells that are texts, by the same rules as all: written down and read again."""
    written = pa.BufferOutputStream()
    csv.write_csv(batch, written, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    buffer = written.getvalue()
    names = tuple(batch.schema.names)
    dialect = replace(records.dialect, delimiter=",")
    again = Records(lambda: pa.BufferReader(buffer), dialect, names, records.missing)
    return list(_columns(again, (), may_have_hex=True).schema.types)


def _common(one: Arrow, other: Arrow) -> Arrow:
    """Give the type that holds the cells of both."""
    if one == other or pa.types.is_null(other):
        return one
    return other if pa.types.is_null(one) else pa.string()


def _records(source: Source, dialect: Dialect, missing: Sequence[str]) -> Records:
    try:
        beginning = _open(source, dialect.encoding).read(BEGINNING)
    except UnicodeDecodeError:
        require_decodable(_pieces(source), dialect.encoding)
        raise
    require_no_nul([beginning])
    names, end = header(beginning, dialect.delimiter)
    if WRITTEN.search(beginning, end) is None and len(beginning) < BEGINNING:
        raise _no_lines()

    def stream() -> Any:  # noqa: ANN401 - pyarrow has no types
        opened = _open(source, dialect.encoding)
        opened.read(end)
        return opened

    return Records(stream, dialect, names, missing)


def _batches(source: Source, records: Records, types: Types) -> Iterator[Arrow]:
    """Read all columns, those without a type as text, and say what is wrong if they cannot be."""
    all_types = dict.fromkeys(range(len(records.names)), pa.string()) | dict(types)
    tail = Tail(records.stream())
    rows, last = 0, pa.RecordBatch.from_pylist([])
    try:
        for batch in replace(records, stream=lambda: tail).batches(all_types, block=BATCH):
            if tail.has_nul:
                require_no_nul(piece.encode() for piece in decoded(_pieces(source), records.dialect.encoding))
            if batch.num_rows:  # a block may be all blank lines
                yield batch
                rows, last = rows + batch.num_rows, batch
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        require_decodable(_pieces(source), records.dialect.encoding)
        raise (unfit_cell(records, error) or unfit_records(records, BATCH)) from error
    require_rows(range(rows))
    require_closed(b"".join(tail.pieces), records, last, before=rows - last.num_rows)


def _no_lines() -> BadTable:
    message = (
        "There are no rows below the line of column names. "
        "A file loses its line ends where curl sends it with -d; --data-binary keeps them."
    )
    return BadTable(message)


def _open(source: Source, encoding: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Open a file from its start, as UTF-8."""
    if isinstance(source, io.BytesIO):
        stream = pa.BufferReader(source.getvalue())
    else:
        stream = pa.input_stream(source, compression=None)
    return stream if encoding == UTF8 else pa.transcoding_input_stream(stream, encoding, UTF8)


def _pieces(source: Source) -> Iterator[bytes]:
    stream = _open(source, UTF8)
    while piece := stream.read(CHUNK):
        yield piece


def _positions(columns: Sequence[str], names: Sequence[str]) -> list[int]:
    """Find columns by name; where the names are those of the file, also if some are there twice."""
    if list(columns) == list(names):
        return list(range(len(columns)))
    position = {name: index for index, name in enumerate(columns)}
    absent = [name for name in names if name not in position]
    if absent:
        message = "The file lacks some columns."
        raise BadTable(
            message,
            [Fault("this column too", got="nothing", column=name) for name in absent[:MOST_FAULTS]],
            len(absent),
        )
    return [position[name] for name in names]
