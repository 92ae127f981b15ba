"""Opening: the store that the settings name, and whether it can be served as they say."""

import logging
import re
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import closing
from time import time

import typer

from app.errors import NetletError, StorageError
from app.jobs.executors import EXECUTORS, Means
from app.jobs.folder import JobFolder
from app.settings import Settings, misspelt
from app.store import api_keys
from app.store.catalogue import Catalogue
from app.store.datasets import DatasetStore
from app.store.remote import NOTHING, Remote
from app.store.store import ModelStore

log = logging.getLogger("netlet")

NOT_FOUND = 3  # how commands end that do not find what they are about
ANYWHERE = "0.0.0.0"  # noqa: S104 - where nobody here can tell who reaches it


class Unservable(RuntimeError):
    """What replicas are told to serve cannot be served by several servers, or everybody could change it."""


def store_of(settings: Settings) -> ModelStore:
    """Give the store that the settings name, to be opened."""
    catalogue = Catalogue(settings.models, url_of(settings), remote_of(settings))
    return ModelStore(settings.models, catalogue, settings.reserve_bytes)


def require_store(settings: Settings) -> None:
    """Say that there is no store where the settings name one, and end (3): none is made by who only looks."""
    if settings.store is None and not settings.models.is_dir():
        typer.echo(f"There is no store at {settings.models}. NETLET_MODELS names it.", err=True)
        raise typer.Exit(NOT_FOUND)


def warn_of_misspelt(variables: Iterable[str]) -> None:
    """Say which variables are nearly called as a setting, and are none: a service would begin as if all were well."""
    for name, meant in misspelt(variables):
        log.warning("%s is no setting; is it %s?", name, meant)


def remote_of(settings: Settings) -> Remote:
    """Give the bucket that the settings name; raise StorageError where what it takes is not installed."""
    if settings.store is None:
        return NOTHING
    try:
        from app.store.bucket import Bucket  # noqa: PLC0415 - what it takes is an extra
    except ImportError as error:
        message = "A store in S3 needs obstore: install netlet with the extra s3."
        raise StorageError(message) from error
    return Bucket(settings.store, settings.models, settings.copies_bytes, settings.reserve_bytes)


def url_of(settings: Settings) -> str | None:
    """Name the database of the catalogue as SQLAlchemy does; None for SQLite in the store."""
    url = settings.database_url
    return None if url is None else re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url.get_secret_value())


def executor_of(settings: Settings) -> Executor:
    """Give what runs trainings where the settings say."""
    means = Means(
        at_once=settings.trainings_at_once,
        memory=settings.training_bytes,
        threads=settings.threads,
        gpus=int(settings.device != "cpu"),
        nodes=settings.nodes,
        address=settings.ray_address,
    )
    return EXECUTORS[settings.executor](means)


def _require_cluster(settings: Settings) -> None:
    """Say why the cluster cannot be used, and end (1)."""
    from app.jobs.cluster.executor import RayExecutor  # noqa: PLC0415 - an extra

    executor = executor_of(settings)
    assert isinstance(executor, RayExecutor)  # noqa: S101 - as the settings say
    trouble = executor.first_trouble()
    executor.shutdown()
    if trouble is not None:
        typer.echo(f"The Ray cluster at {settings.ray_address} cannot be used: {trouble}", err=True)
        raise typer.Exit(1)


def is_locked(settings: Settings) -> bool:
    """Open all of the store, and close it; tell whether a key is valid there. Raises StorageError."""
    with closing(store_of(settings)) as store:
        store.open()
        DatasetStore(settings.models, store.catalogue).open(alone=False)
        JobFolder(settings.models).open()
        return any(key.is_valid(time()) for key in api_keys.listed(store.catalogue))


def require_servable(settings: Settings) -> None:
    """Say why the store cannot be served, and end: it cannot be used (1), or everybody could change it (2)."""
    try:
        has_key = is_locked(settings)
    except NetletError as error:
        typer.echo(f"{settings.models}: {error}", err=True)
        raise typer.Exit(1) from None
    if settings.executor == "ray":
        _require_cluster(settings)
    if settings.is_exposed and not has_key:
        typer.echo(
            f"Other machines can reach {settings.host}, and no key is needed to train or delete models there. Make one "
            "first, as with `netlet keys create`; or let anybody in with --insecure.",
            err=True,
        )
        raise typer.Exit(2)


def settings_of_replicas(settings: Settings, nodes: int) -> Settings:
    """Give the settings of servers that Ray Serve begins on so many nodes; raise Unservable for those that cannot be.

    A key is needed, unless NETLET_INSECURE says otherwise: Serve listens where it is told to, which is not known here.
    """
    own = settings.models
    if not own.is_absolute():
        message = f"NETLET_MODELS is {own}, which each replica would have somewhere else. Set an absolute path."
        raise Unservable(message)
    if settings.database_url is None and nodes > 1:
        message = (
            f"The catalogue is in SQLite, in {own} of one machine, and the cluster has {nodes}. Set "
            "NETLET_DATABASE_URL, and NETLET_STORE unless all of them mount that folder."
        )
        raise Unservable(message)
    settings = settings.model_copy(update={"host": ANYWHERE})
    if settings.is_exposed and not is_locked(settings):
        message = (
            "Serve lets in whoever reaches its port, and no key is needed to train or delete models here. Make one "
            "first, as with `netlet keys create`; or let anybody in with NETLET_INSECURE=true."
        )
        raise Unservable(message)
    return settings
