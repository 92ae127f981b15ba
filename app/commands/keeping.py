"""Backups, as the command line takes and restores them, in the store that the settings name."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import typer

from app.backup import restoring
from app.backup.taking import Taken
from app.backup.taking import back_up as write
from app.backup.targets import replaced
from app.backup.unpacking import Unpacked
from app.commands.taking import STANDARD_OUTPUT
from app.commands.talking import Exit
from app.errors import BackupDamaged, BackupNewer, NetletError, StoreNotEmpty
from app.opening import require_store, store_of, url_of
from app.settings import Settings
from app.tables.cells import count

REFUSED = (BackupDamaged, BackupNewer, StoreNotEmpty)


def back_up(settings: Settings, file: str, *, as_json: bool) -> None:
    """Write a backup, and say what is in it; end with exit code 1 where something is damaged, and so is not."""
    is_piped = file == STANDARD_OUTPUT
    path = Path(file)
    require_store(settings)
    if not is_piped and (path.exists() and not path.is_file()):
        _end(Exit.WRONG_USE, f"{file} is no plain file. Name one; - is standard output.")
    if not path.parent.is_dir():
        _end(Exit.NOT_FOUND, f"There is no folder {path.parent}.")
    with _errors(), closing(store_of(settings)) as store:
        store.open()
        if is_piped:
            taken = write(store, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with replaced(path) as sink:
                taken = write(store, sink, path.parent.resolve())
    for fault in taken.damaged:
        typer.echo(f"Not in the backup: {fault}", err=True)
    told = asdict(taken) | {"file": None if is_piped else file}
    typer.echo(json.dumps(told) if as_json else f"{file}: {_summary(taken)}, {taken.bytes:,} bytes", err=is_piped)
    raise typer.Exit(Exit.FAILED if taken.damaged else Exit.DONE)


def restore(settings: Settings, file: str, *, as_json: bool) -> None:
    """Restore a backup, and say what there is now."""
    if settings.store is not None:
        _end(
            Exit.WRONG_USE,
            "A backup is restored into a folder. Do that without NETLET_STORE, copy the folder into an empty bucket as "
            "it is, and name that one then.",
        )
    with _errors(), _opened(file) as source:
        size = 0 if file == STANDARD_OUTPUT else Path(file).stat().st_size
        there = restoring.restore(source, settings.models, url_of(settings), size=size)
    told = {name: value for name, value in there._asdict().items() if name != "keys"}
    typer.echo(
        json.dumps(told | {"store": str(settings.models)}) if as_json else f"{settings.models}: {_summary(there)}"
    )


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STANDARD_OUTPUT:
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as source:
            yield source
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        _end(Exit.NOT_FOUND, f"{file} cannot be read: {error.strerror}.")


def _summary(there: Taken | Unpacked) -> str:
    versions = f"{count(there.versions, 'version')} of {count(there.models, 'model')}"
    return f"{versions}, {count(there.datasets, 'dataset')}, {count(there.trainings, 'training')} to go on with"


@contextmanager
def _errors() -> Iterator[None]:
    """Say what went wrong, and end."""
    try:
        yield
    except NetletError as error:
        _end(Exit.REFUSED if isinstance(error, REFUSED) else Exit.FAILED, str(error))


def _end(code: Exit, text: str) -> None:
    typer.echo(text, err=True)
    raise typer.Exit(code) from None
