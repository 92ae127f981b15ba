"""`netlet audit`."""

from typing import Annotated

import typer

from app.commands import command

cli = command()


@cli.command()
def audit(
    *,
    limit: Annotated[int, typer.Option(help="How many of the last ones.", min=1, max=1_000_000)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")] = False,
) -> None:
    """Tell who trained, deleted and moved what."""
    from app import keys as work
    from app.commands.configured import settings_or_end

    work.audit(settings_or_end(), limit=limit, as_json=as_json)
