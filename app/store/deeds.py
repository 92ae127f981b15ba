"""Deeds: who changed what, and when; kept for as long as the service is told to."""

from time import time
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from app.store.catalogue import Catalogue, Unit
from app.store.locks import NOTHING
from app.store.references import HIGHEST
from app.store.schema import deeds

LONGEST = 300  # characters of a path that are kept


class Deed(NamedTuple):
    """One request that changed something."""

    at: float
    who: str
    """The number and the name of a key; empty where none was needed."""
    address: str
    method: str
    path: str
    status: int
    made: str | None
    """The path of what came of it."""
    request: str


def note(unit: Unit, deed: Deed) -> None:
    """Write one down."""
    cut = deed._replace(path=deed.path[:LONGEST].replace("\0", "?"))
    unit.execute(insert(deeds).values(**cut._asdict()))


def newest(catalogue: Catalogue, *, limit: int, before: int = HIGHEST) -> list[tuple[int, Deed]]:
    """Give the last ones, the newest first, each with its number."""
    chosen = select(deeds).where(deeds.c.number < before).order_by(deeds.c.number.desc()).limit(limit)
    return [(row.number, Deed(*(getattr(row, name) for name in Deed._fields))) for row in catalogue.read(chosen)]


def forget_old(catalogue: Catalogue, days: float) -> None:
    """Delete those that are older, if there are any."""
    is_old = deeds.c.at < time() - days * 86_400
    if catalogue.read(select(deeds.c.number).where(is_old).limit(1)):
        catalogue.write(lambda unit: unit.execute(delete(deeds).where(is_old)), NOTHING).result()
