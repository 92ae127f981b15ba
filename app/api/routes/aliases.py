"""Aliases: words that point at versions of a model, and move."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.access.keyring import Caller
from app.api.alias_answers import alias_answer, alias_history, alias_list
from app.api.alias_schemas import AliasAnswer, AliasHistory, AliasList, AliasRequest, RollbackRequest
from app.api.answers import as_json
from app.api.bodies import ShortBody
from app.api.caching import tags_had
from app.api.conditions import ANY, Allows
from app.api.named import new_alias, one_alias
from app.api.openapi import BareNameInPath, json_body
from app.api.parsing import parse_object
from app.api.parts import CallerOf, PartsOf
from app.api.problems import documented
from app.store import aliases
from app.store.aliases import Change
from app.store.locks import of_model
from app.store.references import HIGHEST, Pointer

READ = documented(404, 503)
CHANGE = documented(400, 403, 404, 412, 413, 415, 422, 503, 507)
KNOWN: dict[int | str, dict[str, Any]] = {304: {"description": "The client knows that already"}}
NEW: dict[int | str, dict[str, Any]] = {201: {"model": AliasAnswer, "description": "It was not there before"}}

router = APIRouter(prefix="/models/{name}/aliases", tags=["aliases"])


@router.get("", response_model=AliasList, responses=READ)
async def list_aliases(parts: PartsOf, name: BareNameInPath) -> Response:
    """List the aliases of a model, and the versions that they point to."""
    return as_json(alias_list(name, await asyncio.to_thread(aliases.listed, parts.store.catalogue, name)))


@router.put("/{alias}", response_model=AliasAnswer, responses=CHANGE | NEW, openapi_extra=json_body(AliasRequest))
async def point_alias(
    parts: PartsOf, pointer: Annotated[Pointer, Depends(new_alias)], body: ShortBody, caller: CallerOf, allows: Allows
) -> Response:
    """Point an alias at a version, and make it where it is new; where it points there already, nothing changes.

    The ETag is its revision, which If-Match may name in the next change: then nobody's change is lost.
    """
    asked = parse_object(AliasRequest, body, parts.limits.bounds)
    change = Change(_who(asked.who, caller), asked.why, allows)
    alias, is_new = await parts.write(lambda unit: aliases.point(unit, pointer, asked.version, change), _about(pointer))
    return alias_answer(pointer.name, alias, is_new=is_new)


@router.get("/{alias}", response_model=AliasAnswer, responses=READ | KNOWN)
async def show_alias(request: Request, parts: PartsOf, pointer: Annotated[Pointer, Depends(one_alias)]) -> Response:
    """Tell where an alias points, with its revision as ETag."""
    answer = alias_answer(pointer.name, await asyncio.to_thread(aliases.find, parts.store.catalogue, pointer))
    tag = answer.headers["etag"]
    return Response(status_code=304, headers={"etag": tag}) if tags_had(request) & {tag, ANY} else answer


@router.delete("/{alias}", status_code=204, responses=documented(403, 404, 412, 422, 503, 507))
async def delete_alias(
    parts: PartsOf, pointer: Annotated[Pointer, Depends(one_alias)], caller: CallerOf, allows: Allows
) -> None:
    """Delete an alias; its history stays, and its revisions go on if it is made again."""
    change = Change(caller.name, allows=allows)
    await parts.write(lambda unit: aliases.remove(unit, pointer, change), _about(pointer))


@router.get("/{alias}/history", response_model=AliasHistory, responses=documented(404, 422, 503))
async def show_moves(
    parts: PartsOf,
    pointer: Annotated[Pointer, Depends(one_alias)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int, Query(ge=1, le=HIGHEST, description="Only moves before this revision.")] = HIGHEST,
) -> Response:
    """List the moves of an alias, the newest first: also where it or its model is deleted."""
    catalogue = parts.store.catalogue
    moves = await asyncio.to_thread(aliases.history, catalogue, pointer, limit=limit, before=before)
    return as_json(alias_history(pointer, moves))


@router.post(
    "/{alias}/rollback",
    response_model=AliasAnswer,
    responses=CHANGE | documented(409) | NEW,
    openapi_extra=json_body(RollbackRequest, required=False),
)
async def roll_back_alias(
    parts: PartsOf, pointer: Annotated[Pointer, Depends(one_alias)], body: ShortBody, caller: CallerOf, allows: Allows
) -> Response:
    """Undo the last move of an alias that was not undone yet, its deletion too, or go to one of its revisions.

    Each rollback goes one step further back, and is itself a move in the history; any other move begins anew.
    """
    asked = parse_object(RollbackRequest, body, parts.limits.bounds, required=False)
    change = Change(_who(asked.who, caller), asked.why, allows)
    alias, is_new = await parts.write(lambda unit: aliases.roll_back(unit, pointer, change, asked.to), _about(pointer))
    return alias_answer(pointer.name, alias, is_new=is_new)


def _about(pointer: Pointer) -> set[str]:
    """Say what else is to wait where an alias moves: all that is about its model."""
    return {of_model(pointer.name)}


def _who(said: str, caller: Caller) -> str:
    """Tell who moves an alias: whoever the request names, and the key that it was sent with."""
    return said if said and caller.key is None else f"{said} ({caller.name})" if said else caller.name
