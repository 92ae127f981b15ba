"""The two ways of reading CSV, which must give the same."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from app.tables.csv_files import batches, column_types, read_csv
from app.tables.dialect import Dialect

MISSING = ("", "NA")
PLAIN = Dialect("utf-8", ",", ".")
MANY = 400_000  # rows that fill more than one block
Read = Callable[..., pa.Table]


def at_once(body: bytes, dialect: Dialect = PLAIN, texts: tuple[str, ...] = ()) -> pa.Table:
    return read_csv(body, dialect, missing=MISSING, texts=texts)


def in_batches(body: bytes, dialect: Dialect = PLAIN, texts: tuple[str, ...] = ()) -> pa.Table:
    types = column_types(io.BytesIO(body), dialect, missing=MISSING, texts=texts)
    return pa.Table.from_batches(batches(io.BytesIO(body), dialect, missing=MISSING, types=types))


both = pytest.mark.parametrize("read", [at_once, in_batches])


def contents(table: pa.Table) -> list[tuple[str, str, list[Any]]]:
    """Name, type and cells of each column."""
    return [
        (name, str(column.type), column.to_pylist())
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
