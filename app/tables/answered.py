"""Answers as a table: what a model says of each row, in columns, for those who asked with a table."""

from typing import Any, TypeAlias

from app.engine.arrays import Cells, Scores
from app.engine.control import GoOn, go_on_for_ever
from app.engine.model import Model
from app.engine.table import Label
from app.tables.arrow import pa
from app.tables.texts import Arrow

Answer: TypeAlias = float | list[float] | Label | list[bool]
MORE_LIKELY = 0.5  # than not
IN_RANGE = "in_range"
"""A column of every answer, so that no target can be called this."""


def answered(model: Model, X: Cells, *, proba: bool, go_on: GoOn = go_on_for_ever) -> Arrow:
    """Answer rows, shape (samples, columns): a column for each target, named like it, and `in_range`.

    With `proba` there is also a column `probability_…` for each label. Raises BadTable where an answer overflows.
    """
    scores = model.scores(X, go_on)
    columns = dict(zip(model.targets, map(pa.array, in_columns(model, scores)), strict=True))
    columns[IN_RANGE] = pa.array(model.encoder.in_range(X))
    if proba:
        columns |= {
            f"probability_{name}": pa.array(share) for name, share in zip(class_names(model), scores.T, strict=True)
        }
    return pa.table(columns)


def in_words(model: Model, scores: Scores) -> list[Answer]:
    """Put scores as the user asked for them: a number, a list of numbers, a label, or a list of true and false."""
    answers: list[Answer]
    if model.labels:
        return [model.labels[index] for index in scores.argmax(axis=1)]
    if model.recipe.task == "multilabel":
        answers = (scores > MORE_LIKELY).tolist()
        return answers
    answers = (scores[:, 0] if len(model.targets) == 1 else scores).tolist()
    return answers


def in_columns(model: Model, scores: Scores) -> list[Any]:
    """Put the same in columns, a list or an array for each target."""
    if model.labels:
        return [in_words(model, scores)]
    return [*(scores > MORE_LIKELY if model.recipe.task == "multilabel" else scores).T]


def class_names(model: Model) -> list[str]:
    """Name what has a probability: the labels, as JSON has them, or the targets that are true or false."""
    return [_name(label) for label in model.labels] or list(model.targets)


def _name(label: Label) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
