"""`netlet import`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Quiet, Url

cli = command()


@cli.command(name="import")
def import_(  # noqa: PLR0913 - each is an option
    file: Annotated[str, typer.Argument(help="A snapshot (.safetensors), or a network of another program (.onnx).")],
    *,
    name: Annotated[str, typer.Option(help="The model that it becomes the next version of.")],
    column: Annotated[
        list[str] | None, typer.Option(help="Of a network in ONNX: the name of a column, in order; one by one.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="The name of what it answers.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="The name of a class, in order.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring a model in, which another netlet exported, or another program wrote."""
    from app.commands import taking
    from app.commands.talking import Talk

    named = {"columns": column, "target": target, "labels": label}
    taking.bring(Talk(url, key, as_json, quiet), file, name, {what: names for what, names in named.items() if names})
