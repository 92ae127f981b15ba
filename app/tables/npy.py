"""npy: an array of numbers or truths in a file, whose rows are read some at a time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from app.errors import BadTable, MalformedTable
from app.faults import Fault
from app.tables.arrow import pa
from app.tables.options import Options, said_to_be, table_of
from app.tables.table import Table, require_rows

Block = npt.NDArray[Any]

WIDEST = 8  # bytes of a number


@dataclass(frozen=True)
class Header:
    """What the file says of itself: the array's shape, whether column after column is stored, and where it begins."""

    rows: int
    width: int
    in_columns: bool
    dtype: "np.dtype[Any]"
    begin: int


def tables(file: BinaryIO, options: Options, rows: int) -> Iterator[Table]:
    """Read so many rows at a time; the header is checked before anything is made.

    Raises MalformedTable for what is no such array, BadTable without rows or where names do not fit.
    """
    header = _header(file)
    options.bounds.require_few(header.rows, header.width)
    names = options.columns or tuple(f"x{number}" for number in range(1, header.width + 1))
    if len(names) != header.width:
        message = f"The array has {header.width} columns, but there are {len(names)} names."
        raise BadTable(message, [Fault(f"{header.width} names", got=str(len(names)), field="columns")])
    require_rows(range(header.rows * header.width))
    for start in range(0, header.rows, rows):
        block = _block(file, header, start, min(rows, header.rows - start))
        columns = block.astype(header.dtype.newbyteorder("=")).T
        yield table_of(names, [pa.array(np.ascontiguousarray(column)) for column in columns])


def _header(file: BinaryIO) -> Header:
    file.seek(0)
    with said_to_be("npy"):
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(file)
    if dtype.kind not in "fiub" or dtype.itemsize > WIDEST or len(shape) not in {1, 2} or min(shape) < 0:
        message = f"The array is of {dtype} in {len(shape)} dimensions. Send numbers, a row each, in two."
        raise MalformedTable(message[:200], [Fault("numbers in rows and columns", field="body")])
    length, begin = int(np.prod(shape, dtype=object)) * dtype.itemsize, file.tell()
    there = file.seek(0, os.SEEK_END) - begin
    if length != there:
        message = f"The array's header speaks of {length} bytes, but {there} follow."
        raise MalformedTable(message, [Fault("as many bytes as the header says", field="body")])
    return Header(shape[0], shape[1] if len(shape) > 1 else 1, in_columns, dtype, begin)


def _block(file: BinaryIO, header: Header, start: int, rows: int) -> Block:
    """Read some rows, shape (rows, columns)."""
    if not header.in_columns:
        return _cells(file, header, start * header.width, rows * header.width).reshape(rows, header.width)
    return np.stack([_cells(file, header, index * header.rows + start, rows) for index in range(header.width)], axis=1)


def _cells(file: BinaryIO, header: Header, start: int, count: int) -> Block:
    file.seek(header.begin + start * header.dtype.itemsize)
    return np.frombuffer(file.read(count * header.dtype.itemsize), header.dtype)
