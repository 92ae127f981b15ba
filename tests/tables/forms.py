"""One table in every form it can be sent in."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import ipc, parquet

Cells = dict[str, list[Any]]
"""Columns by name: numbers, texts, truths or dates in text, None where a value is missing."""


def records(columns: Cells) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def as_json(columns: Cells) -> bytes:
    return json.dumps(records(columns)).encode()


def as_csv(columns: Cells, **dialect: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, **dialect)
    writer.writerow(columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in zip(*columns.values(), strict=True)])
    return text.getvalue().encode()


def as_ndjson(columns: Cells) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in records(columns))


def as_parquet(columns: Cells) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(as_arrow(columns), sink)
    return sink.getvalue()


def as_stream(columns: Cells) -> bytes:
    return _ipc(ipc.new_stream, columns)


def as_file(columns: Cells) -> bytes:
    return _ipc(ipc.new_file, columns)


def _ipc(new: Callable[..., Any], columns: Cells) -> bytes:
    sink, table = io.BytesIO(), as_arrow(columns)
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


def as_arrow(columns: Cells) -> Any:
    return pa.table({name: pa.array(_alike(cells)) for name, cells in columns.items()})


def _alike(cells: Sequence[Any]) -> list[Any]:
    """Write a column of several types as texts, since a column of Arrow has one."""
    kinds = {float if type(cell) is int else type(cell) for cell in cells if cell is not None}
    if len(kinds) > 1:
        return [None if cell is None else cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return [float(cell) if type(cell) is int else cell for cell in cells]


FORMS: dict[str, tuple[str, Callable[[Cells], bytes]]] = {
    "JSON": ("application/json", as_json),
    "CSV": ("text/csv", as_csv),
    "CSV with tabs": ("text/tab-separated-values", lambda columns: as_csv(columns, delimiter="\t")),
    "CSV of a spreadsheet": (
        "text/csv; charset=utf-8",
        lambda columns: b"\xef\xbb\xbf" + as_csv(columns, delimiter=";"),
    ),
    "NDJSON": ("application/x-ndjson", as_ndjson),
    "Parquet": ("application/vnd.apache.parquet", as_parquet),
    "Arrow stream": ("application/vnd.apache.arrow.stream", as_stream),
    "Arrow file": ("application/vnd.apache.arrow.file", as_file),
}
"""Name -> (media type, writer)."""
