"""The `netlet` command."""

import logging
import signal
import socket
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError

from app.demo import Demo
from app.errors import NetletError
from app.main import create_app
from app.settings import Settings
from app.store.store import ModelStore
from app.telemetry import log_json_lines

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


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8000); 0 takes any free one.")] = None,
) -> None:
    """Serve models until stopped."""
    log_json_lines()
    settings = _settings()
    host, port = host or settings.host, settings.port if port is None else port
    try:
        listener = _listen(host, port)
    except OSError as error:
        typer.echo(f"Cannot listen on {host}:{port} ({error.strerror}). Choose another with --port.", err=True)
        raise typer.Exit(1) from error
    logging.getLogger("netlet").info("listening on http://%s:%d", host, listener.getsockname()[1])
    _run(_server(settings), listener)


@cli.command()
def demo() -> None:
    """Serve, train the tutorial's network over HTTP, ask it about (4, 8), and keep serving."""
    log_json_lines(logging.WARNING)
    settings = _settings()
    try:
        listener = _listen(settings.host, settings.port)
    except OSError:
        listener = _listen(settings.host, 0)
    server = _server(settings)
    show = Demo(
        f"http://{settings.host}:{listener.getsockname()[1]}", stop=lambda: setattr(server, "should_exit", True)
    )
    show.start()
    _run(server, listener)
    raise typer.Exit(show.exit_code)


@cli.command()
def check() -> None:
    """Verify every snapshot of the store, to the last bit."""
    store = ModelStore(_settings().models)
    damaged = total = 0
    for name in store.names(limit=10**9) if store.root.is_dir() else []:
        for version in store.versions(name):
            total += 1
            try:
                store.load(name, version)
            except NetletError as error:
                damaged += 1
                typer.echo(str(error), err=True)
    typer.echo(f"{total} snapshots in {store.root}, {damaged} damaged")
    raise typer.Exit(1 if damaged else 0)


def _settings() -> Settings:
    """Read the settings, or say which variable is wrong and end."""
    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            typer.echo(f"NETLET_{str(detail['loc'][0]).upper()}: {detail['msg']}", err=True)
        raise typer.Exit(2) from None


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
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


def _server(settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )  # fmt: skip
    return uvicorn.Server(config)


if __name__ == "__main__":
    main()
