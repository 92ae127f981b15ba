"""The surface: what is answered over two columns at once, the others in the middle of what was trained on."""

from dataclasses import dataclass
from math import isqrt

import numpy as np

from app.engine.arrays import Scores, Vector
from app.engine.control import GoOn
from app.errors import InvalidRequest, NoPicture
from app.faults import Fault
from app.insight.explain import middle
from app.models.model import Model
from app.pictures.names import answer_named, column_named, listed
from app.pictures.picture import Asked, Picture, number
from app.pictures.response import held, positions
from app.tables.answered import class_names

FINEST, COARSEST = 81, 9  # points along each column
MOST_CELLS, MOST_PRODUCTS = 2**21, 2**33


@dataclass(frozen=True)
class Axis:
    """One of the two columns."""

    column: str
    values: list[float] | list[str]
    trained: tuple[float, float] | None
    """Null for a category."""
    rows: list[float]
    """Of a sample of the rows that were learnt from; a category's are positions among `values`, -1 where not shown."""


@dataclass(frozen=True, kw_only=True)
class Surface(Picture):
    """Answers, one list for each value of y: numbers or probabilities, or the position of the likeliest label."""

    x: Axis
    y: Axis
    answer: str
    """Whose numbers or probability it is; for the likeliest of several labels, the target."""
    z: list[list[float]]
    labels: list[str]
    """Empty but where z are positions of labels among these."""
    probability: bool
    held: dict[str, float | str]
    """Where other columns are: the first 20."""


def surface(model: Model, asked: Asked, go_on: GoOn) -> Surface:
    """Ask a model over two columns.

    Raises NoPicture for a model of one column, InvalidRequest for no such columns or answer, BadTable where an answer
    overflows.
    """
    columns = _two_columns(model, asked)
    points = _points(model)
    (x, x_words), (y, y_words) = (positions(model, index, points)[:2] for index in columns)
    X = np.repeat(middle(model)[np.newaxis], len(x) * len(y), axis=0)
    X[:, columns[0]], X[:, columns[1]] = np.tile(x, len(y)), np.repeat(y, len(x))
    scores = model.scores(X, go_on)
    names = class_names(model)
    several = len(model.labels) > 2 and asked.answer is None  # noqa: PLR2004 - of two, one tells of the other
    chosen = answer_named(model, asked.answer, 1 if len(model.labels) > 1 else 0)
    z, labels = _likeliest(scores, names) if several else (scores[:, chosen], [])
    answer = model.targets[0] if several else names[chosen]
    axes = [_axis(model, *each) for each in zip(columns, (x, y), (x_words, y_words), strict=True)]
    what = f"Probability of {answer}" if model.recipe.task != "regression" and not several else answer
    return Surface(
        title=f"{what} by {axes[0].column} and {axes[1].column}",
        alt=_in_words(z, labels, answer, axes),
        note="other columns in the middle of what was trained on" if len(model.columns) > len(columns) else "",
        x=axes[0],
        y=axes[1],
        answer=answer,
        z=z.reshape(len(y), len(x)).tolist(),
        labels=labels,
        probability=model.recipe.task != "regression",
        held=held(model, columns),
    )


def _two_columns(model: Model, asked: Asked) -> tuple[int, int]:
    if len(model.columns) == 1:
        message = "A surface is over two columns, and this model has one. Ask for its response."
        raise NoPicture(message)
    y = None if asked.y is None else column_named(model, "y", asked.y)
    x = column_named(model, "x", asked.x, 1 if y == 0 else 0)
    y = (1 if x == 0 else 0) if y is None else y
    if x == y:
        message = "A surface is over two columns; the address names one twice."
        raise InvalidRequest(message, [Fault("another column than x", model.columns[y].name, field="y")])
    return x, y


def _points(model: Model) -> int:
    """Choose how finely to look, so that wide tables and large networks cost no more than others."""
    rows = min(MOST_CELLS // len(model.columns), MOST_PRODUCTS // model.parameters.size)
    return min(FINEST, max(COARSEST, isqrt(max(1, rows))))


def _likeliest(scores: Scores, names: list[str]) -> tuple[Vector, list[str]]:
    """Give the likeliest label at each place, as its position among those that are likeliest anywhere."""
    there, places = np.unique(scores.argmax(axis=1), return_inverse=True)
    return places.astype(np.float64), [names[place] for place in there]


def _axis(model: Model, index: int, values: Vector, words: list[str]) -> Axis:
    rows, name = model.neighbours.rows[:, index], model.columns[index].name
    if not words:
        trained = float(model.encoder.lowest[index]), float(model.encoder.highest[index])
        return Axis(name, values.tolist(), trained, rows.tolist())
    places = {value: float(place) for place, value in enumerate(values.tolist())}
    return Axis(name, words, None, [places.get(row, -1.0) for row in rows.tolist()])


def _in_words(z: Vector, labels: list[str], answer: str, axes: list[Axis]) -> str:
    over = f"over {axes[0].column} and {axes[1].column}"
    if labels:
        shares = np.bincount(z.astype(np.intp), minlength=len(labels)) / len(z)
        told = [f"{label} in {share:.0%}" for label, share in zip(labels, shares, strict=True)]
        return f"The likeliest {answer} {over}: {listed(told)} of the picture."
    return f"{answer} {over} goes from {number(z.min())} to {number(z.max())}."
