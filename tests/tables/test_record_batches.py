"""Streams: a file becomes the same columns as a body of its format, and rows are counted from its first."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from app.errors import BadTable, MalformedBody, ShuttingDown
from app.tables import parquet_files
from app.tables.draws import DatasetFile, Draw
from app.tables.options import Options
from app.tables.record_batches import Upload, stream
from app.tables.texts import Arrow

MOMENT = pa.timestamp("us")

Put = Callable[..., list[Arrow]]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Read a file of these bytes as a stream."""

    def put(content: bytes, kind: str | None, **options: object) -> list[Arrow]:
        path = tmp_path / "body"
        path.write_bytes(content)
        return list(stream(Upload(path, kind, Options(**options))))  # type: ignore[arg-type]  # what the test says

    return put


def lines(count: int, last: str) -> bytes:
    """NDJSON of more than one block, the last line of which is this."""
    return b"".join(b'{"a": %d, "b": null}\n' % row for row in range(count)) + last.encode()


def test_a_column_of_ndjson_has_the_type_of_all_its_lines(put: Put) -> None:
    """Numbers until the last line, which has a text and the first value of the other column."""
    batches = put(lines(200_000, '{"b": true, "a": "x"}'), "ndjson")

    assert len(batches) > 1
    assert {tuple(batch.schema.types) for batch in batches} == {(pa.string(), pa.bool_())}
    assert batches[0].column(0)[7].as_py() == "7"


@pytest.mark.parametrize(
    ("last", "row"), [('{"a": 1}', 60_000), ('{"a": 1, "b": [1]}', 60_000), ("5", 60_000)], ids=["key", "list", "value"]
)
def test_a_fault_names_its_row_in_the_whole_file(last: str, row: int, put: Put) -> None:
    """Though the file is read in blocks."""
    with pytest.raises(BadTable) as error:
        put(lines(60_000, last), "ndjson")

    assert {fault.row for fault in error.value.faults} == {row}


def test_a_line_that_is_no_json_is_named_by_its_number(put: Put) -> None:
    """Counted from 1, in the whole file."""
    with pytest.raises(MalformedBody, match="Line 60001 "):
        put(lines(60_000, "{"), "ndjson")


def test_types_of_parquet_become_those_of_cells(put: Put) -> None:
    """Whole numbers, decimals, days, coded and large texts, and nothing at all."""
    table = pa.table(
        {
            "whole": pa.array([1, None], pa.int32()),
            "day": pa.array([1, 2], pa.date32()),
            "coded": pa.array([" a", "NA"]).dictionary_encode(),
            "large": pa.array(["x", None], pa.large_string()),
            "none": pa.nulls(2),
        }
    )
    content = BytesIO()
    parquet.write_table(table, content)

    (batch,) = put(content.getvalue(), "parquet")

    assert batch.schema.types == [pa.float64(), MOMENT, pa.string(), pa.string(), pa.null()]
    assert batch.column("coded").to_pylist() == ["a", None]


DAY_S = 86_400
AFTER, BEFORE = 2_932_897, -719_163  # days from 1970 to the first of year 10000, and to the last before year 1


@pytest.mark.parametrize("kind", ["parquet", "arrow_stream", "arrow_file"])
@pytest.mark.parametrize(
    ("moment", "ticks"),
    [
        (pa.date32(), 1),
        (pa.date64(), DAY_S * 1000),
        (pa.timestamp("s"), DAY_S),
        (pa.timestamp("us", "UTC"), DAY_S * 10**6),
    ],
    ids=str,
)
@pytest.mark.parametrize("coded", [False, True])
def test_dates_of_no_calendar_are_named(kind: str, moment: Arrow, ticks: int, coded: bool, put: Put) -> None:
    """By their rows in the whole file; what is missing, and the first and last day that there are, are fine."""
    days = [AFTER - 1, BEFORE + 1, None, 0, AFTER, None, BEFORE]
    found = pa.array([None if day is None else day * ticks for day in days], pa.int64())
    dates = (found.cast(pa.int32()) if moment == pa.date32() else found).cast(moment)
    table = pa.table({"a": range(7), "day": dates.dictionary_encode() if coded else dates})

    whole = put(written(kind, table.slice(0, 4)), kind)
    with pytest.raises(BadTable, match="years 1 to 9999") as error:
        put(written(kind, table), kind)

    assert [str(day)[:10] for batch in whole for day in batch.column("day").to_pylist()] == [
        "9999-12-31",
        "0001-01-01",
        "None",
        "1970-01-01",
    ]
    assert [(fault.row, fault.column) for fault in error.value.faults] == [(4, "day"), (6, "day")]


def written(kind: str, table: Arrow) -> bytes:
    """Write a file, of Arrow in two batches."""
    content = BytesIO()
    if kind == "parquet":
        parquet.write_table(table, content)
    else:
        with (ipc.new_stream if kind == "arrow_stream" else ipc.new_file)(content, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    return content.getvalue()


def test_columns_that_are_no_cells_are_refused(put: Put) -> None:
    """Lists, before any of them is read."""
    content = BytesIO()
    parquet.write_table(pa.table({"a": [[1], [2]]}), content)

    with pytest.raises(BadTable, match="Column a holds"):
        put(content.getvalue(), "parquet")


def test_texts_that_expand_come_in_small_pieces(tmp_path: Path) -> None:
    """A few kilobytes of Parquet that stand for 6 GB of text never are more than 64 MB of it at once."""
    path = tmp_path / "body"
    coded = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 60_000]))
    parquet.write_table(pa.table({"a": coded}), path)

    batch = next(stream(Upload(path, "parquet", Options())))

    assert path.stat().st_size < 10_000
    assert batch.nbytes < 2**26 + 2**16


def test_a_table_of_too_much_text_is_not_read() -> None:
    """The longest column is named."""
    file = BytesIO()
    parquet_files.write(file, [pa.RecordBatch.from_pydict({"a": ["x"] * 10, "b": ["y" * 200] * 10})])

    opened = DatasetFile(file)
    with pytest.raises(BadTable, match="Leave column b out"):
        opened.read(Draw.all_of(opened, 0), most_text=1000)


@pytest.mark.parametrize(("kind", "content"), [("csv", b"a\n1\n"), ("ndjson", b'{"a": 1}'), (None, b'[{"a": 1}]')])
def test_a_stream_can_be_stopped(kind: str | None, content: bytes, tmp_path: Path) -> None:
    """Also while it is looked at for the first time."""
    path = tmp_path / "body"
    path.write_bytes(content)

    def stop() -> None:
        raise ShuttingDown

    def read() -> Iterator[Arrow]:
        return stream(Upload(path, kind, Options()), stop)

    with pytest.raises(ShuttingDown):
        next(read())
