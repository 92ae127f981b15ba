"""Answers about aliases and the versions that they point to."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import Response

from app.api.alias_schemas import AliasAnswer, AliasHistory, AliasList, ModelVersions, MoveAnswer, OneVersion
from app.api.answers import as_json, detail
from app.api.parts import Parts
from app.store import aliases
from app.store.aliases import Alias, Move
from app.store.references import Pointer
from app.store.store import Overview, Stored


def alias_answer(name: str, alias: Alias, *, is_new: bool = False) -> Response:
    """Tell where an alias points, with its revision as ETag."""
    location = f"/models/{name}/aliases/{alias.alias}" if is_new else None
    response = as_json(_one(name, alias), 201 if is_new else 200, location)
    response.headers["etag"] = f'"{alias.revision}"'
    return response


def alias_list(name: str, known: Sequence[Alias]) -> AliasList:
    """List aliases."""
    return AliasList(model=name, aliases=[_one(name, alias) for alias in known])


def alias_history(pointer: Pointer, moves: Sequence[Move]) -> AliasHistory:
    """Tell what happened to an alias."""
    told = [
        MoveAnswer(
            revision=move.revision,
            at=datetime.fromtimestamp(move.at, UTC),
            origin=move.origin,
            to=move.version,
            restores=move.restores,
            who=move.who,
            why=move.why,
        )
        for move in moves
    ]
    return AliasHistory(model=pointer.name, alias=pointer.alias, moves=told)


def with_versions(stored: Stored, known: Overview) -> ModelVersions:
    """Describe a model by the version its bare name means."""
    pointing = {alias.alias: alias.version for alias in known.aliases}
    return ModelVersions(**dict(detail(stored)), versions=known.versions, aliases=pointing, keep_last=known.keep_last)


async def with_aliases(parts: Parts, stored: Stored) -> OneVersion:
    """Describe one version, with what points to it; raises VersionNotFound if it is gone by now."""
    pointing = await asyncio.to_thread(aliases.pointing, parts.store.catalogue, stored.name, stored.version)
    return OneVersion(**dict(detail(stored)), aliases=pointing)


def _one(name: str, alias: Alias) -> AliasAnswer:
    return AliasAnswer(model=name, reference=f"{name}@{alias.alias}", **alias._asdict())
