"""Writers: answers in a format, piece by piece as their tables come; a whole answer is a stream of one table."""

import io
from collections.abc import Callable, Generator, Iterable
from itertools import chain
from typing import Any

import numpy as np
from pydantic_core import to_json

from app.tables.arrow import csv, ipc, pa, parquet
from app.tables.texts import Arrow

Writer = Callable[[Iterable[Arrow], int], Generator[bytes]]
"""Takes tables of the same columns, of which there is at least one, and how many rows they have all together."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet run a text


class Sink(io.RawIOBase):
    """A file to write to that keeps only what has not been taken out yet."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length = 0

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, or a buffer of pyarrow
        """Take bytes."""
        self.pieces.append(bytes(data))
        self.length += len(data)
        return len(data)

    def tell(self) -> int:
        """Give the number of bytes that were ever written."""
        return self.length

    def taken(self) -> bytes:
        """Take out what was written since the last time."""
        written = b"".join(self.pieces)
        self.pieces.clear()
        return written


def _through(new: Callable[[Sink, Any], Any], tables: Iterable[Arrow], _rows: int) -> Generator[bytes]:
    """Write through one of pyarrow's writers."""
    sink, coming = Sink(), iter(tables)
    first = next(coming)
    with new(sink, first.schema) as writer:
        for table in chain([first], coming):
            writer.write_table(table)
            yield sink.taken()
    yield sink.taken()


def write_csv(tables: Iterable[Arrow], rows: int) -> Generator[bytes]:
    """Write CSV in which no text runs as a formula when a spreadsheet opens it."""
    return _through(csv.CSVWriter, map(_harmless, tables), rows)


def _harmless(table: Arrow) -> Arrow:
    columns = [_harmless_cells(column) for column in table.columns]
    return pa.table(columns, names=[_harmless_text(name) for name in table.column_names])


def _harmless_cells(column: Arrow) -> Arrow:
    if not pa.types.is_string(column.type):
        return column
    return pa.array([None if text is None else _harmless_text(text) for text in column.to_pylist()], pa.string())


def _harmless_text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def write_ndjson(tables: Iterable[Arrow], _rows: int) -> Generator[bytes]:
    """Write an object a line."""
    for table in tables:
        yield b"".join(to_json(row) + b"\n" for row in table.to_pylist())


def write_parquet(tables: Iterable[Arrow], rows: int) -> Generator[bytes]:
    """Write Parquet, a group of rows for each table."""
    return _through(parquet.ParquetWriter, tables, rows)


def write_arrow_stream(tables: Iterable[Arrow], rows: int) -> Generator[bytes]:
    """Write an Arrow stream, a batch for each table."""
    return _through(ipc.new_stream, tables, rows)


def write_arrow_file(tables: Iterable[Arrow], rows: int) -> Generator[bytes]:
    """Write an Arrow file, a batch for each table."""
    return _through(ipc.new_file, tables, rows)


def write_npy(tables: Iterable[Arrow], rows: int) -> Generator[bytes]:
    """Write the columns that are numbers or truths as float64, nothing as NaN; texts have no place in it."""
    for number, table in enumerate(tables):
        columns = [
            column.cast(pa.float64()).to_numpy() for column in table.columns if not pa.types.is_string(column.type)
        ]
        block = np.stack(columns, axis=1)
        if not number:
            yield _npy_header((rows, len(columns)), block.dtype)
        yield block.tobytes()


def _npy_header(shape: tuple[int, int], kind: "np.dtype[np.float64]") -> bytes:
    sink = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(sink, described)
    return sink.getvalue()
