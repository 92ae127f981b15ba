"""`netlet models`."""

from typing import Annotated, TypeAlias

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Model, Quiet, Url

cli = command()

Name: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
AliasOf: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL@ALIAS", help="exam@live, say.")]
Why: TypeAlias = Annotated[str, typer.Option(help="Kept in the alias's history.")]


@cli.callback()
def models() -> None:
    """List models, look at them, delete them, and point aliases at their versions."""


@cli.command()
def ls(
    prefix: Annotated[str, typer.Argument(help="Only names that begin so.")] = "",
    *,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG[=VALUE]", help="Only what is tagged so.")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="The newest first, not by name.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List models."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.list_models(Talk(url, key, as_json, quiet), prefix, tag or (), newest_first=newest)


@cli.command()
def show(model: Model, *, url: Url = None, key: Key = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell what a model takes, how it was trained, and how good it is."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.show_model(Talk(url, key, as_json, quiet), model)


@cli.command()
def rm(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="exam/3; exam is all of its versions.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: Key = None,
    quiet: Quiet = False,
) -> None:
    """Delete versions, or models with all versions and aliases, for good."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.delete(Talk(url, key, as_json=False, quiet=quiet), models, yes=yes)


@cli.command()
def keep(
    name: Name,
    newest: Annotated[str, typer.Argument(metavar="NUMBER", help="How many of the newest versions; all for all.")],
    *,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Keep only the newest versions of a model, now and after each training."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.keep(Talk(url, key, as_json, quiet), name, newest)


@cli.command()
def aliases(name: Name, *, url: Url = None, key: Key = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List a model's aliases."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.list_aliases(Talk(url, key, as_json, quiet), name)


@cli.command()
def point(
    alias: AliasOf,
    version: Annotated[int, typer.Argument(help="The version it is to point to.", min=1)],
    *,
    why: Why = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Point an alias at a version."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.point(Talk(url, key, as_json, quiet), alias, version, why)


@cli.command()
def rollback(
    alias: AliasOf,
    *,
    to: Annotated[int | None, typer.Option(help="The revision to go back to, instead of the last move.", min=1)] = None,
    why: Why = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Undo the last move of an alias."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.roll_back(Talk(url, key, as_json, quiet), alias, to, why)


@cli.command()
def unpoint(alias: AliasOf, *, url: Url = None, key: Key = None, quiet: Quiet = False) -> None:
    """Delete an alias; its history stays."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.delete_alias(Talk(url, key, as_json=False, quiet=quiet), alias)


@cli.command()
def moves(alias: AliasOf, *, url: Url = None, key: Key = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell what happened to an alias, the newest first."""
    from app.commands import catalogue
    from app.commands.talking import Talk

    catalogue.list_moves(Talk(url, key, as_json, quiet), alias)
