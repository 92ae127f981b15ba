"""The `netlet` command: names of commands, each of which is imported when it is chosen, so that all begin at once."""

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from app import __version__

COMMANDS = {
    "serve": "Serve models until stopped.",
    "demo": "Serve, train the tutorial's network, and ask it something.",
    "train": "Send a table to a running service, and print the model.",
    "predict": "Ask a model of a running service.",
    "models": "List, show and delete models; point aliases at versions.",
    "jobs": "List, show, follow and cancel trainings.",
    "export": "Take a model away, as a file of its own.",
    "import": "Bring a model in.",
    "bench": "Tell how fast a running service answers.",
    "keys": "Make, list, rotate and revoke API keys.",
    "audit": "Tell who trained, deleted and moved what.",
    "backup": "Write a store to one file, also while it is served.",
    "restore": "Make a store of a backup.",
    "check": "Verify the files of a store, to the last bit.",
}
"""Each command, which is the `cli` of the module of that name in `app.commands`, and what it does, on half a line."""


class Commands(TyperGroup):
    """Commands that are known by name and line; only the one that runs is more than that."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - what typer makes a group of
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - typer's own types
        """Find the command that the arguments name, as it is."""
        name, _, rest = super().resolve_command(ctx, args)
        if name is None:
            return None, None, rest
        module = import_module(f"app.commands.{name}{'_' if iskeyword(name) else ''}")
        return name, typer.main.get_command(module.cli), rest


cli = typer.Typer(
    cls=Commands,
    help="Post a table, get a neural network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - called by typer
    if wanted:
        typer.echo(f"netlet {__version__}")
        raise typer.Exit


VERSION = typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell which version this is, and end.")


@cli.callback()
def netlet(*, _version: Annotated[bool, VERSION] = False) -> None:
    """Post a table, get a neural network."""


def main() -> None:
    """Run the command line; letters that a terminal has not, and names that are no text, are printed as codes.

    Who closed a stream has no use for what goes there, and nothing to say: what the command does is done all the same.
    """
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli()


if __name__ == "__main__":
    main()
