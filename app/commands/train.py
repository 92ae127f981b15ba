"""`netlet train`."""

from typing import Annotated

import typer

from app.commands import command

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
    from app.commands import training

    if bool(file) == bool(follow):
        message = "Give a FILE to learn from, or --follow JOB."
        raise typer.BadParameter(message)
    named = [f"target={column}" for column in target or ()] + ([] if name is None else [f"name={name}"])
    asked = training.Asked(
        url=url,
        file=file,
        follow=follow,
        settings=(*named, *(settings or ())),
        how={"timeout_seconds": timeout, "priority": priority},
        as_json=as_json,
        quiet=quiet,
    )
    raise typer.Exit(training.run(asked))
