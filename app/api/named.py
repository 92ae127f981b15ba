"""What a path names: a model, loaded, which the routes that look inside depend on, or an alias."""

from typing import Annotated, Literal

from annotated_types import MaxLen
from fastapi import Query

from app.api.openapi import AliasInPath, BareNameInPath, NameInPath, VersionInPath
from app.api.parts import PartsOf
from app.models.model import LONGEST_TAG, LONGEST_VALUE
from app.store.listing import Wanted
from app.store.references import Pointer, require_alias
from app.store.store import Stored

MOST_ASKED = 10  # tags


async def meant(parts: PartsOf, name: NameInPath) -> Stored:
    """Find what a name, alone or with an alias, means; raises as LoadedModels.find does."""
    return await parts.loaded.find(name)


async def one_version(parts: PartsOf, name: BareNameInPath, version: VersionInPath) -> Stored:
    """Find one version; raises as LoadedModels.find does."""
    return await parts.loaded.find(f"{name}/{version}")


async def one_alias(name: BareNameInPath, alias: AliasInPath) -> Pointer:
    """Give the alias that a path names; raises ModelNotFound or AliasNotFound for what can be none."""
    return Pointer.parse(name, alias)


async def new_alias(name: BareNameInPath, alias: AliasInPath) -> Pointer:
    """Give the alias that a path names, which may be new; raises InvalidRequest for what none can be called."""
    require_alias(alias)
    return Pointer.parse(name, alias)


async def wanted_models(
    prefix: Annotated[str, Query(max_length=63, description="What names begin with.")] = "",
    tag: Annotated[
        list[Annotated[str, MaxLen(LONGEST_TAG + len("=") + LONGEST_VALUE)]],
        Query(max_length=MOST_ASKED, description="`tag` or `tag=value` of what the name means; of several, all."),
    ] = [],  # noqa: B006 - which nobody changes, and the document shows
    sort: Annotated[Literal["name", "newest"], Query(description="By name, or the newest first.")] = "name",
) -> Wanted:
    """Read which models of a list are wanted, and in which order."""
    return Wanted(prefix, tuple(tag), newest_first=sort == "newest")
