"""A unit: a transaction that is being put together, of works that share it, with the files that it is about."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, TextClause
from sqlalchemy.exc import SQLAlchemyError

from app.store.files import opened, rename, sync, sync_disk
from app.store.notices import CHANGED
from app.store.remote import NOTHING, Remote
from app.store.schema import aliases, api_keys, versions

REMEMBERED = {versions, aliases, api_keys}  # tables of which readers keep what they have read

log = logging.getLogger(__name__)
Values = Mapping[str, object]


class Unit:
    """A transaction that is being put together, with the files that it is about."""

    def __init__(self, connection: Connection, remote: Remote = NOTHING) -> None:
        self.connection, self.remote = connection, remote
        self.folders: set[Path] = set()
        self.disk: Path | None = None
        """A folder whose whole disk is synced, where there are too many to be synced one by one."""
        self.placed: list[tuple[Path, Path]] = []
        self.changes = 0
        self.is_whole = False
        self.channels: set[str] = set()
        """On which others are told of it, where they do not see it by themselves."""

    def execute(self, statement: Executable, values: Values | Sequence[Values] | None = None) -> int:
        """Change rows, and tell how many."""
        self._count(statement)
        return int(self.connection.execute(statement, values).rowcount)

    def changed(self, statement: Executable, values: Values | None = None) -> Row[Any] | None:
        """Change a row by a statement that gives it back; None if there is none."""
        self._count(statement)
        return self.connection.execute(statement, values).first()

    def _count(self, statement: Executable) -> None:
        """Note a change, and whether it is one of what readers keep; nobody knows what a text changes."""
        self.changes += 1
        if getattr(statement, "table", None) in REMEMBERED or isinstance(statement, TextClause):
            self.channels.add(CHANGED)

    def place(self, aside: Path, folder: Path, name: str) -> None:
        """Rename a file that was written aside and synced to its place; the folder is synced before the commit."""
        rename(aside, folder / name)
        self.placed.append((aside, folder / name))
        self.folders.add(folder)

    def sync(self) -> None:
        """Make sure that what was placed is on disk."""
        if self.disk is not None:
            with opened(self.disk) as disk:
                sync_disk(disk)
        else:
            for folder in self.folders:
                sync(folder)
        self.is_whole = True

    def undo(self) -> None:
        """Put back what was placed: what cannot be acknowledged is not to be seen either.

        What a failing disk keeps in its place is nobody's, and is put out of the way by the next save.
        """
        for aside, placed in self.placed:
            try:
                rename(placed, aside)
            except OSError as error:
                log.warning("%s was not saved, and cannot be put back (%s)", placed, error.strerror)


class Work:
    """Something to be done in a transaction, and the promise of what it gives."""

    def __init__(self, do: Callable[[Unit], Any], about: Collection[str] | None) -> None:
        self.do, self.about = do, about
        self.future: Future[Any] = Future()
        self.outcome: Any = None


def attempt(unit: Unit, work: Work) -> None:
    """Do one of the works that share a transaction; raise what it raises once it has changed something."""
    changes, placed = unit.changes, len(unit.placed)
    try:
        work.outcome = work.do(unit)
    except (SQLAlchemyError, OSError):  # the transaction may be broken
        raise
    except Exception as error:
        assert len(unit.placed) == placed, "a work that places files must not raise"  # noqa: S101 - what callers promise
        if unit.changes > changes:
            raise
        work.outcome = error
