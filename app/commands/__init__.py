"""What `netlet` can be told to do, a module each. What one needs beside typer is imported where it runs."""

import typer


def command() -> typer.Typer:
    """Make a command, or a group of them, that looks as all do."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )
