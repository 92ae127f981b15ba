"""The `netlet` command."""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from types import FrameType
from typing import Annotated, ParamSpec

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app.demo import Demo
from app.errors import NetletError
from app.main import create_app, stop_trainings, store_of, url_of
from app.settings import Settings
from app.store import checking
from app.store.datasets import DatasetStore
from app.store.store import ModelStore
from app.tables.cells import count
from app.telemetry import log_json_lines

P = ParamSpec("P")

GRACE_SECONDS = 10

cli = typer.Typer(
    help="Post a table, get a neural network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    cli()


class Server(uvicorn.Server):
    """uvicorn, which on a signal waits for requests to end: here, those that wait for trainings are told at once."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS
            )
        )
        self.app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGINT and SIGTERM."""
        super().handle_exit(sig, frame)
        stop_trainings(self.app)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (default 8000); 0 takes any free one.", min=0, max=65535)
    ] = None,
) -> None:
    """Serve models until stopped."""
    log_json_lines()
    settings = _settings()
    host, port = host or settings.host, settings.port if port is None else port
    server = _server(settings)
    try:
        listener = _listen(host, port)
    except OSError as error:
        typer.echo(f"Cannot listen on {host}:{port} ({error.strerror}). Choose another with --port.", err=True)
        raise typer.Exit(1) from error
    logging.getLogger("netlet").info("listening on %s", _url(host, listener))
    _run(server, listener)


@cli.command()
def demo() -> None:
    """Serve, train the tutorial's network over HTTP, ask it about (4, 8), and keep serving."""
    log_json_lines(logging.WARNING)
    settings = _settings()
    server = _server(settings)
    try:
        listener = _listen(settings.host, settings.port)
    except OSError:
        listener = _listen(settings.host, 0)
    show = Demo(_url(settings.host, listener), stop=lambda: setattr(server, "should_exit", True))
    show.start()
    _run(server, listener)
    raise typer.Exit(show.exit_code)


@cli.command()
def check(
    *,
    repair: Annotated[bool, typer.Option(help="List what the catalogue does not know, and remove leftovers.")] = False,
) -> None:
    """Verify every snapshot and every dataset of the store against the catalogue, to the last bit."""
    settings = _settings()
    root = settings.models
    if not root.is_dir():
        typer.echo(f"There is no store at {root}. NETLET_MODELS names it.", err=True)
        raise typer.Exit(1)
    with closing(_opened(settings, repair=repair)) as store:
        faults = _report(store, repair=repair)
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


def _settings() -> Settings:
    """Read the settings, or say which variable is wrong and end."""
    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            typer.echo(
                f"NETLET_{str(detail['loc'][0]).upper()}: {detail['msg'].removeprefix('Value error, ')}", err=True
            )
        raise typer.Exit(2) from None


def _server(settings: Settings) -> Server:
    """Make the server, or say why its store cannot be used and end."""
    try:
        with closing(store_of(settings)) as store:
            store.open()
    except NetletError as error:
        typer.echo(f"{settings.models}: {error}", err=True)
        raise typer.Exit(1) from None
    return Server(create_app(settings))


def _run(server: Server, listener: socket.socket) -> None:
    """Serve until a signal asks for the end, and then end with exit code 0: that is what was asked.

    uvicorn raises the signal again once it has shut down, for whoever handled it before; here, `_leave`.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, _leave)
    server.run(sockets=[listener])


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _url(host: str, listener: socket.socket) -> str:
    """Give the address at which a client on this machine finds the listener."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"http://{reachable}:{listener.getsockname()[1]}"


if __name__ == "__main__":
    main()
