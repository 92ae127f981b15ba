"""`netlet export`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import Key, Model, Quiet, Url

cli = command()


@cli.command()
def export(
    model: Model,
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="python, javascript, onnx or json answer by themselves; a snapshot is what another netlet imports.",
        ),
    ] = "snapshot",
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", help="Where it goes; - is standard output.")
    ] = None,
    url: Url = None,
    key: Key = None,
    quiet: Quiet = False,
) -> None:
    """Take a model away, as a file of its own."""
    from app.commands import taking
    from app.commands.talking import Talk

    taking.export(Talk(url, key, as_json=False, quiet=quiet), model, form, out)
