"""`netlet jobs`."""

from typing import Annotated, TypeAlias

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Quiet, Url

cli = command()

Job: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="Its id.")]


@cli.callback()
def jobs() -> None:
    """List trainings, follow them, end them."""


@cli.command()
def ls(
    *,
    state: Annotated[
        str | None, typer.Option(help="Only those that are queued, running, succeeded, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The most that are listed, the newest first.", min=1, max=1000)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List trainings, the newest first."""
    from app.commands import trainings
    from app.commands.talking import Talk

    trainings.list_jobs(Talk(url, key, as_json, quiet), state, limit)


@cli.command()
def show(job: Job, *, url: Url = None, key: Key = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell how far a training is, and how it ended."""
    from app.commands import trainings
    from app.commands.talking import Talk

    trainings.show_job(Talk(url, key, as_json, quiet), job)


@cli.command()
def follow(job: Job, *, url: Url = None, key: Key = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show how a training goes on, and print its model. Ctrl-C leaves it to itself."""
    from app.commands import training
    from app.commands.talking import Talk

    training.follow(Talk(url, key, as_json, quiet), job)


@cli.command()
def cancel(
    job: Job,
    *,
    keep_best: Annotated[
        bool, typer.Option("--keep-best", help="Keep the best that it has come to as a version.")
    ] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """End a training."""
    from app.commands import trainings
    from app.commands.talking import Talk

    trainings.cancel(Talk(url, key, as_json, quiet), job, keep_best=keep_best)
