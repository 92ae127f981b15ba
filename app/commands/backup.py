"""`netlet backup`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson

cli = command()


@cli.command()
def backup(
    file: Annotated[str, typer.Argument(help="Where to write it; - is standard output.")], *, as_json: AsJson = False
) -> None:
    """Write models, datasets, trainings, aliases and keys of the store to one file, also while it is served."""
    from app.commands import keeping
    from app.commands.configured import settings_or_end

    keeping.back_up(settings_or_end(), file, as_json=as_json)
