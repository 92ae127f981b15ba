"""Views: one state of the catalogue, whole, and the files that it names."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import time
from typing import Any, BinaryIO

from sqlalchemy import Connection, select

from app.backup.archive import MORE_ROOM, PLACE
from app.backup.manifest import Manifest
from app.backup.members import TABLES
from app.backup.numbers import highest_key
from app.backup.rows import dump
from app.backup.unfinished import Copies, Unfinished
from app.jobs.folder import JobFolder
from app.jobs.ledger import UNFINISHED
from app.store.files import storage_errors
from app.store.migrating import REVISION
from app.store.schema import datasets, jobs, orders, versions
from app.store.store import ModelStore


@dataclass(frozen=True)
class View:
    """All that was listed at one moment."""

    manifest: Manifest
    tables: Mapping[str, BinaryIO]
    """The rows of each, as lines."""
    models: int
    versions: list[tuple[str, int]]
    datasets: list[str]
    trainings: list[Unfinished]
    copies: Copies
    """Files of trainings that are not over."""
    ended: list[str]
    """Trainings that were not over, but whose order is not there any more."""


@contextmanager
def view_of(store: ModelStore, spools: Path | None) -> Iterator[View]:
    """Read the catalogue in one transaction, and copy what trainings need at once; all of it into a folder's files.

    Raises StorageFull or StorageError.
    """
    with ExitStack() as opening:
        with storage_errors(PLACE, MORE_ROOM):
            spooled = {table.name: opening.enter_context(TemporaryFile(dir=spools)) for table in TABLES}
            copies = Copies(JobFolder(store.root, store.remote), opening.enter_context(TemporaryFile(dir=spools)))
            with store.catalogue.view() as connection:
                told = _told(connection)
                for table in TABLES:
                    dump(connection, table, spooled[table.name])
            ended = copies.take(told["trainings"])
        yield View(tables=spooled, copies=copies, ended=ended, **told)


def _told(connection: Connection) -> dict[str, Any]:
    """Read what there is, by its names."""
    ordered = select(jobs.c.id, jobs.c.attempt, orders.c.data.is_(None)).join(orders, orders.c.job == jobs.c.id)
    return {
        "manifest": Manifest(created=time(), revision=REVISION, keys=highest_key(connection)),
        "models": len(connection.execute(select(versions.c.name).distinct()).all()),
        "versions": [
            (row.name, row.version) for row in connection.execute(select(versions.c.name, versions.c.version))
        ],
        "datasets": list(connection.scalars(select(datasets.c.id))),
        "trainings": [Unfinished(*row) for row in connection.execute(ordered.where(jobs.c.state.in_(UNFINISHED)))],
    }
