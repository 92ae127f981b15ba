"""What `netlet check` looks for in a store, and says of it."""

import sys
from collections.abc import Callable
from contextlib import closing
from typing import ParamSpec

import typer

from app.errors import NetletError
from app.jobs.folder import JobFolder
from app.jobs.ledger import Ledger
from app.main import store_of, url_of
from app.settings import Settings
from app.store import checking
from app.store.datasets import DatasetStore
from app.store.store import ModelStore
from app.tables.cells import count

P = ParamSpec("P")


def verify(settings: Settings, *, repair: bool) -> None:
    """Compare files and catalogue, and end with exit code 1 where they differ."""
    root = settings.models
    if not root.is_dir():
        typer.echo(f"There is no store at {root}. NETLET_MODELS names it.", err=True)
        raise typer.Exit(1)
    with closing(_opened(settings, repair=repair)) as store:
        faults = _report(store, repair=repair)
        if repair and store.is_alone:
            _sweep_jobs(store)
        datasets = DatasetStore(root, store.catalogue)
        kept = datasets.ids(limit=sys.maxsize)
        faults += sum(_is_damaged(datasets.check, dataset) for dataset in kept)
        snapshots = sum(len(store.versions(name)) for name in store.names(limit=sys.maxsize))
    checked = f"{count(snapshots, 'snapshot')} and {count(len(kept), 'dataset')}"
    typer.echo(f"{checked} in {root}, {faults} damaged")
    raise typer.Exit(1 if faults else 0)


def _opened(settings: Settings, *, repair: bool) -> ModelStore:
    """Open the store to check it, or say why that cannot be done and end."""
    try:
        if repair:
            store, told = checking.open_anyhow(settings.models, url_of(settings))
            typer.echo(told, err=True, nl=bool(told))
            return store
        store = store_of(settings)
        store.open()
    except NetletError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    return store


def _sweep_jobs(store: ModelStore) -> None:
    """Remove what is left of jobs that are over."""
    ledger = Ledger(store.catalogue, lease=0.0, most_attempts=0)
    JobFolder(store.root).sweep(ledger.unfinished())


def _report(store: ModelStore, *, repair: bool) -> int:
    """Say where files and catalogue differ, mend what can be mended, and count what is damaged."""
    for reference in checking.take_in(store) if repair else checking.unknown(store):
        done = "is listed now" if repair else "is not in the catalogue; netlet check --repair lists it"
        typer.echo(f"{reference} {done}", err=True)
    for path in checking.left_behind(store):
        if repair:
            path.unlink()
        typer.echo(f"{path} was left behind by a crash{', and is removed' if repair else ''}", err=True)
    damage = list(checking.damaged(store))
    for said in damage:
        typer.echo(said, err=True)
    return len(damage)


def _is_damaged(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Check one file, and say what is wrong with it."""
    try:
        check(*args, **kwargs)
    except NetletError as error:
        typer.echo(str(error), err=True)
        return True
    return False
