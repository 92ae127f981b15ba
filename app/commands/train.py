"""`netlet train`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Quiet, Url

cli = command()


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
    group_by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Train a model for each group that this column tells, NAME.GROUP."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting of the training: training.epochs=100, preset=tutorial, …"),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="The most seconds that the training may take.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher ones are trained before others.")] = None,
    follow: Annotated[str, typer.Option(metavar="JOB", help="Instead of FILE: a training to follow again.")] = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send a table to a running service, follow the training, and print the model.

    Ctrl-C leaves the training to itself. Exit codes: 1 failed, 2 wrong use, 3 not found, 4 refused, 5 unreachable.
    """
    from app.commands import training
    from app.commands.talking import Talk

    if bool(file) == bool(follow):
        message = "Give a FILE to learn from, or --follow JOB."
        raise typer.BadParameter(message)
    talk = Talk(url, key, as_json, quiet)
    if follow:
        training.follow(talk, follow)
    else:
        said = {"target": target, "name": name, "group_by": group_by, "timeout_seconds": timeout, "priority": priority}
        given = {name: value for name, value in said.items() if value is not None}
        training.train(talk, file, given, settings or ())
