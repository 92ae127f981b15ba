"""API keys: who may ask for what, and for how much of it. Of a key's secret only its SHA-256 is kept.

A secret has 256 random bits, so that no slow hash is needed to keep it from being guessed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from time import time
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Delete,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from app.errors import KeyNotFound
from app.store.catalogue import Catalogue, Unit
from app.store.layout import DATASET_ID
from app.store.schema import api_keys, datasets, grouped, jobs, owners, versions

KEY = re.compile(r"nk_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{43})", re.ASCII)
PATTERN = re.compile(r"[a-z0-9._*?-]{1,63}", re.ASCII)
SCOPES = {
    "predict": "asks models, and lists them",
    "train": "trains, looks inside and takes away; has datasets and jobs",
    "metrics": "reads /metrics",
    "admin": "deletes, moves aliases and brings models in; may do all of the others",
}
EVERYTHING = "*"
STORED = "stored"
NOBODYS = "0" * 64  # the digest of no secret


class Quotas(NamedTuple):
    """The most that a key may ask for; None is as much as the service can."""

    requests: float | None = None
    """A second."""
    rows: float | None = None
    """A second, that are answered."""
    trainings: int | None = None
    """That run or wait."""
    bytes: int | None = None
    """Of the models that are called as the key's may be, and of the datasets that were uploaded with it."""
    stored: int | None = None
    """Models that are called so."""


NO_QUOTAS = Quotas()


@dataclass(frozen=True)
class Grant:
    """What a key is for."""

    scopes: frozenset[str]
    models: tuple[str, ...] = (EVERYTHING,)
    """Patterns, of which a model's name has to match one."""
    quotas: Quotas = NO_QUOTAS

    def may(self, scope: str) -> bool:
        """Tell whether it has a scope."""
        return scope in self.scopes or "admin" in self.scopes

    @cached_property
    def sees_all(self) -> bool:
        """Whether it is for every model."""
        return EVERYTHING in self.models

    def sees(self, name: str) -> bool:
        """Tell whether it is for a model of this name."""
        return self.sees_all or self._pattern.fullmatch(name) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(translate(pattern) for pattern in self.models))


@dataclass(frozen=True)
class ApiKey:
    """A key as the catalogue has it. Times are seconds since 1970."""

    number: int
    name: str
    digest: str
    """Of its secret."""
    grant: Grant
    created: float
    expires: float | None
    revoked: float | None = None
    former: str = NOBODYS
    """Of the secret before, as long as that is valid too."""
    former_until: float = 0.0

    def is_valid(self, now: float) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def is_opened_by(self, secret: str, now: float) -> bool:
        """Tell whether this is its secret, in a time that says nothing of it, and valid."""
        digest = _digest(secret)
        is_own = hmac.compare_digest(digest, self.digest)
        is_former = hmac.compare_digest(digest, self.former) and now < self.former_until
        return (is_own or is_former) and self.is_valid(now)


def create(unit: Unit, name: str, grant: Grant, expires: float | None) -> str:
    """Make a key and give its text, which is known to nobody else."""
    secret = secrets.token_urlsafe(32)
    row = unit.changed(
        insert(api_keys)
        .values(
            name=name,
            digest=_digest(secret),
            scopes=",".join(sorted(grant.scopes)),
            models=",".join(grant.models),
            created=time(),
            expires=expires,
            **grant.quotas._asdict(),
        )
        .returning(api_keys.c.number)
    )
    assert row is not None  # noqa: S101 - it has just been inserted
    return f"nk_{row.number}_{secret}"


def rotate(unit: Unit, number: int, overlap: float) -> str:
    """Give a key another secret; the one before is valid for some seconds more. Raises KeyNotFound."""
    secret = secrets.token_urlsafe(32)
    values = {"former": api_keys.c.digest, "former_until": time() + overlap, "digest": _digest(secret)}
    _change(unit, number, update(api_keys).values(**values).where(api_keys.c.revoked.is_(None)))
    return f"nk_{number}_{secret}"


def revoke(unit: Unit, number: int) -> None:
    """End a key for good; it stays in the list. Raises KeyNotFound."""
    _change(unit, number, update(api_keys).values(revoked=func.coalesce(api_keys.c.revoked, time())))


def forget(unit: Unit, number: int) -> None:
    """Take a key out of the list; raise KeyNotFound. Where none is left, no key is needed on this machine."""
    unit.execute(delete(owners).where(owners.c.key == number))
    _change(unit, number, delete(api_keys))


def listed(catalogue: Catalogue) -> list[ApiKey]:
    """List all keys, valid or not, in the order they were made in."""
    return [_read(row) for row in catalogue.read(select(api_keys).order_by(api_keys.c.number))]


def find(catalogue: Catalogue, number: int) -> ApiKey | None:
    """Read one key."""
    return next((_read(row) for row in catalogue.read(_KEY, {"number": number})), None)


def are_there(catalogue: Catalogue) -> bool:
    """Tell whether any key was ever made and not forgotten since, be it valid or not."""
    return bool(catalogue.read(_ANY))


def models_beside(grant: Grant, names: Collection[str]) -> Select[int]:
    """Choose how many models a key is for beside some, with those that are still to be trained."""
    waiting = jobs.c.state.in_(("queued", "running"))
    coming = select(jobs.c.name).where(waiting, jobs.c.groups.is_(None), matching(grant, jobs.c.name))
    several = select(grouped.c.name).join(jobs, grouped.c.job == jobs.c.id)
    several = several.where(waiting, grouped.c.error.is_(None), matching(grant, grouped.c.name))
    there = select(versions.c.name).where(matching(grant, versions.c.name))
    known = there.union(coming, several).subquery()
    return select(func.count()).select_from(known).where(known.c.name.not_in(names))


def bytes_of(catalogue: Catalogue, grant: Grant) -> int:
    """Add up the sizes of the models that a key is for."""
    (row,) = catalogue.read(
        select(func.coalesce(func.sum(versions.c.bytes), 0)).where(matching(grant, versions.c.name))
    )
    return int(row[0])


def datasets_of(catalogue: Catalogue, number: int, *, after: str = "", limit: int | None = None) -> list[str]:
    """List the datasets that were uploaded with a key and are there, by id, those that come after `after`."""
    joined = select(datasets.c.id).join(owners, datasets.c.id == owners.c.dataset).where(owners.c.key == number)
    chosen = joined.where(datasets.c.id > after.replace("\0", "")).order_by(datasets.c.id).limit(limit)
    return [row.id for row in catalogue.read(chosen)]


def owns(catalogue: Catalogue, number: int, dataset: str) -> bool:
    """Tell whether a dataset was uploaded with a key."""
    return bool(DATASET_ID.fullmatch(dataset) and catalogue.read(_OWNER, {"key": number, "dataset": dataset}))


def own(unit: Unit, number: int, dataset: str) -> bool:
    """Note that a dataset was uploaded with a key; tell whether it is there, since it may be deleted meanwhile."""
    if not unit.connection.execute(select(datasets.c.id).where(datasets.c.id == dataset)).all():
        return False
    if not unit.connection.execute(_OWNER, {"key": number, "dataset": dataset}).all():
        unit.execute(insert(owners).values(key=number, dataset=dataset))
    return True


def disown(unit: Unit, number: int, dataset: str) -> bool:
    """Note that a key has done with a dataset that is others' too; tell whether it is, else nothing is changed."""
    others = select(owners.c.key).where(owners.c.dataset == dataset, owners.c.key != number).limit(1)
    if not unit.connection.execute(others).all():
        return False
    unit.execute(delete(owners).where(owners.c.key == number, owners.c.dataset == dataset))
    return True


_KEY = select(api_keys).where(api_keys.c.number == bindparam("number"))
_ANY = select(api_keys.c.number).limit(1)
_OWNER = select(owners.c.key).where(owners.c.key == bindparam("key"), owners.c.dataset == bindparam("dataset"))


def matching(grant: Grant, name: ColumnElement[str]) -> ColumnElement[bool]:
    """Choose the names of a key's models in SQL."""
    if grant.sees_all:
        return true()
    escaped = [re.sub(r"([%_\\])", r"\\\1", pattern).replace("*", "%").replace("?", "_") for pattern in grant.models]
    return or_(*(name.like(pattern, escape="\\") for pattern in escaped))


def _change(unit: Unit, number: int, statement: Update | Delete) -> None:
    if not unit.execute(statement.where(api_keys.c.number == number)):
        raise KeyNotFound(number)


def _read(row: Row[Any]) -> ApiKey:
    quotas = Quotas(*(getattr(row, name) for name in Quotas._fields))
    return ApiKey(
        number=row.number,
        name=row.name,
        digest=row.digest,
        grant=Grant(frozenset(row.scopes.split(",")), tuple(row.models.split(",")), quotas),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        former=row.former or NOBODYS,
        former_until=row.former_until or 0.0,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
