"""What `netlet keys` and `netlet audit` do, in the store that the settings name."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from time import time
from typing import Any, TypeVar

import typer

from app.commands import tables
from app.commands.tables import Heading
from app.errors import NetletError
from app.opening import require_store, store_of
from app.settings import Settings
from app.store import api_keys, deeds
from app.store.api_keys import PATTERN, SCOPES, ApiKey, Grant, Quotas
from app.store.catalogue import Catalogue, Unit
from app.store.store import LATEST
from app.tables.cells import closest

T = TypeVar("T")

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])", re.ASCII)
SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
LONGEST = 36_500 * 86_400  # seconds
LARGEST = 10**18  # bytes
LONGEST_NAME = 200
KEYS: dict[str, Heading] = {
    "number": lambda key: key["number"],
    "name": lambda key: key["name"],
    "scopes": lambda key: key["scopes"],
    "models": lambda key: key["models"],
    "expires": lambda key: (key["expires"] or "never")[:10],
    "quotas": lambda key: [f"{what} {most:g}" for what, most in key["quotas"].items()],
    "state": lambda key: key["state"],
}
DEEDS: dict[str, Heading] = {
    "at": lambda deed: _moment(deed["at"]),
    "who": lambda deed: deed["who"] or "anybody",
    "address": lambda deed: deed["address"],
    "did": lambda deed: f"{deed['method']} {deed['path']}",
    "made": lambda deed: deed["made"],
}
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMGT]?)B?", re.ASCII)


def create(settings: Settings, name: str, grant: Grant, expires: float | None, *, as_json: bool) -> None:
    """Make a key and print it: that is the only time that anybody sees it."""
    text = _written(settings, lambda unit: api_keys.create(unit, name, grant, expires), makes_store=True)
    _tell(text, as_json=as_json)


def rotate(settings: Settings, number: int, overlap: float, *, as_json: bool) -> None:
    """Give a key another secret and print it."""
    _tell(_written(settings, lambda unit: api_keys.rotate(unit, number, overlap)), as_json=as_json)


def revoke(settings: Settings, number: int) -> None:
    """End a key for good."""
    _written(settings, lambda unit: api_keys.revoke(unit, number))


def delete(settings: Settings, number: int) -> None:
    """Take a key out of the list."""
    _written(settings, lambda unit: api_keys.forget(unit, number))


def show(settings: Settings, *, as_json: bool) -> None:
    """List all keys."""
    with _catalogue(settings) as catalogue:
        listed = api_keys.listed(catalogue)
    if as_json:
        for key in listed:
            typer.echo(json.dumps(_described(key)))
        return
    _print(KEYS, [_described(key) for key in listed])


def audit(settings: Settings, *, limit: int, as_json: bool) -> None:
    """List who changed what, the newest last."""
    with _catalogue(settings) as catalogue:
        found = [deed for _, deed in reversed(deeds.newest(catalogue, limit=limit))]
    if as_json:
        for deed in found:
            typer.echo(json.dumps(deed._asdict() | {"at": _moment(deed.at)}))
        return
    _print(DEEDS, [deed._asdict() for deed in found])


def grant_of(scopes: str, models: str, quotas: Quotas) -> Grant:
    """Read what a key is to be for; raise typer.BadParameter."""
    words = [word.strip() for word in scopes.split(",") if word.strip()]
    for word in words:
        if word not in SCOPES:
            near = closest(word, SCOPES)
            message = f"{word!r} is no scope{f'; is it {near}?' if near else '.'} There are: {', '.join(SCOPES)}."
            raise typer.BadParameter(message)
    patterns = [pattern.strip() for pattern in models.split(",") if pattern.strip()]
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            message = f"{pattern!r} matches no model's name: these have a-z, 0-9, dot, dash and underscore."
            raise typer.BadParameter(message)
    if not words or not patterns:
        message = "A key without scopes or without models is for nothing."
        raise typer.BadParameter(message)
    return Grant(frozenset(words), tuple(patterns), quotas)


def name_of(name: str) -> str:
    """Read what a key is for, which is told in a line; raise typer.BadParameter."""
    if len(name) <= LONGEST_NAME and name.isprintable():
        return name
    message = f"What a key is for is told in up to {LONGEST_NAME} characters that can be printed."
    raise typer.BadParameter(message)


def seconds_of(duration: str) -> float:
    """Read a duration, such as 90d; raise typer.BadParameter."""
    match = DURATION.fullmatch(duration)
    if match is None:
        message = f"{duration!r} is no duration. Write 30m, 12h, 90d or 52w."
        raise typer.BadParameter(message)
    seconds = float(match[1]) * SECONDS[match[2]]
    if seconds > LONGEST:
        message = f"{duration[:40]} is longer than {LONGEST // SECONDS['d']}d, which is the longest."
        raise typer.BadParameter(message)
    return seconds


def bytes_of(size: str) -> int:
    """Read a size, such as 500MB; raise typer.BadParameter."""
    match = SIZE.fullmatch(size)
    if match is None:
        message = f"{size!r} is no size. Write 500MB, 2GB or a number of bytes."
        raise typer.BadParameter(message)
    number = float(match[1]) * SIZES[match[2]]
    if number > LARGEST:
        message = f"{size[:40]} is more than {LARGEST // SIZES['T']}TB, which is the most."
        raise typer.BadParameter(message)
    return int(number)


def _tell(text: str, *, as_json: bool) -> None:
    number = text.split("_")[1]
    if as_json:
        typer.echo(json.dumps({"number": int(number), "key": text}))
        return
    typer.echo(text)
    if sys.stderr.isatty():
        typer.echo(
            f"This is key {number}. Keep it: it is not shown again. Send it as Authorization: Bearer …, or X-API-Key.",
            err=True,
        )


def _print(headings: dict[str, Heading], rows: list[dict[str, Any]]) -> None:
    if rows:
        tables.show(headings, rows)
    else:
        typer.echo("There are none.", err=True)


def _described(key: ApiKey) -> dict[str, Any]:
    now = time()
    state = "valid" if key.is_valid(now) else "revoked" if key.revoked is not None else "expired"
    return {
        "number": key.number,
        "name": key.name,
        "scopes": sorted(key.grant.scopes),
        "models": list(key.grant.models),
        "created": _moment(key.created),
        "expires": None if key.expires is None else _moment(key.expires),
        "quotas": {what: most for what, most in key.grant.quotas._asdict().items() if most is not None},
        "state": state,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, LATEST), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _written(settings: Settings, do: Callable[[Unit], T], *, makes_store: bool = False) -> T:
    with _catalogue(settings, makes_store=makes_store) as catalogue:
        return catalogue.write(do).result()


@contextmanager
def _catalogue(settings: Settings, *, makes_store: bool = False) -> Iterator[Catalogue]:
    """Open the store's catalogue, also while it is served; say what keeps it from being opened, and end.

    Where there is no store, only a first key makes one.
    """
    if settings.database_url is None and not makes_store:
        require_store(settings)
    try:
        with closing(store_of(settings)) as store:
            store.open()
            yield store.catalogue
    except NetletError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
