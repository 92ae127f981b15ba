"""Aliases: words that point at versions, and the history of where they pointed.

Every move counts an alias's revision up by one, also when it is deleted or made again: none ever stands for two states.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, select

from app.errors import (
    AliasMoved,
    AliasNotFound,
    InvalidRequest,
    ModelNotFound,
    NothingToRestore,
    VersionInUse,
    VersionNotFound,
)
from app.faults import Fault
from app.store.catalogue import Catalogue, Unit
from app.store.references import HIGHEST, Pointer, is_name
from app.store.schema import aliases, moves, versions

MOST_ALIASES = 1000  # of a model


class Alias(NamedTuple):
    """Where an alias points."""

    alias: str
    version: int
    revision: int


class Move(NamedTuple):
    """Something that happened to an alias."""

    revision: int
    at: float
    origin: int | None
    """The version it pointed to before; None if it was not there."""
    version: int | None
    """The version it points to since; None if it was deleted."""
    restores: int | None
    """The revision that a rollback went back to; None for any other move."""
    who: str
    why: str

    @property
    def state(self) -> int:
        """The revision at which the alias first came to be what it is since this move."""
        return self.restores or self.revision


@dataclass(frozen=True)
class Change:
    """Who moves an alias, why, and at which revisions (None where there is no alias) that may be done."""

    who: str
    why: str = ""
    allows: Callable[[int | None], bool] = lambda _revision: True


def listed(catalogue: Catalogue, name: str) -> list[Alias]:
    """List the aliases of a model by their words; raise ModelNotFound."""
    chosen = select(*_ALIAS).where(aliases.c.name == name).order_by(aliases.c.alias)
    found = [Alias._make(row) for row in catalogue.read(chosen)] if is_name(name) else []
    if not found:
        _require_model(catalogue, name)
    return found


def pointing(catalogue: Catalogue, name: str, version: int) -> list[str]:
    """List the aliases that point to a version; raise VersionNotFound."""
    found = catalogue.read(_POINTING, {"name": name, "version": version})
    if not found:
        raise VersionNotFound(name, version)
    return [row.alias for row in found if row.alias is not None]


def find(catalogue: Catalogue, pointer: Pointer) -> Alias:
    """Tell where an alias points; raise ModelNotFound or AliasNotFound."""
    for row in catalogue.read(_now(pointer)):
        return Alias._make(row)
    _require_model(catalogue, pointer.name)
    raise AliasNotFound(*pointer)


def history(catalogue: Catalogue, pointer: Pointer, *, limit: int, before: int = HIGHEST) -> list[Move]:
    """Give the moves of an alias before a revision, the newest first, also where it or its model is deleted.

    Raises ModelNotFound or AliasNotFound where there never was one.
    """
    chosen = _moves(pointer).where(moves.c.revision < before)
    found = catalogue.read(chosen.order_by(moves.c.revision.desc()).limit(limit))
    if not found and not catalogue.read(_moves(pointer).limit(1)):
        _require_model(catalogue, pointer.name)
        raise AliasNotFound(*pointer)
    return [Move._make(row) for row in found]


def point(unit: Unit, pointer: Pointer, version: int, change: Change) -> tuple[Alias, bool]:
    """Point an alias at a version; tell where it is then, and whether it is new. One that is there already stays.

    Raises ModelNotFound, VersionNotFound, AliasMoved, or InvalidRequest where the model has too many.
    """
    _require_version(unit, pointer.name, version)
    now = _allowed(unit, pointer, change)
    if now is None:
        _require_room(unit, pointer.name)
    elif now.version == version:
        return now, False
    return Alias(pointer.alias, version, _move(unit, pointer, version, change)), now is None


def remove(unit: Unit, pointer: Pointer, change: Change) -> None:
    """Delete an alias; its history stays. Raises ModelNotFound, AliasNotFound or AliasMoved."""
    require_pointed(unit, pointer)
    _allowed(unit, pointer, change)
    _move(unit, pointer, None, change)


def roll_back(unit: Unit, pointer: Pointer, change: Change, to: int | None = None) -> tuple[Alias, bool]:
    """Undo the last move of an alias that was not undone yet, a deletion too, or go to a revision of it.

    Each rollback goes one step further back; a move that is none begins anew. It is a move itself, which tells the
    revision that it restores. Raises ModelNotFound, AliasNotFound, AliasMoved or NothingToRestore, and as `point`.
    """
    last = _move_at(unit, pointer, None)
    if last is None:
        require_pointed(unit, pointer)
        raise AliasNotFound(*pointer)
    now = _allowed(unit, pointer, change)
    goal = _move_at(unit, pointer, last.state - 1 if to is None else to)
    if goal is None or goal.version is None:
        where = "before its last move" if to is None else f"at revision {to}"
        raise NothingToRestore(*pointer, f"The alias pointed nowhere {where}.")
    if not unit.connection.execute(_version(pointer.name, goal.version)).all():
        raise NothingToRestore(*pointer, f"Version {goal.version} of {pointer.name} is deleted.")
    if now is None:
        _require_room(unit, pointer.name)
    elif now.version == goal.version:
        return now, False
    revision = _move(unit, pointer, goal.version, change, restores=goal.state)
    return Alias(pointer.alias, goal.version, revision), now is None


def remove_all(unit: Unit, name: str, change: Change) -> None:
    """Delete all aliases of a model."""
    for word in unit.connection.scalars(select(aliases.c.alias).where(aliases.c.name == name)).all():
        _move(unit, Pointer(name, word), None, change)


def require_pointed(unit: Unit, pointer: Pointer) -> Alias:
    """Tell where an alias points; raise ModelNotFound or AliasNotFound."""
    for row in unit.connection.execute(_now(pointer)):
        return Alias._make(row)
    if not unit.connection.execute(_version(pointer.name)).all():
        raise ModelNotFound(pointer.name)
    raise AliasNotFound(*pointer)


def require_unused(unit: Unit, name: str, version: int) -> None:
    """Raise VersionInUse where an alias points to a version."""
    pointing = select(aliases.c.alias).where(aliases.c.name == name, aliases.c.version == version)
    for word in unit.connection.scalars(pointing.order_by(aliases.c.alias).limit(1)):
        raise VersionInUse(name, version, word)


_ALIAS = aliases.c.alias, aliases.c.version, aliases.c.revision
_POINTING = (
    select(aliases.c.alias)
    .select_from(versions.outerjoin(aliases))
    .where(versions.c.name == bindparam("name"), versions.c.version == bindparam("version"))
    .order_by(aliases.c.alias)
)


def _now(pointer: Pointer) -> Select[Any]:
    return select(*_ALIAS).where(aliases.c.name == pointer.name, aliases.c.alias == pointer.alias)


def _moves(pointer: Pointer) -> Select[Any]:
    columns = [moves.c[field] for field in Move._fields]
    return select(*columns).where(moves.c.name == pointer.name, moves.c.alias == pointer.alias)


def _version(name: str, version: int | None = None) -> Select[Any]:
    """Choose a version of a model, or any."""
    chosen = select(versions.c.version).where(versions.c.name == name).limit(1)
    return chosen if version is None else chosen.where(versions.c.version == version)


def _require_model(catalogue: Catalogue, name: str) -> None:
    if not is_name(name) or not catalogue.read(_version(name)):
        raise ModelNotFound(name)


def _require_version(unit: Unit, name: str, version: int) -> None:
    if not unit.connection.execute(_version(name)).all():
        raise ModelNotFound(name)
    if not unit.connection.execute(_version(name, version)).all():
        raise VersionNotFound(name, version)


def _require_room(unit: Unit, name: str) -> None:
    count = unit.connection.scalars(select(func.count()).where(aliases.c.name == name)).one()
    if count >= MOST_ALIASES:
        message = "The model has as many aliases as it may. Delete one that nobody needs."
        raise InvalidRequest(message, [Fault(f"one of at most {MOST_ALIASES}", field="alias")])


def _allowed(unit: Unit, pointer: Pointer, change: Change) -> Alias | None:
    """Tell where an alias is now, if it is there; raise AliasMoved unless it may be moved from there."""
    row = unit.connection.execute(_now(pointer)).first()
    revision = None if row is None else row.revision
    if not change.allows(revision):
        raise AliasMoved(*pointer, revision)
    return None if row is None else Alias._make(row)


def _move_at(unit: Unit, pointer: Pointer, revision: int | None) -> Move | None:
    """Read the move that made a revision, or the last."""
    chosen = _moves(pointer).order_by(moves.c.revision.desc()).limit(1)
    row = unit.connection.execute(chosen if revision is None else chosen.where(moves.c.revision == revision)).first()
    return None if row is None else Move._make(row)


def _move(unit: Unit, pointer: Pointer, version: int | None, change: Change, *, restores: int | None = None) -> int:
    """Write down that an alias moves, move it, and give its revision."""
    own = {"name": pointer.name, "alias": pointer.alias}
    now = unit.connection.execute(_now(pointer)).first()
    last = _move_at(unit, pointer, None)
    revision = 1 if last is None else last.revision + 1
    origin = None if now is None else now.version
    told = {"at": time(), "origin": origin, "version": version, "restores": restores, "who": change.who}
    unit.execute(insert(moves).values(**own, revision=revision, why=change.why, **told))
    unit.execute(delete(aliases).where(aliases.c.name == pointer.name, aliases.c.alias == pointer.alias))
    if version is not None:
        unit.execute(insert(aliases).values(**own, version=version, revision=revision))
    return revision
