"""Listing: which models there are, by name or the newest first, and those alone that are tagged so.

What a model is tagged with, and how old it is, is told by the version that its name means.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select

from app.errors import InvalidRequest
from app.faults import Fault
from app.models.model import LONGEST_TAG, LONGEST_VALUE, MOST_TAGS
from app.store.api_keys import Grant, matching
from app.store.catalogue import Catalogue, Unit
from app.store.references import LIVE, is_name
from app.store.schema import aliases, tags, versions

PREFIX = re.compile(r"[a-z0-9._-]*", re.ASCII)
TOO_LONG = "\\"  # which no text is kept as
AFTER_ALL = "~"  # comes after all that a name may have, and so stands between a time and a name
TIME = re.compile(r"-?[0-9]{1,17}(?:\.[0-9]{1,21})?(?:e[+-][0-9]{1,2})?", re.ASCII)
"""As Python writes a number, whatever a clock or a file says: before 1970, too, or long after it."""
LONGEST_PLACE = 100

_later = versions.alias()
_LIVE = select(aliases.c.version).where(aliases.c.name == versions.c.name, aliases.c.alias == LIVE).scalar_subquery()
_NEWEST = select(func.max(_later.c.version)).where(_later.c.name == versions.c.name).scalar_subquery()
_IS_MEANT = versions.c.version == func.coalesce(_LIVE, _NEWEST)


class Place(NamedTuple):
    """Where a model stands in a list."""

    name: str
    created: float | None = None
    """When what it means was made, in seconds since 1970, where the list goes by that."""

    def __str__(self) -> str:
        """Write it so that a client can give it back."""
        return self.name if self.created is None else f"{self.created!r}{AFTER_ALL}{self.name}"


@dataclass(frozen=True)
class Wanted:
    """Which models are wanted, and in which order."""

    prefix: str = ""
    """That names begin with."""
    tags: Sequence[str] = ()
    """Each `tag`, whatever its value, or `tag=value`; all of them."""
    newest_first: bool = False

    def place(self, text: str) -> Place | None:
        """Read where a page is to begin, behind; None at the beginning. Raises InvalidRequest."""
        if not text:
            return None
        if not self.newest_first:
            return Place(text.replace("\0", ""))
        created, _, name = text.partition(AFTER_ALL)
        if not TIME.fullmatch(created) or not is_name(name):
            message = "This is no place in a list that has the newest first."
            raise InvalidRequest(message, [Fault('what the page before says as "next"', got=text, field="query.after")])
        return Place(name, float(created))


ALL, EVERY_MODEL = Wanted(), Grant(frozenset())


def places(
    catalogue: Catalogue, wanted: Wanted = ALL, grant: Grant = EVERY_MODEL, *, after: Place | None = None, limit: int
) -> list[Place]:
    """List models that a grant is for, those that come after a place; raise StorageError."""
    if not PREFIX.fullmatch(wanted.prefix):
        return []
    rows = catalogue.read(_chosen(wanted, after).where(matching(grant, versions.c.name)).limit(limit))
    return [Place(row.name, row.created if wanted.newest_first else None) for row in rows]


def _chosen(wanted: Wanted, after: Place | None) -> Select[Any]:
    owns = [tags.alias() for _ in wanted.tags]
    name = owns[0].c.name if owns else versions.c.name  # by whose index they come in order
    created = versions.c.created
    if wanted.newest_first:
        chosen = select(name, created).where(_IS_MEANT).order_by(created.desc(), name)
    elif owns:
        chosen = select(name).where(_IS_MEANT).order_by(name)
    else:
        chosen = select(name).distinct().order_by(name)
    for own, text in zip(owns, wanted.tags, strict=True):
        is_of_it = and_(own.c.name == versions.c.name, own.c.version == versions.c.version)
        chosen = chosen.where(is_of_it, *_says(own.c, text))
    if wanted.prefix:
        chosen = chosen.where(name.between(wanted.prefix, wanted.prefix + AFTER_ALL))
    if after is not None and after.created is not None:
        chosen = chosen.where(or_(created < after.created, and_(created == after.created, name > after.name)))
    elif after is not None:
        chosen = chosen.where(name > after.name)
    return chosen


def _says(columns: Any, text: str) -> list[ColumnElement[bool]]:  # noqa: ANN401 - columns of an alias have no types
    tag, equals, value = text.partition("=")
    says = [columns.tag == _kept(tag)]
    return [*says, columns.value == _kept(value)] if equals else says


def write_tags(unit: Unit, tagged: Iterable[tuple[str, int, Mapping[str, str]]]) -> None:
    """Write down of each (name, version, tags) what that version is tagged with.

    A snapshot that was brought in may have more than a training takes: it is found by what can be asked for, and by a
    tag of a longer value only where no value is asked for.
    """
    rows = [
        {"name": name, "version": version, "tag": _kept(tag), "value": _kept_value(value)}
        for name, version, own in tagged
        for tag, value in [pair for pair in own.items() if len(pair[0]) <= LONGEST_TAG][:MOST_TAGS]
    ]
    if rows:
        unit.execute(insert(tags), rows)


def _kept_value(value: str) -> str:
    return _kept(value) if len(value) <= LONGEST_VALUE else TOO_LONG


def _kept(text: str) -> str:
    """Write a text as all databases keep it: PostgreSQL has no NUL."""
    return text.replace("\\", "\\\\").replace("\0", "\\0")
