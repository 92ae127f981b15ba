"""`netlet check`."""

from typing import Annotated

import typer

from app.commands import command

cli = command()


@cli.command()
def check(
    *,
    repair: Annotated[bool, typer.Option(help="List what the catalogue does not know, and remove leftovers.")] = False,
) -> None:
    """Verify every snapshot and every dataset of the store against the catalogue, to the last bit."""
    from app.commands.configured import settings_or_end
    from app.verifying import verify

    verify(settings_or_end(), repair=repair)
