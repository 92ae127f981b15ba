"""Probe rows: what an export is tried on before it is given away, made of what the model itself knows of its columns.

Some rows are those of the training that the model keeps, to know what is near. For others, all columns' first values
together make a row (the example of the training), their second values the next, and so on; then the same again with
each column one value, and then two, further than the column before it, so that values meet in other company.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from app.engine.arrays import Array, Cells, Outputs, Scores
from app.errors import ExportRefused
from app.models.model import Model
from app.models.preprocessing import Encoder
from app.models.table import Column, Label, Source
from app.tables.answered import MORE_LIKELY
from app.tables.answering import cells_to_answer
from app.tables.cells import LARGEST_NUMBER
from app.tables.columns import sources_of
from app.tables.sent import Sent

Value: TypeAlias = Label | float | None
MOST_VALUES = 60  # of a column with many levels
ROUNDS = 3
MOST_CELLS = 200_000
MOST_KEPT = 64
LEAST_ROWS = 8
NO_LEVEL = "none of the levels"
DATES = ("1969-12-31", "2024-02-29")
TOLERANCES = {"float64": 1e-9, "float32": 1e-5}


@dataclass(frozen=True)
class Probes:
    """Rows as they are sent, as the engine takes them, and what the server answers."""

    rows: list[list[Value]]
    X: Cells
    scores: Scores
    unit: Array
    """Differences are relative to answers, and to one unit of the target's scale where answers are smaller."""
    tolerance: float


@dataclass(frozen=True)
class Ran:
    """What an export answered to the probe rows, and what it ran in."""

    predictions: Sequence[object]
    """One for each row, as the server's answers have it."""
    scores: Outputs
    """Numbers (rows, targets) or probabilities (rows, labels or targets)."""
    by: str


def probes_of(model: Model) -> Probes:
    """Choose probe rows, the same for the same model; raise ExportRefused if the model answers none of them."""
    rows = _rows([_values(source, model) for source in sources_of(model)]) + _kept(model)
    X = cells_to_answer(Sent(rows=rows), model)
    finite = np.flatnonzero(np.isfinite(model.member_scores(X)).all(axis=(0, 2)))
    if not finite.size:
        reason = "the model's answers overflow on all of its probe rows"
        raise ExportRefused(reason)
    unit = np.ones(1) if model.target is None else model.target.scale
    tolerance = TOLERANCES[str(model.recipe.training.precision)]
    return Probes([rows[place] for place in finite.tolist()], X[finite], model.scores(X[finite]), unit, tolerance)


def difference(probes: Probes, scores: Outputs) -> float:
    """Measure how far scores are from the server's at most; infinite where they are others, or none."""
    if scores.shape != probes.scores.shape or not np.isfinite(scores).all():
        return float("inf")
    return float((np.abs(scores - probes.scores) / np.maximum(np.abs(probes.scores), probes.unit)).max())


def require_equal(model: Model, probes: Probes, ran: Ran) -> float:
    """Give the greatest difference; raise ExportRefused where it is too large, or a label is not the likeliest."""
    greatest = difference(probes, ran.scores)
    if greatest > probes.tolerance:
        reason = f"its answers would differ from this server's by {greatest:.2g}, more than {probes.tolerance:g}"
        raise ExportRefused(reason)
    if model.recipe.task != "regression" and not says_the_same(model, probes, ran.predictions):
        reason = "its labels would differ from this server's"
        raise ExportRefused(reason)
    return greatest


def says_the_same(model: Model, probes: Probes, predictions: Sequence[object]) -> bool:
    """Tell whether each label is as likely as the likeliest, and each yes above a half, as far as rounding goes."""
    if not model.labels:
        told = np.array(predictions, dtype=bool)
        unsure = np.abs(probes.scores - MORE_LIKELY) <= probes.tolerance
        return told.shape == unsure.shape and bool(((told == (probes.scores > MORE_LIKELY)) | unsure).all())
    places = {(type(label), label): place for place, label in enumerate(model.labels)}
    alone = [label[0] if isinstance(label, list) and len(label) == 1 else label for label in predictions]
    chosen = [
        -1 if isinstance(label, list) else places.get((type(label), label), -1)  # type: ignore[arg-type]  # whatever it is
        for label in alone
    ]
    if len(chosen) != len(probes.scores) or min(chosen) < 0:
        return False
    likely = np.take_along_axis(probes.scores, np.array(chosen)[:, np.newaxis], axis=1)[:, 0]
    return bool((likely >= probes.scores.max(axis=1) - probes.tolerance).all())


def _rows(values: list[list[Value]]) -> list[list[Value]]:
    longest = max(map(len, values))
    most = max(LEAST_ROWS, MOST_CELLS // len(values))
    turns = [(number, step) for step in range(ROUNDS) for number in range(longest)][:most]
    return [[own[(number + step * place) % len(own)] for place, own in enumerate(values)] for number, step in turns]


def _kept(model: Model) -> list[list[Value]]:
    """Give rows of the training that are kept, as they were sent but for dates, of which the example stands."""
    kept = model.neighbours.rows[: max(LEAST_ROWS, min(MOST_KEPT, MOST_CELLS // len(model.columns)))]
    names = [column.name for column in model.columns]
    places = [(source, names.index(source.columns[0])) for source in sources_of(model)]
    return [[_cell(source, model.columns[place], float(row[place])) for source, place in places] for row in kept]


def _cell(source: Source, column: Column, cell: float) -> Value:
    if source.kind == "date":
        return source.example
    if not column.levels:
        return NO_LEVEL if source.kind == "category" else cell
    return column.levels[int(cell)] if 0 <= cell < len(column.levels) else NO_LEVEL


def _values(source: Source, model: Model) -> list[Value]:
    """List what a column may hold: its example, its ends, what lies between and beyond, its levels, nothing."""
    place = [column.name for column in model.columns].index(source.columns[0])
    levels, values = model.columns[place].levels, [source.example]
    if source.kind == "date":
        values += [source.lowest, source.highest, *DATES]
    elif source.kind == "category":
        values += [*_thinned(levels), *(NO_LEVEL + "!" * many for many in range(2))]
    else:
        values += _thinned(levels) or _numbers(model.encoder, place)
    there = list(dict.fromkeys((type(value), value) for value in values if value is not None))
    missing: list[Value] = [None] if source.columns[0] in model.missing else []
    return [value for _, value in there] + missing or [0.0]


def _thinned(levels: Sequence[Label]) -> list[Value]:
    chosen = np.linspace(0, len(levels) - 1, min(len(levels), MOST_VALUES)).astype(int).tolist()
    return [levels[place] for place in chosen]


def _numbers(encoder: Encoder, place: int) -> list[Value]:
    """Take a range's ends, its quarters, as much again below and above it, and what is scaled to -2 ... 2."""
    lowest, highest = (_bounded(float(end[place])) for end in (encoder.lowest, encoder.highest))
    center, scale = (float(part[place]) for part in (encoder.scaler.center, encoder.scaler.scale))
    span = max(highest - lowest, abs(highest), 1.0)
    beyond = (lowest - span, highest + span, lowest - 1e-3 * span, highest + 1e-3 * span)
    usual = (center + scale * deviations for deviations in (-2.0, -1.0, 0.0, 1.0, 2.0))
    return [*np.linspace(lowest, highest, 5).tolist(), *map(_bounded, beyond), *map(_bounded, usual)]


def _bounded(value: float) -> float:
    return min(max(value, -LARGEST_NUMBER), LARGEST_NUMBER)
