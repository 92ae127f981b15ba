"""Opening: the store that the settings name, and whether it can be served as they say."""

import re
from concurrent.futures import Executor
from contextlib import closing
from time import time

import typer

from app.errors import NetletError, StorageError
from app.jobs.executors import EXECUTORS, Means
from app.jobs.folder import JobFolder
from app.settings import Settings
from app.store import api_keys
from app.store.catalogue import Catalogue
from app.store.datasets import DatasetStore
from app.store.remote import NOTHING, Remote
from app.store.store import ModelStore


def store_of(settings: Settings) -> ModelStore:
    """Give the store that the settings name, to be opened."""
    catalogue = Catalogue(settings.models, url_of(settings), remote_of(settings))
    return ModelStore(settings.models, catalogue, settings.reserve_bytes)


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


def require_servable(settings: Settings) -> None:
    """Say why the store cannot be served, and end: it cannot be used (1), or everybody could change it (2)."""
    try:
        with closing(store_of(settings)) as store:
            store.open()
            DatasetStore(settings.models, store.catalogue).open(alone=False)
            JobFolder(settings.models).open()
            is_locked = any(key.is_valid(time()) for key in api_keys.listed(store.catalogue))
    except NetletError as error:
        typer.echo(f"{settings.models}: {error}", err=True)
        raise typer.Exit(1) from None
    if settings.executor == "ray":
        _require_cluster(settings)
    if settings.is_exposed and not is_locked:
        typer.echo(
            f"Other machines can reach {settings.host}, and no key is needed to train or delete models there. Make one "
            "first, as with `netlet keys create`; or let anybody in with --insecure.",
            err=True,
        )
        raise typer.Exit(2)
