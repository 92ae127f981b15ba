"""`netlet restore`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson

cli = command()


@cli.command()
def restore(
    file: Annotated[str, typer.Argument(help="What `netlet backup` wrote; - is standard input.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a store of a backup, in a folder that is empty or not there; nothing is in its place before all is right."""
    from app.commands import keeping
    from app.commands.configured import settings_or_end

    keeping.restore(settings_or_end(), file, as_json=as_json)
