"""Skipping: a version's number that a file has already which nobody knows of is not given to another."""

from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from app.store.layout import SNAPSHOT
from app.store.memories import MEMORY
from app.store.schema import models


def skip_number(connection: Connection, path: Path) -> None:
    """Count the number of a version's file as used, for the model whose folder it is in."""
    name, match = path.parent.name, SNAPSHOT.fullmatch(path.name.replace(MEMORY, "safetensors"))
    assert match is not None  # noqa: S101 - nothing else is placed
    number, known = int(match[1]), models.c.name == name
    if connection.scalar(select(func.count()).select_from(models).where(known)):
        connection.execute(update(models).where(known, models.c.highest < number).values(highest=number))
    else:
        connection.execute(insert(models).values(name=name, highest=number))
