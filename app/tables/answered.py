"""Answers in words: scores as the user asked for them, row by row or column by column."""

from typing import Any, TypeAlias

from app.engine.arrays import Scores
from app.models.model import Model
from app.models.table import Label

Answer: TypeAlias = float | list[float] | Label | list[bool]
MORE_LIKELY = 0.5  # than not
IN_RANGE = "in_range"
"""A column of every answer, so that no target can be called this."""


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
    return [label_name(label) for label in model.labels] or list(model.targets)


def label_name(label: Label) -> str:
    """Name a label, or a level, as JSON has it."""
    return str(label).lower() if isinstance(label, bool) else str(label)
