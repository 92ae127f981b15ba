"""What a described model answers, computed from its JSON document alone: what is in the text counts, nothing else."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array, Cells, Features, Outputs
from app.engine.config import PRECISIONS
from app.export.description import TEXT
from app.export.probes import Value

Read = dict[str, Any]
"""A document as JSON has it."""


def evaluate(data: bytes, rows: Sequence[Sequence[Value]]) -> Outputs:
    """Answer rows with a document: numbers (rows, targets), or probabilities (rows, labels or targets)."""
    document = json.loads(data)
    names = [column["name"] for column in document["columns"]]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    with np.errstate(all="ignore"):
        a = _entered(document, columns, _dense(document, columns, len(rows)))
        for layer in document["layers"]:
            a = a @ _array(document, layer["W"])
            if layer["b"] is not None:
                a += _array(document, layer["b"])[:, np.newaxis]
            ACTIVATIONS[layer["activation"]].apply(a, np.empty_like(a))
    scores: Outputs = _answers(document, a.astype(np.float64)).mean(axis=0)
    return scores


def _array(document: Read, numbers: list[Any]) -> Array:
    return np.array(numbers, dtype=PRECISIONS[document["precision"]])


def _dense(document: Read, columns: dict[str, list[Value]], rows: int) -> Features:
    """Make the inputs that need no embedding, shape (rows, inputs)."""
    numbers = document["numbers"]
    parts: list[Array] = [np.empty((rows, 0))]
    if numbers:
        x = np.stack([_numbers(columns[own["column"]], own["part"]) for own in numbers], axis=1)
        x = np.where(np.isnan(x), [np.nan if own["fill"] is None else own["fill"] for own in numbers], x)
        s = (x - [own["center"] for own in numbers]) / [own["scale"] for own in numbers]
        parts += [s if document["clip"] is None else s / np.hypot(1.0, s / document["clip"]), _bins(document, x)]
    parts += [np.array([[value is None] for value in columns[name]], dtype=float) for name in document["missing"]]
    for category in document["categories"]:
        place = _places(columns[category["column"]], category["levels"])[:, np.newaxis]
        if category["made"] == "pair":
            parts.append((place == 1) * 1.0 - (place == 0))
        elif category["made"] == "levels":
            parts.append((place == np.arange(len(category["levels"]))) * 1.0)
    return np.concatenate(parts, axis=1)


def _bins(document: Read, x: Cells) -> Features:
    places = [own["number"] for own in document["bins"]]
    begins, width = ([own[name] for own in document["bins"]] for name in ("begins", "width"))
    bins: Features = 2.0 * np.clip((x[:, places] - begins) / width, 0.0, 1.0) - 1.0
    return bins


def _entered(document: Read, columns: dict[str, list[Value]], dense: Features) -> Array:
    """Put vectors beside the other inputs, shape (members, rows, inputs)."""
    embedded = [category for category in document["categories"] if category["made"] == "embedded"]
    vectors = [
        _array(document, table)[:, _places(columns[category["column"]], category["levels"]) + 1]
        for category, table in zip(embedded, document["embeddings"], strict=True)
    ]
    dense = dense.astype(PRECISIONS[document["precision"]])
    whole = np.broadcast_to(dense, (document["members"], *dense.shape))
    return np.concatenate((whole, *vectors), axis=-1)


def _answers(document: Read, a: Outputs) -> Outputs:
    target = document["target"]
    if target is not None:
        scaled: Outputs = a[..., : len(target["scale"])] * target["scale"] + target["center"]
        return scaled
    return np.concatenate((1.0 - a, a), axis=-1) if document["labels"] and a.shape[-1] == 1 else a


def _places(values: Sequence[Value], levels: Sequence[Value]) -> Any:  # noqa: ANN401 - an array of whole numbers
    places = {level: place for place, level in enumerate(levels)}
    return np.array([places.get(value, -1) for value in values], dtype=np.intp)


def _numbers(values: Sequence[Value], part: str | None) -> Array:
    return np.array([_number(value, part) for value in values], dtype=np.float64)


def _number(value: Value, part: str | None) -> Value:
    if part is None or value is None:
        return value
    if part == TEXT:
        return -1.0
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    parts = {
        "weekday": moment.weekday(),
        "hour": (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(hours=1),
    }
    return float(parts[part]) if part in parts else float(getattr(moment, part))
