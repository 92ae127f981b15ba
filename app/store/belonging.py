"""Belonging: which store a catalogue is of, so that no folder is served by the catalogue of another.

A catalogue in SQLite lies in its folder. One in a database elsewhere has the store's id, as the folder's file `.store`.
"""

import os
import re
import secrets
from pathlib import Path

from sqlalchemy import Connection, insert, select

from app.errors import CatalogueForeign
from app.store.files import kept_aside, opened, read, remove
from app.store.schema import stores

FILE = ".store"
ID = re.compile(rb"([0-9a-f]{32})\n")
BYTES = 33


def claim(connection: Connection, root: Path) -> bool:
    """Make the catalogue this folder's if it is nobody's yet, and tell whether it was not; raise CatalogueForeign."""
    known = connection.scalar(select(stores.c.id))
    with opened(root) as folder:
        own = read_id(folder)
        if known is None:
            connection.execute(insert(stores).values(id=own or write_id(folder)))
    if known not in {None, own}:
        raise CatalogueForeign
    return known is None


def require_unclaimed(root: Path) -> None:
    """Raise CatalogueForeign where the folder's catalogue is in a database elsewhere."""
    if (root / FILE).exists():
        message = (
            "The store's catalogue is in PostgreSQL: name it with NETLET_DATABASE_URL. If it is lost, remove .store "
            "and .catalogue.sqlite from the folder, and a new one is made from the files."
        )
        raise CatalogueForeign(message)


def read_id(folder: int) -> str | None:
    """Read the store's id; none where it was never written to its end."""
    try:
        data, _ = read(FILE, within=folder, most=BYTES)
    except FileNotFoundError:
        return None
    match = ID.fullmatch(data)
    return match[1].decode() if match else None


def write_id(folder: int, own: str = "") -> str:
    """Give the store an id, a new one unless it is given."""
    own = own or secrets.token_hex(16)
    remove(FILE, within=folder)
    kept_aside(folder, f"{own}\n".encode(), FILE)
    os.fsync(folder)
    return own
