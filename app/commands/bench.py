"""`netlet bench`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Model, Quiet, Url

cli = command()


@cli.command()
def bench(
    model: Model,
    *,
    seconds: Annotated[float, typer.Option(help="How long it is asked.", min=0.1, max=3600)] = 5,
    connections: Annotated[int, typer.Option(help="How many ask at the same time.", min=1, max=10_000)] = 16,
    rows: Annotated[int, typer.Option(help="How many rows each request asks about.", min=1, max=100_000)] = 1,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model of a running service as fast as it answers, and tell how fast that is.

    Each connection asks about the same row, one that the model learnt from, as soon as it has its answer. On the
    machine of the service this takes some of its processors' time.
    """
    from app.commands import measuring
    from app.commands.talking import Talk

    talk = Talk(url, key, as_json, quiet)
    measuring.measure(talk, model, seconds=seconds, connections=connections, rows=rows)
