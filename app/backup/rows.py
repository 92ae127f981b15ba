"""Rows of the catalogue as lines of JSON, which every database can take: a binary value is its base64."""

import json
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, BinaryIO

from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, ValidationError, create_model
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    insert,
    select,
)

from app.errors import BackupDamaged

AT_ONCE = 500
LONGEST = 2**24  # of a line


def _require_no_nul(text: str) -> str:
    """Raise ValueError for what PostgreSQL does not take."""
    if "\0" in text:
        message = "a text with a NUL"
        raise ValueError(message)
    return text


Text = Annotated[str, AfterValidator(_require_no_nul)]
TYPES: tuple[tuple[type, Any], ...] = (
    (JSON, Any),
    (Boolean, bool),
    (BigInteger, Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]),
    (Integer, Annotated[int, Ge(-(2**31)), Le(2**31 - 1)]),
    (Float, float),
    (LargeBinary, Base64Bytes),
    (String, Text),
)
"""What a column's values are, by the first of these types that the column is of."""


class Row(BaseModel):
    """A row of any table."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def dump(connection: Connection, table: Table, sink: BinaryIO) -> None:
    """Write all rows of a table, in the order of their keys."""
    chosen = select(table).order_by(*table.primary_key.columns)
    sink.writelines(line_of(row._asdict()) for row in connection.execution_options(yield_per=AT_ONCE).execute(chosen))


def line_of(row: dict[str, Any]) -> bytes:
    """Write a row."""
    values = {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()}
    return json.dumps(values, allow_nan=False).encode() + b"\n"


def load(connection: Connection, table: Table, source: BinaryIO) -> None:
    """Insert all rows of a table; raise BackupDamaged for what is none of it."""
    into, rows = insert(table).values(_binds(table)), _rows(table, source)
    while several := list(islice(rows, AT_ONCE)):
        connection.execute(into, several)


def copy(origin: Connection, target: Connection, table: Table) -> None:
    """Take all rows of a table to another database."""
    into = insert(table).values(_binds(table))
    rows = origin.execution_options(yield_per=AT_ONCE).execute(select(table))
    for several in rows.partitions():
        target.execute(into, [row._asdict() for row in several])


def _binds(table: Table) -> dict[str, Any]:
    """Let nothing be NULL in a column of JSON, too, as it was, and not the JSON word for it."""
    return {
        column.name: bindparam(
            column.name, type_=JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type
        )
        for column in table.columns
    }


def _rows(table: Table, source: BinaryIO) -> Iterator[dict[str, Any]]:
    columns: dict[str, Any] = {column.name: (_type_of(column), ...) for column in table.columns}
    row_of = create_model(table.name, __base__=Row, **columns)
    for number, line in enumerate(_lines(source), start=1):
        try:
            row = row_of.model_validate_json(line)
        except ValidationError as error:
            message = f"row {number} of its table {table.name} is none"
            raise BackupDamaged(message) from error
        yield vars(row)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline(LONGEST):
        yield line


def _type_of(column: Column[Any]) -> Any:  # noqa: ANN401 - a type, as Pydantic takes it
    found = next(value for kind, value in TYPES if isinstance(column.type, kind))
    if isinstance(column.type, String) and column.type.length is not None:
        found = Annotated[found, MaxLen(column.type.length)]
    return found | None if column.nullable else found
