"""What `netlet check` looks for in a store, and says of it."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing

import typer

from app.errors import NetletError
from app.jobs.folder import JobFolder
from app.jobs.ledger import Ledger
from app.opening import remote_of, require_store, store_of, url_of
from app.settings import Settings
from app.store import checking
from app.store.datasets import DatasetStore
from app.store.deleting import clear_left
from app.store.store import ModelStore
from app.tables.cells import count


def verify(settings: Settings, *, repair: bool) -> None:
    """Compare files and catalogue, and end with exit code 1 where they differ, or cannot be compared; 3 without any."""
    require_store(settings)
    try:
        with closing(_opened(settings, repair=repair)) as store:
            is_right = _compare(store, settings.store, repair=repair)
    except NetletError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if is_right else 1)


def _opened(settings: Settings, *, repair: bool) -> ModelStore:
    if repair:
        store, told = checking.open_anyhow(settings.models, url_of(settings), remote_of(settings))
        typer.echo(told, err=True, nl=bool(told))
    else:
        store = store_of(settings)
        store.open()
    return store


def _compare(store: ModelStore, where: str | None, *, repair: bool) -> bool:
    """Say where files and catalogue differ, mend what can be mended, and tell whether all is right."""
    strays = _mend(store) if repair else _say(_strays(store))
    datasets = DatasetStore(store.root, store.catalogue)
    kept = datasets.ids(limit=sys.maxsize)
    damaged = _say(checking.damaged(store)) + _say(checking.damaged_datasets(datasets, kept))
    checked = f"{count(len(store.all_versions()), 'snapshot')} and {count(len(kept), 'dataset')}"
    typer.echo(f"{checked} in {where or store.root}, {damaged} damaged")
    return not damaged and not (strays and store.is_alone)  # beside a service, some are on their way to their places


def _strays(store: ModelStore) -> Iterator[str]:
    """Name the files that the catalogue does not know."""
    for reference in checking.unknown(store):
        yield f"{reference} is not in the catalogue; netlet check --repair lists it"
    for path in checking.left_behind(store):
        yield f"{path} was left behind by a crash; netlet check --repair removes it"


def _mend(store: ModelStore) -> int:
    """Take in what the catalogue does not know, or remove it; leave nothing to be mended."""
    clear_left(store.catalogue)
    _say(f"{reference} is listed now" for reference in checking.take_in(store))
    for path in checking.left_behind(store):
        path.unlink()
        _say([f"{path} was left behind by a crash, and is removed"])
    JobFolder(store.root, store.remote).sweep(Ledger(store.catalogue, lease=0.0, most_attempts=0).unfinished())
    return 0


def _say(lines: Iterable[str]) -> int:
    """Print what is to be known, and count it."""
    said = list(lines)
    for line in said:
        typer.echo(line, err=True)
    return len(said)
