"""Models on their way out and in, as files."""

import sys
from pathlib import Path
from typing import Any

import typer

from app.client import Client, Export, NotUsable
from app.client.results import file_name
from app.commands.figures import figures
from app.commands.talking import Talk

STANDARD_OUTPUT = "-"
SNAPSHOT = "snapshot"


def export(talk: Talk, reference: str, form: str, out: str | None) -> None:
    """Write a model's file; where no name is given, under the one that the service gives it, if that is free."""
    with talk.client() as client:
        made = _snapshot(client, reference) if form == SNAPSHOT else client.export(reference, form)
        if out == STANDARD_OUTPUT:
            sys.stdout.buffer.write(made.data)
            return
        path = _free(made.name) if out is None else Path(out)
        path.write_bytes(made.data)
        typer.echo(path)
        talk.screen.say(_about(made))


def _free(told: str) -> Path:
    """Give a file of this folder by the name that the service tells; raise NotUsable for none, or one that is taken."""
    try:
        path = Path(file_name(told))
    except ValueError as error:
        message = f"The service names the file badly: {error}. -o names it otherwise."
        raise NotUsable(message) from None
    if path.exists():
        message = f"{path} is there already; -o {path} replaces it."
        raise NotUsable(message)
    return path


def bring(talk: Talk, file: str, name: str, named: dict[str, Any]) -> None:
    """Send a model's file, and print what it is now."""
    with talk.client() as client:
        if Path(file).suffix.lower() == ".onnx":
            model = client.import_onnx(name, Path(file), **named)
        elif named:
            message = "A snapshot has names already; they are given to networks in ONNX (.onnx)."
            raise NotUsable(message)
        else:
            model = client.import_snapshot(name, Path(file))
        talk.one(figures(model), model.raw, "reference")


def _snapshot(client: Client, reference: str) -> Export:
    """Give a version's own file; which version it is, is found out first."""
    version = client.model(reference)
    name = f"{version.model}-{version.version}.safetensors"
    return Export(name, client.snapshot(version.reference), version.reference, 0.0, 0, "")


def _about(made: Export) -> str:
    checked = f", checked on {made.checked_rows:,} rows by {made.checked_by}" if made.checked_rows else ""
    off = f", off by {made.max_difference:.2g} at most" if made.checked_rows else ""
    return f"{made.reference}, {len(made.data):,} bytes{checked}{off}"
