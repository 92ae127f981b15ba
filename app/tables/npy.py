"""npy: an array of numbers or truths in a file, whose rows are read some at a time."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from app.errors import BadTable, MalformedTable
from app.faults import Fault
from app.tables.arrow import pa
from app.tables.options import Options, table_of
from app.tables.table import Table, require_rows

Block = npt.NDArray[Any]

WIDEST = 8  # bytes of a number
MAGIC = b"\x93NUMPY"
WIDTHS = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}  # of the header's length, by version
LONGEST_HEADER = 10_000
NAMES = {b"descr", b"fortran_order", b"shape"}
NUMBER = re.compile(rb"[0-9]{1,18}")
_VALUE = rb"(?:'[<>|=]?[A-Za-z?][0-9]{0,9}'|True|False|\((?:\s*[0-9]{1,18}\s*,)*\s*(?:[0-9]{1,18}\s*)?\))"
ENTRY = re.compile(rb"'(descr|fortran_order|shape)'\s*:\s*(" + _VALUE + rb")")
WHOLE = re.compile(rb"\s*\{(?:\s*'[a-z_]+'\s*:\s*" + _VALUE + rb"\s*(?:,|(?=\})))+\s*\}\s*")


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
    shape, in_columns, dtype = _described(file)
    if dtype.kind not in "fiub" or dtype.itemsize > WIDEST or len(shape) not in {1, 2}:
        message = f"The array is of {dtype} in {len(shape)} dimensions. Send numbers, a row each, in two."
        raise MalformedTable(message[:200], [Fault("numbers in rows and columns", field="body")])
    length, begin = prod(shape) * dtype.itemsize, file.tell()
    there = file.seek(0, os.SEEK_END) - begin
    if length != there:
        message = f"The array's header speaks of {length} bytes, but {there} follow."
        raise MalformedTable(message, [Fault("as many bytes as the header says", field="body")])
    return Header(shape[0], shape[1] if len(shape) > 1 else 1, in_columns, dtype, begin)


def _described(file: BinaryIO) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Read what the file says of its array. It is a Python literal, of which only what NumPy writes is understood."""
    file.seek(0)
    begin = file.read(len(MAGIC) + 2)
    size = WIDTHS.get(begin[len(MAGIC) :])
    if not begin.startswith(MAGIC) or size is None:
        message = "The body is not npy of version 1, 2 or 3."
    else:
        length = int.from_bytes(file.read(size), "little")
        text = file.read(min(length, LONGEST_HEADER + 1))
        found = dict(ENTRY.findall(text)) if len(text) == length and WHOLE.fullmatch(text) else {}
        if found.keys() == NAMES:
            shape = tuple(map(int, NUMBER.findall(found[b"shape"])))
            return shape, found[b"fortran_order"] == b"True", _dtype(found[b"descr"].decode("ascii")[1:-1])
        message = "The body is not npy: its header is not that of an array of numbers."
    raise MalformedTable(message, [Fault("npy", field="body")])


def _dtype(word: str) -> "np.dtype[Any]":
    try:
        return np.dtype(word)
    except (TypeError, ValueError):
        message = f"The body is not npy: it is of {word}, which no number is."
        raise MalformedTable(message, [Fault("npy", field="body")]) from None


def _block(file: BinaryIO, header: Header, start: int, rows: int) -> Block:
    """Read some rows, shape (rows, columns)."""
    if not header.in_columns:
        return _cells(file, header, start * header.width, rows * header.width).reshape(rows, header.width)
    return np.stack([_cells(file, header, index * header.rows + start, rows) for index in range(header.width)], axis=1)


def _cells(file: BinaryIO, header: Header, start: int, count: int) -> Block:
    file.seek(header.begin + start * header.dtype.itemsize)
    return np.frombuffer(file.read(count * header.dtype.itemsize), header.dtype)
