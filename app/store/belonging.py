"""Belonging: which store a catalogue is of, so that no folder is served by the catalogue of another.

A catalogue in SQLite lies in its folder. One in a database elsewhere has the store's id, as the folder's file `.store`,
and as the bucket's, where there is one behind the folder.
"""

import os
import re
import secrets
from pathlib import Path

from sqlalchemy import Connection, insert, select

from app.errors import CatalogueForeign
from app.store.files import kept_aside, opened, read, remove
from app.store.references import is_name
from app.store.remote import NOTHING, Remote
from app.store.schema import stores

FILE = ".store"
COPIES = ".copies"
"""A file that tells that the folder has copies alone."""
CATALOGUE = ".catalogue.sqlite"
ID = re.compile(rb"([0-9a-f]{32})\n")
BYTES = 33


def claim(connection: Connection, root: Path, remote: Remote = NOTHING) -> bool:
    """Make the catalogue this folder's if it is nobody's yet, and tell whether it was not; raise CatalogueForeign.

    Where a bucket is behind the folder, it is the bucket's, and the folder has copies of its files, and of no others.
    """
    known = connection.scalar(select(stores.c.id))
    with opened(root) as folder:
        own = read_id(folder)
        if remote.is_there:
            own = _claim_copies(folder, own, _id_behind(remote, root), root)
        elif os.path.lexists(root / COPIES):
            message = "The folder has copies of the files in a bucket: name that one with NETLET_STORE."
            raise CatalogueForeign(message)
        if known is None:
            connection.execute(insert(stores).values(id=own or write_id(folder)))
    if known not in {None, own}:
        message = (
            "The catalogue is that of another bucket. Name that one with NETLET_STORE, or a new catalogue with "
            "NETLET_DATABASE_URL."
        )
        raise CatalogueForeign(message) if remote.is_there else CatalogueForeign
    return known is None


def _id_behind(remote: Remote, root: Path) -> str:
    """Read the id of the store in a bucket; give it one if it has none: whoever only reads may be let do no more."""
    try:
        known = remote.read(root / FILE, BYTES)
    except FileNotFoundError:
        remote.offer(root / FILE, f"{secrets.token_hex(16)}\n".encode())
        known = remote.read(root / FILE, BYTES)
    match = ID.fullmatch(known)
    if match is None:
        message = "The bucket's .store is not one of netlet. Name another bucket, or a prefix, with NETLET_STORE."
        raise CatalogueForeign(message)
    return match[1].decode()


def _claim_copies(folder: int, own: str | None, behind: str, root: Path) -> str:
    """Make a folder that of the copies of a store's files, if it may be; give the store's id."""
    if own is None and any(is_name(name) or name == CATALOGUE for name in os.listdir(folder)):
        message = (
            "The folder has a store of its own. Name an empty one with NETLET_MODELS, for copies of what is in the "
            "bucket; or copy the folder into the bucket first."
        )
        raise CatalogueForeign(message)
    if own not in {None, behind}:
        message = "The folder has files of another store than the bucket. Name an empty one with NETLET_MODELS."
        raise CatalogueForeign(message)
    if own is None:
        write_id(folder, behind)
    if not os.path.lexists(root / COPIES):
        kept_aside(folder, b"", COPIES)
    return behind


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
