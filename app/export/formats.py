"""Formats of an export: how each is written, and tried on probe rows before it is given away."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.engine.control import GoOn, go_on_for_ever
from app.errors import ExportRefused, ExportTooLarge
from app.export import javascript_module, json_document, onnx_graph, python_program, running
from app.export.description import Description, describe
from app.export.evaluating import evaluate
from app.export.probes import Probes, Ran, probes_of, require_equal
from app.store.store import Stored
from app.tables.answered import MORE_LIKELY

UNCHECKED = "Being written."


@dataclass(frozen=True)
class Format:
    """One form: what its files are called and are, how one is written, and what it answers."""

    ending: str
    media_type: str
    write: Callable[[Description, str], bytes]
    run: Callable[[bytes, Probes, Description], Ran]
    is_text: bool = True


@dataclass(frozen=True)
class Export:
    """A file, and how far its answers are from the server's at most."""

    data: bytes
    name: str
    media_type: str
    rows: int
    difference: float
    by: str


def _by_document(data: bytes, probes: Probes, description: Description) -> Ran:
    """Run what a JSON document says."""
    scores = evaluate(data, probes.rows)
    labels = json.loads(data)["labels"]
    predictions: Sequence[Any] = scores.tolist()
    if description.classes:
        predictions = [labels[place] for place in scores.argmax(axis=1)] if labels else (scores > MORE_LIKELY).tolist()
    return Ran(predictions, scores, f"netlet {__version__}")


def _in_python(data: bytes, probes: Probes, _description: Description) -> Ran:
    return running.in_python(data, probes)


def _in_javascript(data: bytes, probes: Probes, description: Description) -> Ran:
    """Run a module in Node; without one, run the description that it was written from, and say so."""
    ran = running.in_javascript(data, probes)
    if ran is not None:
        return ran
    ran = _by_document(json_document.write(description, ""), probes, description)
    return Ran(ran.predictions, ran.scores, f"{ran.by}, not this file, for there is no Node here")


FORMATS = {
    "onnx": Format("onnx", "application/onnx", onnx_graph.write, onnx_graph.try_out, is_text=False),
    "python": Format("py", "text/x-python", python_program.write, _in_python),
    "javascript": Format("mjs", "text/javascript", javascript_module.write, _in_javascript),
    "json": Format("json", "application/json", json_document.write, _by_document),
}


def export(stored: Stored, name: str, most_numbers: int, go_on: GoOn = go_on_for_ever) -> Export:
    """Write a model in a format.

    Raises ExportTooLarge for a text of more than so many numbers, ExportRefused where it answers something else.
    """
    form, description = FORMATS[name], describe(stored)
    if form.is_text and description.size > most_numbers:
        raise ExportTooLarge(description.size, most_numbers)
    go_on()
    probes = probes_of(stored.model)
    try:
        tried = form.write(description, UNCHECKED)
        go_on()
        ran = form.run(tried, probes, description)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"it holds what {name} has no words for ({type(error).__name__})"
        raise ExportRefused(reason) from error
    difference = require_equal(stored.model, probes, ran)
    note = f"Tried on {len(probes.rows)} rows in {ran.by}: off the server's answers by {difference:.2g} at most."
    data = form.write(description, note)
    return Export(data, _file(stored, form), form.media_type, len(probes.rows), difference, ran.by)


def _file(stored: Stored, form: Format) -> str:
    """Name a file so that programs can import it: exam_1.py."""
    word = re.sub(r"[^a-z0-9]", "_", stored.name)
    return f"{'model_' if word[0].isdigit() else ''}{word}_{stored.version}.{form.ending}"
