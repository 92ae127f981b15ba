"""What requests about aliases and versions hold, and what is told of them."""

from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.api.schemas import LOOSE, ModelDetail, strict
from app.docstrings import Described
from app.store.references import HIGHEST


def _without_nul(text: str) -> str:
    """Refuse what no database keeps."""
    if "\0" in text:
        kind = "nul"
        message = "text without the character NUL"
        raise PydanticCustomError(kind, message)
    return text


Number = Annotated[int, Ge(1), Le(HIGHEST)]
Who = Annotated[str, MaxLen(200), AfterValidator(_without_nul)]
Why = Annotated[str, MaxLen(2000), AfterValidator(_without_nul)]


class Reasoned(BaseModel):
    """What is told of a change, for the history."""

    model_config = strict()

    why: Why = ""
    """Kept in the history."""
    who: Who = ""
    """Kept in the history; where it is not given, the key, or the address where none is needed."""


class AliasRequest(Reasoned):
    """Where an alias is to point."""

    model_config = strict({"version": 1, "why": "passed the tests"})

    version: Number


class RollbackRequest(Reasoned):
    """How an alias is to go back; nothing need be said."""

    model_config = strict({"to": 1, "why": "the tests had a fault"})

    to: Number | None = None
    """The revision to go back to; where it is not given, the last move that was not undone yet is undone."""


class RuleRequest(BaseModel):
    """What is to change about a model."""

    model_config = strict({"keep_last": 5})

    keep_last: Number | None
    """How many of its newest versions are kept, now and after each training; null keeps all. A version that an alias
    points to is kept beside them."""


class RuleAnswer(BaseModel):
    """What was changed about a model."""

    model_config = LOOSE

    model: str
    keep_last: int | None
    expired: list[int]
    """The versions that were deleted just now because of it."""


class AliasAnswer(BaseModel):
    """Where an alias points."""

    model_config = LOOSE

    model: str
    alias: str
    reference: str
    """What to ask for to get what it points to."""
    version: int
    revision: int
    """Counts its moves, over all of its history; its ETag."""


class AliasList(BaseModel):
    """The aliases of a model, at most 1,000."""

    model: str
    aliases: list[AliasAnswer]


class MoveAnswer(BaseModel):
    """Something that happened to an alias."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra=Described())

    revision: int
    at: datetime
    origin: Annotated[
        int | None,
        Field(serialization_alias="from", description="The version it pointed to before; null if it was not there."),
    ]
    to: int | None
    """The version it points to since; null if it was deleted."""
    restores: int | None
    """The revision that a rollback went back to; null for any other move."""
    who: str
    why: str


class AliasHistory(BaseModel):
    """The moves of an alias, the newest first."""

    model: str
    alias: str
    moves: list[MoveAnswer]


class ModelVersions(ModelDetail):
    """The version that a model's bare name means, and all there are."""

    versions: list[int]
    aliases: dict[str, int]
    """Each alias of the model, and the version it points to."""
    keep_last: int | None
    """How many of the newest versions are kept; null is all."""


class OneVersion(ModelDetail):
    """One version of a model, with what points to it."""

    aliases: list[str]
    """Those that point to this version."""
