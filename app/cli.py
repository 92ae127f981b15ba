"""The `netlet` command. What a command needs is imported when it is chosen, so that all others begin at once."""

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
) -> None:
    """Serve models until stopped."""
    from app import server

    given = {"host": host, "port": port}
    server.serve(_settings().model_copy(update={name: value for name, value in given.items() if value is not None}))


@cli.command()
def demo() -> None:
    """Serve, train the tutorial's network over HTTP, ask it about (4, 8), and keep serving."""
    from app import server

    server.demonstrate(_settings())


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
