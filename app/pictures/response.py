"""The response: how the answer changes with one column, while all others stay in the middle of what was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Cells, Scores, Vector
from app.engine.control import GoOn
from app.insight.explain import middle
from app.insight.trust import intervals
from app.models.model import Model
from app.models.table import Column
from app.pictures.names import answer_named, column_named, source_of
from app.pictures.picture import USUAL_LEVEL, Asked, Picture, number
from app.tables.answered import class_names, label_name

POINTS = 101
MOST_LEVELS, MOST_ANSWERS, MOST_HELD = 20, 6, 20
BEYOND = 0.25  # of the trained range, on either side
LARGEST = 1e100  # of numbers whose range is looked beyond


@dataclass(frozen=True, kw_only=True)
class Response(Picture):
    """Answers along one column."""

    column: str
    x: list[float] | list[str]
    """Numbers, or levels of a category."""
    trained: tuple[float, float] | None
    """Between what the model was trained; null for a category."""
    answers: dict[str, list[float]]
    """Of each target that is shown, or the probability of each label."""
    lower: list[float] | None
    upper: list[float] | None
    level: float | None
    """How often truth is within the interval."""
    held: dict[str, float | str]
    """Where other columns are: the first 20."""
    rows: list[float]
    """Values of a sample of the rows that were learnt from; a category's are positions among `x`."""
    probability: bool


def response(model: Model, asked: Asked, go_on: GoOn) -> Response:
    """Ask a model along a column; raises InvalidRequest for no such column or answer, BadTable where one overflows."""
    index = column_named(model, "column", asked.column)
    column = model.columns[index]
    values, words, left_out = positions(model, index, POINTS)
    X = np.repeat(middle(model)[np.newaxis], len(values), axis=0)
    X[:, index] = values
    scores, level = model.scores(X, go_on), asked.level or USUAL_LEVEL
    chosen = _chosen(model, asked, scores)
    ends = _ends(model, X, level, go_on)[:, chosen[0]].T.tolist() if _has_interval(model, level) else (None, None)
    names, rows = class_names(model), model.neighbours.rows[:, index]
    what = "Probability" if model.recipe.task != "regression" else names[chosen[0]]
    return Response(
        title=f"{what} by {column.name}",
        alt=_in_words(model, column, words or values.tolist(), {names[place]: scores[:, place] for place in chosen}),
        note=_note(model, level, left_out, len(names) - len(chosen)),
        column=column.name,
        x=words or values.tolist(),
        trained=None if words else (float(model.encoder.lowest[index]), float(model.encoder.highest[index])),
        answers={names[place]: scores[:, place].tolist() for place in chosen},
        lower=ends[0],
        upper=ends[1],
        level=level if ends[0] is not None else None,
        held=held(model, [index]),
        rows=[float(np.flatnonzero(values == row)[0]) for row in rows if row in values] if words else rows.tolist(),
        probability=model.recipe.task != "regression",
    )


def positions(model: Model, index: int, points: int) -> tuple[Vector, list[str], int]:
    """Tell where along a column a model is asked, with the names of levels, and how many of these are left out."""
    column, encoder = model.columns[index], model.encoder
    if not column.levels:
        return _numbers(float(encoder.lowest[index]), float(encoder.highest[index]), points), [], 0
    source = source_of(model, column)
    frequent = [level for level, _ in source.frequent] if source and len(column.levels) > MOST_LEVELS else column.levels
    places = sorted(column.positions[level] for level in frequent[:MOST_LEVELS] if level in column.positions)
    words = [label_name(column.levels[int(place)]) for place in places]
    return np.array(places), words, len(column.levels) - len(places)


def held(model: Model, shown: Sequence[int]) -> dict[str, float | str]:
    """Tell where the columns are that a picture does not run over."""
    row, told = middle(model), {}
    for index in [index for index in range(len(model.columns)) if index not in shown][:MOST_HELD]:
        column = model.columns[index]
        told[column.name] = label_name(column.levels[int(row[index])]) if column.levels else float(row[index])
    return told


def _numbers(lowest: float, highest: float, points: int) -> Vector:
    """Go from below the trained range to above it, through both its ends."""
    beyond = BEYOND * (highest - lowest) if highest > lowest else max(1.0, abs(lowest)) * BEYOND
    if max(abs(lowest), abs(highest)) > LARGEST:
        beyond = 0.0
    half = np.linspace(0.5 * (lowest - beyond), 0.5 * (highest + beyond), points)  # of numbers that may be the largest
    return np.unique(np.concatenate((2.0 * half, [lowest, highest])))


def _has_interval(model: Model, level: float) -> bool:
    return model.recipe.task == "regression" and model.misses.bound(level) is not None


def _ends(model: Model, X: Cells, level: float, go_on: GoOn) -> Scores:
    ends = intervals(model, X, level, go_on)
    assert ends is not None  # noqa: S101 - it was asked whether there are some
    return ends


def _chosen(model: Model, asked: Asked, scores: Scores) -> list[int]:
    """Choose what is shown: what was asked for, one of several numbers, or the labels that are likely somewhere."""
    if asked.answer is not None or model.recipe.task == "regression":
        return [answer_named(model, asked.answer)]
    likeliest = np.argsort(-scores.max(axis=0), kind="stable")[:MOST_ANSWERS]
    return sorted(likeliest.tolist())


def _note(model: Model, level: float, left_out: int, other_answers: int) -> str:
    notes = []
    if len(model.columns) > 1:
        notes.append("other columns in the middle of what was trained on")
    if model.recipe.task == "regression" and model.misses.bound(level) is None:
        notes.append("no interval: too few rows were held out")
    if left_out:
        notes.append(f"{left_out} other levels are not shown")
    if other_answers:
        notes.append(f"{other_answers} other answers are not shown")
    return "; ".join(notes)


def _in_words(model: Model, column: Column, x: Sequence[float | str], answers: dict[str, Vector]) -> str:
    told = []
    for name, values in answers.items():
        lowest, highest = int(values.argmin()), int(values.argmax())
        (low, at_low), (high, at_high) = ((values[at], _word(x[at])) for at in (lowest, highest))
        told.append(f"{name} is least, {number(low)}, at {at_low} and most, {number(high)}, at {at_high}")
    words = f"Along {column.name}, {'; '.join(told)}."
    if column.levels:
        return words
    index = model.columns.index(column)
    ends = number(float(model.encoder.lowest[index])), number(float(model.encoder.highest[index]))
    return f"{words} The model was trained from {ends[0]} to {ends[1]}."


def _word(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)
