"""Tables that come some rows at a time: from a file of any length, each row as it is read at once."""

import io
import struct
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pytest

from app.errors import BadTable, InputError, MalformedBody, MalformedTable, TableTooLarge
from app.faults import Fault
from app.tables.bounds import Bounds
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.streams import LONGEST_LINE
from app.tables.table import Table

ROWS = 1000
NUMBERS = {"a": [index / 7 for index in range(ROWS)], "b": [float(index % 5) for index in range(ROWS)]}
MIXED: dict[str, list[Any]] = {
    "number": [None if index % 9 == 0 else index / 7 for index in range(ROWS)],
    "slips": ["x" if index == ROWS - 1 else str(index) for index in range(ROWS)],
    "code": [f"{index % 8:03}" for index in range(ROWS)],
    "truth": [index % 3 == 0 for index in range(ROWS)],
    "day": [date(2024, 1, 1 + index % 28).isoformat() for index in range(ROWS)],
}
SENT = {name: pa.table(NUMBERS if name == "npy" else MIXED) for name in FORMATS}
OPTIONS = Options(texts=("code",))
EVERY = pytest.mark.parametrize("name", FORMATS)


def written(name: str, *tables: Any) -> bytes:
    return b"".join(FORMATS[name].write(tables, sum(table.num_rows for table in tables)))


@pytest.fixture(params=["held", "kept"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BinaryIO]:
    """A place for a body, in memory or on disk."""
    if request.param == "held":
        yield io.BytesIO()
        return
    with (tmp_path / "body").open("w+b") as file:
        yield file


def tables(name: str, body: bytes, place: BinaryIO | None = None, options: Options = OPTIONS, rows: int = 7) -> Any:
    place = place or io.BytesIO()
    place.write(body)
    place.flush()
    return FORMATS[name].stream(place, options, rows)


def cells(table: Table) -> dict[str, list[Any]]:
    return {name: table.column(name).array.to_pylist() for name in table.columns}


def together(parts: list[Table]) -> dict[str, list[Any]]:
    columns = [cells(part) for part in parts]
    return {name: [cell for part in columns for cell in part[name]] for name in columns[0]}


@EVERY
def test_rows_that_come_in_parts_are_those_that_come_at_once(name: str, place: BinaryIO) -> None:
    """In every format, cell for cell, as often as they are asked for; no part is longer than it may be."""
    body = written(name, SENT[name])
    stream = tables(name, body, place)

    parts = list(stream)

    assert max(part.rows for part in parts) == 7
    assert together(parts) == cells(FORMATS[name].read(body, OPTIONS))
    assert together(list(stream)) == together(parts)


@EVERY
def test_answers_that_are_written_in_parts_are_those_written_at_once(name: str) -> None:
    """In every format, whatever the parts; where the format has no parts of its own, to the last byte."""
    whole = SENT[name]

    body = written(name, whole.slice(0, 400), whole.slice(400, 1), whole.slice(401))

    assert cells(FORMATS[name].read(body, OPTIONS)) == cells(FORMATS[name].read(written(name, whole), OPTIONS))
    assert (body == written(name, whole)) == (name in {"csv", "ndjson", "npy"})


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f8", ">f4", "i2", "?"])
def test_an_array_may_be_stored_either_way(order: Any, kind: str) -> None:
    """Row after row or column after column, in either order of bytes; one dimension is one column."""
    array = np.asarray(np.arange(60).reshape(20, 3) % 11, dtype=kind, order=order)
    bodies = [io.BytesIO(), io.BytesIO()]
    np.save(bodies[0], array)
    np.save(bodies[1], array[:, 1])

    two, one = [together(list(tables("npy", body.getvalue()))) for body in bodies]

    assert list(two.values()) == array.T.tolist()
    assert one == {"x1": array[:, 1].tolist()}


@pytest.mark.parametrize("name", ["arrow_stream", "arrow_file"])
def test_batches_without_rows_do_not_matter(name: str) -> None:
    """Between others they are left out; alone they are no rows."""
    table = SENT[name]

    parts = list(tables(name, written(name, table.slice(0, 0), table.slice(0, 9), table.slice(0, 0))))

    assert [part.rows for part in parts] == [7, 2]
    with pytest.raises(BadTable, match="There are no rows"):
        list(tables(name, written(name, table.slice(0, 0))))


NO_ROWS = {
    "csv": b"a,b\n",
    "ndjson": b"\n\n",
    "parquet": written("parquet", SENT["parquet"].slice(0, 0)),
    "npy": written("npy", SENT["npy"].slice(0, 0)),
}


@pytest.mark.parametrize("name", NO_ROWS)
def test_a_file_without_rows_is_refused(name: str) -> None:
    """As any table without rows is."""
    with pytest.raises(BadTable, match="There are no rows"):
        list(tables(name, NO_ROWS[name]))


@EVERY
def test_a_damaged_file_is_refused(name: str, place: BinaryIO) -> None:
    """In every format: what was cut off, and what was never of it."""
    whole = written(name, SENT[name])

    for body in (b"\x00nothing of the kind", whole[: len(whole) // 2] + b"\x00\xff"):
        place.seek(0)
        place.truncate()
        with pytest.raises((MalformedTable, MalformedBody)):
            list(tables(name, body, place))


GOOD = b'{"a": 1}\n' * 20
LINES: dict[str, tuple[bytes, type[InputError], str, int | None]] = {
    "another key": (GOOD + b'{"b": 2}\n', BadTable, "the columns that the first has", 20),
    "no object": (GOOD + b"[1]\n", BadTable, "the columns that the first has", 20),
    "a list of another length": (b"[1, 2]\n" * 20 + b"[1]\n", BadTable, "do not have 2 values", 20),
    "no JSON": (b"\n" + GOOD + b"{\n", MalformedBody, "Line 22 of", None),
    "half a row": (b"\n" + GOOD + b'{"a": 1', MalformedBody, "Line 22 of", None),
    "a line without end": (GOOD + b" " * (LONGEST_LINE + 1), MalformedBody, "Line 21 of the body is longer", None),
}


@pytest.mark.parametrize(("body", "error", "message", "row"), LINES.values(), ids=LINES)
def test_a_line_that_does_not_fit_is_told_by_its_place_in_the_file(
    body: bytes, error: type[InputError], message: str, row: int | None
) -> None:
    """Rows count from 0 and lines from 1, however many came before."""
    with pytest.raises(error, match=message) as refused:
        list(tables("ndjson", body))

    assert {fault.row for fault in refused.value.faults} <= {row}


def test_long_lines_come_in_smaller_parts() -> None:
    """Those that are read at once have some megabytes, not as many as rows are asked for."""
    line = b'{"a": "' + b"x" * 2**20 + b'"}\n'

    options = Options(bounds=Bounds(cell_bytes=2**21))
    assert [part.rows for part in tables("ndjson", 5 * line, options=options, rows=1000)] == [2, 2, 1]


ARRAYS = {
    "texts": np.array(["a"]),
    "three dimensions": np.ones((2, 2, 2)),
    "complex numbers": np.ones(2, dtype=np.complex128),
    "numbers of 16 bytes": np.ones(2, dtype=np.longdouble),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_of_something_else_is_refused(array: Any) -> None:
    """Before anything of it is read."""
    body = io.BytesIO()
    np.save(body, array)

    with pytest.raises(MalformedTable, match="Send numbers, a row each, in two"):
        list(tables("npy", body.getvalue()))


def test_an_array_of_less_than_nothing_is_refused() -> None:
    """Two negative lengths have a product that a header could claim."""
    body = written("npy", pa.table({"a": [1.0]})).replace(b"(1, 1), ", b"(-1,-1),")

    with pytest.raises(MalformedTable, match="not that of an array of numbers"):
        list(tables("npy", body))


@pytest.mark.parametrize(
    "header", ["(" * 5000, "-" * 9000, "{'a':" * 900, "{'shape': " + "(" * 300, " " * 70_000, "f()"]
)
def test_a_header_that_python_would_choke_on_is_refused(header: str) -> None:
    """It is a literal of Python, and is read as what NumPy writes, not as that."""
    body = (
        b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little", signed=False) + header.encode()
        if len(header) < 2**16
        else b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header.encode()
    )

    with pytest.raises(MalformedTable, match="not that of an array of numbers"):
        list(tables("npy", body))


def test_names_of_an_array_are_as_many_as_its_columns() -> None:
    """They come from elsewhere; without them, columns are numbered."""
    body = written("npy", SENT["npy"])

    assert next(iter(tables("npy", body, options=Options(columns=("a", "b"))))).columns == ("a", "b")
    with pytest.raises(BadTable) as refused:
        list(tables("npy", body, options=Options(columns=("a",))))
    assert refused.value.faults == (Fault("2 names", got="1", field="columns"),)


@pytest.mark.parametrize("name", ["parquet", "npy"])
def test_a_file_that_says_to_be_too_long_is_refused_unread(name: str) -> None:
    """By its own word."""
    with pytest.raises(TableTooLarge):
        list(tables(name, written(name, SENT[name]), options=Options(bounds=Bounds(cells=ROWS))))


def test_numbers_with_a_decimal_comma_are_written_with_a_point_among_texts() -> None:
    """At once and in parts, cell by cell; what only begins like a number stays."""
    body = b"a;b;c\n1,5;2,5;x\nslip; -,5e3 ;1,5\n2,5;3;1,5 kg\n"

    at_once = FORMATS["csv"].read(body, Options(texts=("c",)))

    assert together(list(tables("csv", body, options=Options(texts=("c",)), rows=1))) == cells(at_once)
    assert cells(at_once) == {"a": ["1.5", "slip", "2.5"], "b": [2.5, -500.0, 3.0], "c": ["x", "1.5", "1,5 kg"]}


@pytest.mark.parametrize("name", ["parquet", "arrow_stream", "arrow_file"])
def test_a_part_of_a_file_is_not_held_however_large_it_is(name: str, tmp_path: Path) -> None:
    """A file may be a single row group, or a single batch."""
    table = pa.table({column: np.random.default_rng(0).standard_normal(2**20) for column in "ab"})
    path = tmp_path / "body"
    path.write_bytes(written(name, table))
    del table
    before = pa.total_allocated_bytes()

    with path.open("rb") as file:
        taken = [pa.total_allocated_bytes() - before for _ in FORMATS[name].stream(file, OPTIONS, 1000)]

    assert len(taken) == 2**20 // 1000 + 1
    assert max(taken) < path.stat().st_size / 4


@pytest.mark.parametrize("name", ["arrow_stream", "arrow_file"])
def test_a_text_that_says_to_be_elsewhere_is_refused(name: str) -> None:
    """Where texts begin and end is the sender's word."""
    body = written(name, pa.table({"a": ["abc", "defgh"]}))
    places, elsewhere = struct.pack("<3i", 0, 3, 8), struct.pack("<3i", 0, 3, 2**30)
    assert body.count(places) == 1

    with pytest.raises(MalformedTable):
        list(tables(name, body.replace(places, elsewhere)))
