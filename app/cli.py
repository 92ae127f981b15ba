"""The `netlet` command. What a command needs is imported when it is chosen, so that all others begin at once."""

import gc
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import Settings

cli = typer.Typer(
    help="Post a table, get a neural network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (default 8000); 0 takes any free one.", min=0, max=65535)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port and the store (default 1).", min=1, max=64)
    ] = None,
) -> None:
    """Serve models until stopped."""
    from app.workers import is_worker, supervise

    given = {"host": host, "port": port, "workers": workers}
    settings = _settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    if settings.workers > 1 and not is_worker():
        supervise(settings)
    gc.disable()  # what is made up to the start stays; looking for what does not is a seventh of the time it takes
    from app import server

    server.serve(settings)


@cli.command()
def demo() -> None:
    """Serve, train the tutorial's network over HTTP, ask it about (4, 8), and keep serving."""
    from app.demo import demonstrate

    demonstrate(_settings())


@cli.command()
def train(  # noqa: PLR0913 - each is an option
    file: Annotated[
        str, typer.Argument(help="CSV, NDJSON, Parquet, Arrow, npy or JSON, as it ends; - is CSV from standard input.")
    ] = "",
    *,
    target: Annotated[
        list[str] | None, typer.Option(help="The column to be learnt; several if it is given several times.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; one is made up where it is not given.")] = None,
    url: Annotated[str, typer.Option(help="Where the service is.", envvar="NETLET_URL")] = "http://127.0.0.1:8000",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting of the training: training.epochs=100, preset=tutorial, …"),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="The most seconds that the training may take.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher ones are trained before others.")] = None,
    follow: Annotated[str, typer.Option(metavar="JOB", help="Instead of FILE: a training to follow again.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the model as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress; print the reference alone.")] = False,
) -> None:
    """Send a table to a running service, follow the training, and print the model.

    Ctrl-C leaves the training to itself. Exit codes: 1 failed, 2 wrong use, 3 not found, 4 refused, 5 unreachable.
    """
    from app.client import train as command

    if bool(file) == bool(follow):
        message = "Give a FILE to learn from, or --follow JOB."
        raise typer.BadParameter(message)
    named = [f"target={column}" for column in target or ()] + ([] if name is None else [f"name={name}"])
    asked = command.Asked(
        url=url,
        file=file,
        follow=follow,
        settings=(*named, *(settings or ())),
        how={"timeout_seconds": timeout, "priority": priority},
        as_json=as_json,
        quiet=quiet,
    )
    raise typer.Exit(command.run(asked))


@cli.command()
def check(
    *,
    repair: Annotated[bool, typer.Option(help="List what the catalogue does not know, and remove leftovers.")] = False,
) -> None:
    """Verify every snapshot and every dataset of the store against the catalogue, to the last bit."""
    from app import verifying

    verifying.verify(_settings(), repair=repair)


def _settings() -> "Settings":
    """Read the settings, or say which variable is wrong and end."""
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            typer.echo(
                f"NETLET_{str(detail['loc'][0]).upper()}: {detail['msg'].removeprefix('Value error, ')}", err=True
            )
        raise typer.Exit(2) from None


if __name__ == "__main__":
    main()
