"""Models and aliases as a person sees and changes them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from app.client import Alias, Client, Model, NotUsable
from app.commands.figures import lines, pairs
from app.commands.tables import Heading, moment, written
from app.commands.talking import Talk

MOST_LEVELS = 5


def _learnt(row: Mapping[str, Any]) -> str:
    """Say what a column was like in training."""
    if row["levels"] is None:
        return "" if row["lowest"] is None else f"{written(row['lowest'])} to {written(row['highest'])}"
    more = row["level_count"] - MOST_LEVELS
    return written(row["levels"][:MOST_LEVELS]) + (f", … {more} more" if more > 0 else "")


MODELS: dict[str, Heading] = {
    "model": lambda row: row["model"],
    "newest": lambda row: max(row["versions"]),
    "versions": lambda row: len(row["versions"]),
    "task": lambda row: row["task"],
    "target": lambda row: row["target"],
    "columns": lambda row: row["damage"] or row["columns"],
}
COLUMNS: dict[str, Heading] = {
    "column": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "learnt from": _learnt,
    "missing": lambda row: f"{row['missing_share']:.1%}" if row["missing"] else "",
    "example": lambda row: row["example"],
}
ALIASES: dict[str, Heading] = {
    "alias": lambda row: row["reference"],
    "version": lambda row: row["version"],
    "revision": lambda row: row["revision"],
}
MOVES: dict[str, Heading] = {
    "revision": lambda row: row["revision"],
    "at": lambda row: moment(row["at"]),
    "from": lambda row: row["from"],
    "to": lambda row: row["to"],
    "restores": lambda row: row["restores"],
    "who": lambda row: row["who"],
    "why": lambda row: row["why"],
}


def list_models(talk: Talk, prefix: str, tags: Sequence[str], *, newest_first: bool) -> None:
    """List models."""
    with talk.client() as client:
        listed = client.models(prefix, tags=_named(tags), newest_first=newest_first)
        talk.rows(MODELS, (model.raw for model in listed), "model")


def _named(tags: Sequence[str]) -> dict[str, str | None]:
    """Give tags their values; raise NotUsable where one is to have two, which none has."""
    named: dict[str, str | None] = {}
    for tag, equals, value in (text.partition("=") for text in tags):
        former = named.get(tag)
        if equals and former not in {None, value}:
            message = f"No model has two values of one tag: ask for {tag}={former} or for {tag}={value}."
            raise NotUsable(message)
        named[tag] = value if equals else former
    return named


def show_model(talk: Talk, reference: str) -> None:
    """Show a model, its columns, versions and aliases."""
    with talk.client() as client:
        model = client.model(reference)
        talk.one(_about(model), model.raw, "reference")
        if not talk.as_json and not talk.quiet:
            talk.rows(COLUMNS, (column.raw for column in model.columns), "name")


def delete(talk: Talk, references: Sequence[str], *, yes: bool) -> None:
    """Delete versions or models, once it was said that they are the right ones."""
    with talk.client() as client:
        if not yes:
            _require_a_yes(client, references)
        for reference in references:
            client.delete(reference)
            talk.screen.say(f"{reference} is deleted.")


def keep(talk: Talk, name: str, newest: str) -> None:
    """Say how many versions a model keeps."""
    with talk.client() as client:
        if newest != "all" and not newest.isdecimal():
            message = f"{newest} is no number of versions; all keeps all."
            raise NotUsable(message)
        kept = client.keep(name, None if newest == "all" else int(newest))
        gone = f"deleted just now: {written(kept.expired)}" if kept.expired else "nothing is deleted by it"
        talk.one([f"{name} keeps {newest}; {gone}"], kept.raw, "model")


def list_aliases(talk: Talk, name: str) -> None:
    """List aliases."""
    with talk.client() as client:
        talk.rows(ALIASES, (alias.raw for alias in client.aliases(name)), "reference")


def point(talk: Talk, alias: str, version: int, why: str) -> None:
    """Point an alias at a version."""
    with talk.client() as client:
        _tell(talk, client.point(*_parts(alias), version, why=why))


def roll_back(talk: Talk, alias: str, to: int | None, why: str) -> None:
    """Undo the last move of an alias, or go to a revision."""
    with talk.client() as client:
        _tell(talk, client.roll_back(*_parts(alias), to, why=why))


def delete_alias(talk: Talk, alias: str) -> None:
    """Delete an alias."""
    with talk.client() as client:
        client.delete_alias(*_parts(alias))
        talk.screen.say(f"{alias} is deleted.")


def list_moves(talk: Talk, alias: str) -> None:
    """List what happened to an alias."""
    with talk.client() as client:
        talk.rows(MOVES, (move.raw for move in client.moves(*_parts(alias))), "revision")


def _tell(talk: Talk, alias: Alias) -> None:
    told = f"{alias.reference} is {alias.model}/{alias.version} (revision {alias.revision})"
    talk.one([told], alias.raw, "reference")


def _parts(alias: str) -> tuple[str, str]:
    name, _, word = alias.partition("@")
    if not name or not word:
        message = f"{alias} is no alias of a model, which is one such as exam@live"
        raise NotUsable(message)
    return name, word


def _require_a_yes(client: Client, references: Sequence[str]) -> None:
    """Ask whether all of these are to go; raises NotUsable where nobody can be asked, Abort for a no."""
    if not sys.stdin.isatty():
        message = "There is nobody to be asked whether it is meant; --yes says so."
        raise NotUsable(message)
    for reference in references:
        model = client.model(reference)
        what = model.reference if model.versions is None else f"{model.model}, all of it ({written(model.versions)}),"
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)


def _about(model: Model) -> Iterator[str]:
    yield model.reference
    yield from lines([*pairs(model), *_more(model)])


def _more(model: Model) -> Iterator[tuple[str, str]]:
    yield "created", f"{moment(model.raw['created'])}, {model.bytes:,} bytes"
    if model.description:
        yield "description", model.description
    if model.tags:
        yield "tags", ", ".join(f"{name}={value}" for name, value in model.tags.items())
    if model.continued_from:
        yield "continued from", model.continued_from
    if model.dataset:
        yield "dataset", model.dataset
    if model.aliases:
        yield "aliases", ", ".join(f"{alias} -> {version}" for alias, version in model.aliases.items())
    if model.versions:
        yield "versions", written(model.versions)
