"""What a file claims: it is held to bounds before anything is made of it, however short the file is."""

import io
import struct
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from app.errors import BadTable, InputError, MalformedTable, TableTooLarge
from app.tables.arrow_claims import require_modest_schema
from app.tables.bounds import Bounds
from app.tables.flatbuffer import Flat
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.raw import RawColumn

INFLATED = 2**24
MUCH = "x" * (2 * INFLATED)
EMPTY_CHUNK = b"\x26\x00\x00"  # a column in a group of rows, of which nothing is said but that it begins at 0


def read(kind: str, data: bytes) -> Any:
    return FORMATS[kind].read(data, Options(bounds=Bounds(cells=10**6, inflated=INFLATED)))


def read_in_parts(kind: str, data: bytes) -> None:
    for _ in FORMATS[kind].stream(io.BytesIO(data), Options(bounds=Bounds(cells=10**6)), 1000):
        pass


def as_parquet(table: Any, **how: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **how)
    return sink.getvalue()


def as_arrow(new: Any, table: Any, **how: Any) -> bytes:
    sink = io.BytesIO()
    with new(sink, table.schema, options=ipc.IpcWriteOptions(**how)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def footer(schema: bytes, groups: bytes, rows: int = 1) -> bytes:
    """A Parquet file that is nothing but a footer."""
    meta = b"\x15\x02" + schema + b"\x16" + bytes([2 * rows]) + groups + b"\x00"
    return b"PAR1" + meta + struct.pack("<I", len(meta)) + b"PAR1"


def listed(count: int) -> bytes:
    """The head of a list of structures, as field before that plus one."""
    return b"\x19\xfc" + varint(count)


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number >= 0x80 else bytes([number])


ROOT = b"\x48\x01s\x15\x02\x00"  # an element of a schema, with one child
LEAF = b"\x15\x0a\x25\x00\x18\x01a\x00"


def many_columns_in_groups() -> bytes:
    """A million columns, three bytes each, of which a library makes a kilobyte each."""
    group = b"\x19\xfc" + varint(10**6) + EMPTY_CHUNK * 10**6 + b"\x16\x00\x16\x02\x00"
    return footer(b"\x19\x2c" + ROOT + LEAF, b"\x19\x1c" + group)


def many_columns() -> bytes:
    return footer(listed(10**6) + ROOT + b"\x48\x00\x00" * (10**6 - 1), b"\x19\x0c")


def named_alike() -> bytes:
    """A schema whose ten thousand columns all have the one name, of a megabyte, that is there once."""
    fields = [pa.field("x" * 10**6, pa.int8()), *(pa.field(f"c{number}", pa.int8()) for number in range(10_000))]
    message = bytearray(pa.schema(fields).serialize().to_pybytes())
    body = bytes(message[8:])
    schema = Flat.root(body).table(2)
    assert schema is not None
    begin, count = schema.vector(1)
    places = range(begin, begin + 4 * count, 4)
    targets = {place: place + int.from_bytes(body[place : place + 4], "little") for place in places}
    longest = max(targets.values(), key=lambda target: Flat(body, target).vector(0)[1])
    for place in places:
        message[8 + place : 12 + place] = (longest - place).to_bytes(4, "little")
    return bytes(message)


def seen_often() -> bytes:
    """Thirty thousand views of one text of 60,000 bytes, 16 bytes each."""
    view = struct.pack("<i4sii", 60_000, b"xxxx", 0, 0)
    texts = pa.Array.from_buffers(
        pa.string_view(), 30_000, [None, pa.py_buffer(view * 30_000), pa.py_buffer(b"x" * 60_000)]
    )
    return as_arrow(ipc.new_stream, pa.table({"a": texts}))


def growing() -> bytes:
    """A dictionary that grows by a word with each of a thousand batches, which a reader copies each time."""
    words, sink = ["x" * 50_000, *(f"v{number}" for number in range(1000))], io.BytesIO()
    schema = pa.schema({"a": pa.dictionary(pa.int32(), pa.string())})
    with ipc.new_stream(sink, schema, options=ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        for count in range(1, len(words)):
            column = pa.DictionaryArray.from_arrays(pa.array([count - 1], pa.int32()), pa.array(words[:count]))
            writer.write_batch(pa.record_batch([column], schema=schema))
    return sink.getvalue()


def told_beside() -> bytes:
    """A Parquet file with such a schema beside its own."""
    sink = io.BytesIO()
    with parquet.ParquetWriter(sink, pa.schema({"a": pa.float64()}), store_schema=False) as writer:
        writer.write_table(pa.table({"a": [1.0]}))
        writer.add_key_value_metadata({"ARROW:schema": b64encode(named_alike()).decode()})
    return sink.getvalue()


def another_number_of_rows() -> bytes:
    data = as_parquet(pa.table({"a": [1.0, 2.0, 3.0]}), store_schema=False)
    meta = int.from_bytes(data[-8:-4], "little")
    begin = len(data) - 8 - meta
    at = data.index(b"\x16\x06\x19", begin)  # three rows, and a list of their groups
    return data[: at + 1] + b"\x02" + data[at + 2 :]


def claiming(new: Any) -> bytes:
    """A compressed batch that says of a buffer that it inflates to a terabyte."""
    data = as_arrow(new, pa.table({"a": ["x" * 100]}), compression="zstd")
    at = data.index(b"\x28\xb5\x2f\xfd") - 8
    return data[:at] + (2**40).to_bytes(8, "little") + data[at + 8 :]


BOMBS: dict[str, tuple[str, Callable[[], bytes], type[InputError], str]] = {
    "columns in groups": ("parquet", many_columns_in_groups, MalformedTable, "too many columns in too many groups"),
    "columns": ("parquet", many_columns, BadTable, "has 1000000 columns"),
    "a page": (
        "parquet",
        lambda: as_parquet(pa.table({"a": [MUCH]}), compression="zstd", use_dictionary=False),
        TableTooLarge,
        "bytes, inflated",
    ),
    "a dictionary": (
        "parquet",
        lambda: as_parquet(pa.table({"a": [MUCH]}), compression="gzip"),
        TableTooLarge,
        "bytes, inflated",
    ),
    "rows": ("parquet", another_number_of_rows, MalformedTable, "another number of rows"),
    "a batch": (
        "arrow_stream",
        lambda: as_arrow(ipc.new_stream, pa.table({"a": [MUCH]}), compression="zstd"),
        TableTooLarge,
        "bytes, inflated",
    ),
    "a batch of a file": (
        "arrow_file",
        lambda: as_arrow(ipc.new_file, pa.table({"a": [MUCH]}), compression="lz4"),
        TableTooLarge,
        "bytes, inflated",
    ),
    "words": (
        "arrow_file",
        lambda: as_arrow(ipc.new_file, pa.table({"a": pa.array([MUCH]).dictionary_encode()}), compression="zstd"),
        TableTooLarge,
        "bytes, inflated",
    ),
    "nothing, often": (
        "arrow_stream",
        lambda: as_arrow(ipc.new_stream, pa.table({"a": pa.nulls(10**9)})),
        TableTooLarge,
        "cells",
    ),
    "one name": ("arrow_stream", lambda: named_alike() + b"\xff\xff\xff\xff\0\0\0\0", MalformedTable, "says too much"),
    "a schema beside": ("parquet", told_beside, MalformedTable, "says too much"),
    "views": ("arrow_stream", seen_often, TableTooLarge, "bytes of text"),
    "a growing dictionary": ("arrow_stream", growing, TableTooLarge, "bytes, inflated"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_short_file_that_would_become_long_is_refused(bomb: str) -> None:
    """By what it says of itself, before it is read; the file is a few kilobytes, or megabytes of next to nothing."""
    kind, made, error, reason = BOMBS[bomb]

    with pytest.raises(error, match=reason):
        read(kind, made())


IN_PARTS: dict[str, tuple[str, Callable[[], bytes], type[InputError]]] = {
    "columns in groups": ("parquet", many_columns_in_groups, MalformedTable),
    "columns": ("parquet", many_columns, BadTable),
    "rows": ("parquet", another_number_of_rows, MalformedTable),
    "a schema beside": ("parquet", told_beside, MalformedTable),
    "one name": ("arrow_stream", named_alike, MalformedTable),
    "a batch": ("arrow_stream", lambda: claiming(ipc.new_stream), TableTooLarge),
    "a batch of a file": ("arrow_file", lambda: claiming(ipc.new_file), TableTooLarge),
}


@pytest.mark.parametrize("bomb", IN_PARTS)
def test_one_that_is_read_in_parts_is_held_to_bounds_too(bomb: str) -> None:
    """Before its first part is."""
    kind, made, error = IN_PARTS[bomb]

    with pytest.raises(error):
        read_in_parts(kind, made())


@pytest.mark.parametrize("kind", ["parquet", "arrow_stream", "arrow_file"])
def test_a_table_that_inflates_within_bounds_is_read(kind: str) -> None:
    """At once and in parts; what is too long at once may be read in parts."""
    how = {"compression": "zstd"}
    news = {"arrow_stream": ipc.new_stream, "arrow_file": ipc.new_file}
    within, beyond = (
        as_parquet(table, **how) if kind == "parquet" else as_arrow(news[kind], table, **how)
        for table in (pa.table({"a": np.zeros(rows)}) for rows in (10**5, 3 * 10**6))
    )

    assert read(kind, within).rows == 10**5
    with pytest.raises(TableTooLarge):
        read(kind, beyond)
    options = Options(bounds=Bounds(inflated=INFLATED))
    assert sum(table.rows for table in FORMATS[kind].stream(io.BytesIO(beyond), options, 10**6)) == 3 * 10**6


def test_a_coded_value_that_is_no_cell_is_not_made_for_each_row() -> None:
    """A million codes for one value of a megabyte would be a terabyte."""
    value = pa.array([b"x" * 10**6], pa.binary(10**6))
    codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**6, np.int8)), value)

    with pytest.raises(BadTable, match="of which nothing can be learnt"):
        _ = RawColumn("a", codes).array


def test_numbers_of_the_other_end_first_are_refused() -> None:
    """A reader would turn them round, in memory of its own for each time that they are named."""
    message = struct.pack("<IHHHHHxxiIBxxx", 16, 10, 12, 0, 8, 4, 12, 16, 1)  # of a schema
    schema = struct.pack("<HHHxxih", 6, 6, 4, 8, 1)  # which says 1 of its only field

    with pytest.raises(ValueError, match="highest byte"):
        require_modest_schema(b"\xff\xff\xff\xff\0\0\0\0" + message + schema)


@pytest.mark.parametrize("cut", [0, 3, 7, 8, 12, 40, 200, -1, -9])
@pytest.mark.parametrize("kind", ["parquet", "arrow_stream", "arrow_file"])
def test_what_is_cut_short_is_malformed(kind: str, cut: int) -> None:
    """Wherever it ends."""
    table = pa.table({"a": [1.0, 2.0], "b": ["x", "y"]})
    data = {
        "parquet": as_parquet(table),
        "arrow_stream": as_arrow(ipc.new_stream, table),
        "arrow_file": as_arrow(ipc.new_file, table),
    }[kind]

    with pytest.raises((MalformedTable, BadTable)):
        read(kind, data[:cut])
