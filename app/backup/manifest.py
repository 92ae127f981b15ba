"""The manifest: what a backup says of itself before anything else."""

from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from app import __version__
from app.errors import BackupDamaged, BackupNewer

FORMAT = 1


class Manifest(BaseModel):
    """What has to be known to read a backup."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    format: Annotated[int, Ge(1), Le(FORMAT)] = FORMAT
    netlet: str = __version__
    """The version that wrote it."""
    created: float
    """When the catalogue was read, in seconds since 1970."""
    revision: Annotated[str, Field(pattern="^[0-9]{4}$")]
    """Of the catalogue's tables; an older one is migrated."""
    keys: Annotated[int, Ge(0), Le(2**31 - 1)]
    """The highest number that an API key ever had: none is given out twice."""


def decode(data: bytes) -> Manifest:
    """Read a manifest; raise BackupDamaged, or BackupNewer for one in a format that this netlet does not know."""
    try:
        told: Any = from_json(data)
        found = told["format"] if isinstance(told, dict) else None
        if isinstance(found, int) and found > FORMAT:
            raise BackupNewer
        return Manifest.model_validate(told)
    except (ValidationError, ValueError, KeyError) as error:
        message = "its manifest cannot be read"
        raise BackupDamaged(message) from error
