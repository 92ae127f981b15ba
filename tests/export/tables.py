"""Models of every kind that is exported, and random rows for them as somebody would send them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from app.engine.activations import ACTIVATIONS
from app.engine.network import Architecture
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import Source, TrainingRows
from app.presets import PRESETS
from app.store.store import Stored
from app.tables.columns import sources_of
from app.tables.reading import training_rows
from app.tables.sent import Sent
from tests.models.tables import EXAM, ensemble, recipe, wave
from tests.store.test_round_trips import KINDS

PEOPLE = ("Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus")
HOSTILE = ('"""\nraise SystemExit', "</script>\u2028'\\", "__proto__", "${x}", "*/ #")


def people(rows: int = 60) -> list[dict[str, Any]]:
    """Rows with columns of every kind, and gaps in each."""
    rng = np.random.default_rng(6)
    table: list[dict[str, Any]] = []
    for number in range(rows):
        moment = datetime.fromtimestamp(1.6e9 + 4e6 * number + float(rng.integers(0, 86_400)), UTC)
        row: dict[str, Any] = {
            "hours": float(rng.normal(5, 2)),
            "age": int(rng.integers(7, 19)),
            "paid": bool(rng.integers(0, 2)),
            "course": ("art", "law", "maths")[number % 3],
            "seat": ("left", "right")[number % 2],
            "name": PEOPLE[number % 7],
            "since": moment.isoformat(),
            "born": moment.date().isoformat(),
            "only": "x",
        }
        gaps = {name: None for place, name in enumerate(row) if number % 11 == place and name != "born"}
        table.append(row | gaps | {"score": 50 + row["hours"] + 3 * (number % 3)})
    return table


def of_people(target: str = "score") -> TrainingRows:
    """Read them, to learn one of their columns."""
    return training_rows(
        Sent(rows=[row for row in people() if row[target] is not None], target=target), task=None, wants_labels=None
    )


def hostile() -> TrainingRows:
    """A table whose words would end a comment or a text, or would be code, if they were not kept in.

    A training takes no such names, but a snapshot may come from anywhere.
    """
    rows = [
        {name: HOSTILE[(number + place) % 5] for place, name in enumerate("abc")}
        | {"d": number, "e": HOSTILE[number % 3]}
        for number in range(20)
    ]
    read = training_rows(Sent(rows=rows, target="e"), task=None, wants_labels=None)
    columns = tuple(replace(column, name=name) for column, name in zip(read.columns, HOSTILE, strict=False))
    sources = tuple(replace(source, name=name) for source, name in zip(read.sources, HOSTILE, strict=False))
    return replace(read, columns=columns, sources=sources, targets=HOSTILE[4:])


def _activated(name: str) -> tuple[TrainingRows, Recipe]:
    network = Architecture(hidden=(6, 5), activation=name)
    return wave(40), replace(recipe(epochs=2, learning_rate=1e-3), network=network)


EXPORTED: dict[str, tuple[TrainingRows, Recipe]] = {
    **KINDS,
    "the tutorial": (EXAM, TypeAdapter(Recipe).validate_python(PRESETS["tutorial"], strict=False)),
    "people": (of_people(), ensemble()),
    "people in float64": (of_people(), ensemble(precision="float64")),
    "people's courses": (of_people("course"), ensemble(members=2)),
    "people who paid": (of_people("paid"), recipe(epochs=2)),
    "hostile words": (hostile(), recipe(epochs=2)),
    **{f"activation {name}": _activated(name) for name in ACTIVATIONS},
}


def stored(model: Model, name: str = "exam") -> Stored:
    """Take a model for a stored one."""
    return Stored(name, 1, "0" * 64, datetime(2026, 1, 1, tzinfo=UTC), 1, model, {})


def made(kind: str) -> Stored:
    """Learn one of them."""
    return stored(learn(*EXPORTED[kind]))


def random_rows(model: Model, count: int = 1000) -> list[list[Any]]:
    """Draw rows within the trained ranges and well beyond, with levels that were not there, and with gaps."""
    rng = np.random.default_rng(12)
    columns = [_values(source, model, rng, count) for source in sources_of(model)]
    return [list(row) for row in zip(*columns, strict=True)]


def _values(source: Source, model: Model, rng: np.random.Generator, count: int) -> Sequence[Any]:
    place = [column.name for column in model.columns].index(source.columns[0])
    levels = model.columns[place].levels
    values: list[Any]
    if source.kind == "date":
        moments = [datetime.fromtimestamp(seconds, UTC) for seconds in rng.uniform(-1e9, 3e9, count)]
        forms = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S+05:30")
        values = [moment.strftime(forms[number % 4]) for number, moment in enumerate(moments)]
    elif source.kind == "category":
        words = (*map(str, levels), "another")
        values = [words[number] for number in rng.integers(0, len(words), count)]
    elif levels:
        values = [levels[number] for number in rng.integers(0, len(levels), count)]
    else:
        lowest, highest = model.encoder.lowest[place], model.encoder.highest[place]
        span = max(highest - lowest, 1.0)
        values = rng.uniform(lowest - span, highest + span, count).tolist()
    if source.columns[0] in model.missing:
        values = [None if rng.uniform() < 0.1 else value for value in values]
    return values
