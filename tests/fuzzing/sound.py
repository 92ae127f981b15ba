"""Sound files of each format, small, with all that readers tell apart: what mutations begin with."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc, parquet

from app.models.learning import learn
from app.store import snapshot
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe

QUICK = recipe(epochs=2)
CELLS: dict[str, list[Any]] = {
    "hours": [1.5, None, -3.0, 1e99, 0.0, 7.25],
    "course": ["art", "law", "", 'Übung, "x"\n', None, "law"],
    "paid": [True, False, None, True, False, True],
    "day": ["2024-02-29", "1999-12-31", None, "2001-01-01", "2020-06-30", "2024-02-29"],
    "count": [1, 2, 3, 2**40, -5, 0],
    "score": [60.0, 61.5, 62.25, 63.0, 59.0, 58.5],
}
ROWS = [dict(zip(CELLS, row, strict=True)) for row in zip(*CELLS.values(), strict=True)]


def _table() -> Any:
    columns = {name: pa.array(cells) for name, cells in CELLS.items()}
    days = [None if day is None else date.fromisoformat(day) for day in CELLS["day"]]
    moments = [None if day is None else datetime(day.year, 3, 4, 5, 6, 7, 8) for day in days]  # noqa: DTZ001 - without a zone
    return pa.table(
        columns
        | {
            "coded": pa.array(CELLS["course"]).dictionary_encode(),
            "moment": pa.array(moments, pa.timestamp("ms", "UTC")),
            "date": pa.array(days, pa.date32()),
            "price": pa.array([None, 1, 2, 3, 4, 5], pa.decimal128(20, 3)),
            "small": pa.array([1, 2, None, 4, 5, 6], pa.int8()),
            "large": pa.array(CELLS["course"], pa.large_string()),
        }
    )


TABLE = _table()
STRANGE = TABLE.append_column("list", pa.array([[1], [], None, [2, 3], [4], [5]])).append_column(
    "struct", pa.array([{"a": 1, "b": [""]}] * 6)
)
VIEWS = TABLE.append_column("view", pa.array(CELLS["course"], pa.string_view())).append_column(
    "runs", pa.RunEndEncodedArray.from_arrays(pa.array([2, 6], pa.int16()), pa.array(["x", "y"]))
)


def _written(new: Any, table: Any, **how: Any) -> bytes:
    sink = io.BytesIO()
    with new(sink, table.schema, **how) as writer:
        for start in (0, 4):
            writer.write_table(table.slice(start, 4))
    return sink.getvalue()


def _csv(**dialect: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, **dialect)
    writer.writerows([CELLS, *(["" if cell is None else cell for cell in row.values()] for row in ROWS)])
    return text.getvalue().encode()


def csvs() -> list[bytes]:
    """With each delimiter, encoding and kind of line end."""
    plain = _csv()
    return [
        plain,
        _csv(delimiter=";", lineterminator="\n"),
        _csv(delimiter="\t", quoting=csv.QUOTE_ALL),
        b"\xef\xbb\xbf" + plain,
        plain.decode().encode("utf-16"),
        b"a;score\n1,5;2,5\n3,25;4\n",
    ]


def ndjsons() -> list[bytes]:
    """Objects and lists, a line each."""
    return [
        b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
        b"".join(json.dumps({"hours": row["hours"], "score": row["score"]}).encode() + b"\r\n" for row in ROWS),
    ]


def parquets() -> list[bytes]:
    """In each compression, and both kinds of pages."""
    return [
        *(_written(parquet.ParquetWriter, TABLE, compression=how) for how in ("none", "snappy", "gzip", "zstd", "lz4")),
        _written(parquet.ParquetWriter, STRANGE, data_page_version="2.0"),
        _written(parquet.ParquetWriter, TABLE, use_dictionary=False, write_page_index=True, data_page_size=20),
        _written(parquet.ParquetWriter, TABLE.select(["hours", "score"]), version="1.0", store_schema=False),
    ]


def arrows(new: Any) -> list[bytes]:
    """In each compression, with types of all kinds."""
    options = [ipc.IpcWriteOptions(compression=how) for how in (None, "zstd", "lz4")]
    return [
        *(_written(new, table, options=how) for table in (TABLE, STRANGE) for how in options),
        _written(new, VIEWS),
        _written(new, TABLE.select(["hours", "score"])),
    ]


def npys() -> list[bytes]:
    """Of each kind of number, in both orders."""
    numbers = np.arange(24.0).reshape(8, 3)
    arrays: list[Any] = [numbers, numbers.T, np.asfortranarray(numbers), numbers[:, 0], numbers[:, :2]]
    arrays += [numbers.astype(kind) for kind in ("<f4", ">f8", "<i8", "u1", "?", "<f2")]
    return [_npy(array) for array in arrays]


def _npy(array: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def jsons() -> list[bytes]:
    """Bodies of trainings, in each form."""
    X = [[1, 5], [2, 9.5], [3, 6]]
    bodies: list[Any] = [
        {"name": "exam", "X": X, "y": [92, 86, 89], "preset": "tutorial", "columns": ["studied", "slept"]},
        {"rows": ROWS, "target": "score", "kinds": {"count": "category"}, "weight": None},
        {"columns": list(CELLS), "rows": [list(row.values()) for row in ROWS], "target": ["score", "count"]},
        {"X": X, "y": ["a", "b", "a"], "weights": [1, 2, 0.5], "network": {"hidden": [3]}, "sweep": {"l2": [0, 1]}},
        {
            "X": X * 7,
            "y": list(range(21)),
            "search": {"trials": 2, "metric": "r2", "space": {"l2": {"low": 0.1, "high": 1}}},
        },
        {"X": X, "y": [[1, 2], [3, 4], [5, 6]], "training": {"epochs": 3, "optimizer": "adam"}, "tags": {"a": "b"}},
    ]
    return [json.dumps(body).encode() for body in bodies]


def questions() -> list[bytes]:
    """Bodies of predictions about the tutorial's model, in each form."""
    row = {"hours_studied": 4, "hours_slept": 8.5}
    bodies: list[Any] = [
        {"model": "exam", "X": [[4, 8]] * 200},
        {"X": [[4, 8], [1e99, -0.0]]},
        {"rows": [row, row]},
        {"X": [4, 8], "interval": 0.9, "applicability": True},
        {"columns": ["hours_slept", "hours_studied"], "rows": [[8, 4]]},
    ]
    return [json.dumps(body).encode() for body in bodies]


def snapshots() -> list[bytes]:
    """Of numbers, of labels, and of members with everything."""
    models = (learn(EXAM, QUICK), learn(mixed(), ensemble()), learn(blobs(3), QUICK))
    return [snapshot.encode(model) for model in models]


def networks() -> Iterator[bytes]:
    """Networks of others in ONNX."""
    from tests.export.graphs import WORDS, activated, b, classifier, dense, graph, regressor  # noqa: PLC0415 - heavy

    yield regressor()
    yield classifier(WORDS)
    yield classifier(WORDS == "low", zipmap=False)
    yield graph(*dense("in", "z", 3, 4), ("Softmax", ["z"], "out"))
    yield graph(("Sub", ["in", b(3)], "c"), *dense("c", "z", 3, 4), ("Relu", ["z"], "out"))
    yield activated("Elu")
