"""The settings of commands that are the service, or touch its store."""

import typer
from pydantic import ValidationError

from app.settings import Settings


def settings_or_end() -> Settings:
    """Read the settings, or say which variable is wrong and end."""
    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            typer.echo(
                f"NETLET_{str(detail['loc'][0]).upper()}: {detail['msg'].removeprefix('Value error, ')}", err=True
            )
        raise typer.Exit(2) from None
