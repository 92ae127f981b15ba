"""The document of a dataset: the JSON beside its Parquet file, which says what that file must be."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from app.store.document import Damage
from app.store.snapshot import NewerFormat
from app.tables.summaries import ColumnSummary

FORMAT = 1
BLANK = "0" * 64
LARGEST = 2**28


class DatasetDocument(BaseModel):
    """What is known of a dataset."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    sha256: str
    format: Annotated[int, Ge(FORMAT), Le(FORMAT)] = FORMAT
    parquet: str
    bytes: int
    rows: int
    created: datetime
    columns: tuple[ColumnSummary, ...]


@dataclass(frozen=True)
class Dataset:
    """One dataset as it lies in the store."""

    id: str
    document: DatasetDocument


def encode(document: DatasetDocument) -> bytes:
    """Write a document with its own SHA-256."""
    blank = document.model_copy(update={"sha256": BLANK}).model_dump_json().encode()
    return blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def decode(data: bytes) -> DatasetDocument:
    """Read what `encode` wrote; raise Damage if it is not that to the last bit, NewerFormat if a later one did."""
    try:
        document = DatasetDocument.model_validate_json(data)
    except ValidationError as error:
        _require_known(data)
        message = "its document cannot be read"
        raise Damage(message) from error
    if hashlib.sha256(data.replace(document.sha256.encode(), BLANK.encode(), 1)).hexdigest() != document.sha256:
        message = "the SHA-256 of its document does not match"
        raise Damage(message)
    return document


def _require_known(data: bytes) -> None:
    """Raise NewerFormat for a document that says that its format is one."""
    try:
        told = from_json(data)
    except ValueError:
        return
    found = told.get("format") if isinstance(told, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise NewerFormat(found)
