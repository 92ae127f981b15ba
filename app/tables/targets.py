"""Targets: what is to be learnt, as numbers, as classes, or as a yes or no each."""

from collections.abc import Collection, Sequence

import numpy as np

from app.engine.arrays import Targets
from app.errors import UnsuitableTarget
from app.faults import Fault
from app.models.table import Column, Label
from app.tables.cells import Faults, describe
from app.tables.columns import Values, read
from app.tables.raw import RawColumn

MOST_CLASSES = 1000
LARGEST_LABEL = 2**53 - 1
NONE = "; leave out rows that have none"  # what is to be learnt from a row without an answer is nothing
CLASS = "a class: text, true or false, or a whole number"
EXACT = "a label that every reader of JSON keeps exactly, below 2^53"
YES_OR_NO = Column("", (False, True))


def read_targets(
    columns: Sequence[RawColumn],
    kinds: Sequence[str],
    faults: Faults,
    *,
    task: str | None,
    wants_labels: bool | None,
) -> tuple[Targets | tuple[Label, ...], bool]:
    """Read the target, and tell whether each is a yes or no of its own.

    Text and true/false are classes, numbers are numbers; several columns of true/false are a yes or no each. Raises
    UnsuitableTarget where these are mixed, or for dates.
    """
    if "date" in kinds:
        name = columns[kinds.index("date")].name
        message = f"Target {name} is a date. Send a number in its place, such as the days until then."
        raise UnsuitableTarget(message)
    if task == "multilabel" or (len(columns) > 1 and set(kinds) == {"boolean"} and wants_labels is not False):
        return np.stack(
            [_yes_or_no(column, kind, faults) for column, kind in zip(columns, kinds, strict=True)], 1
        ), True
    if wants_labels is None:
        wants_labels = kinds[0] in {"category", "boolean"}
    if not wants_labels:
        return np.stack([_numbers(column, faults) for column in columns], axis=1), False
    if len(columns) > 1:
        message = "Several targets can be numbers, or all true or false; other classes need a model for each."
        raise UnsuitableTarget(message)
    return _labels(columns[0], kinds[0], faults), False


def _numbers(column: RawColumn, faults: Faults) -> Values:
    values: Values = read(column, "number", Column(column.name), faults, required="a number" + NONE)
    return values


def _yes_or_no(column: RawColumn, kind: str, faults: Faults) -> Values:
    """Read true and false, or 1 and 0, as 1.0 and 0.0."""
    if kind != "number":
        truth: Values = read(column, "boolean", YES_OR_NO, faults, required="true or false" + NONE)
        return truth
    values: Values = read(column, "number", Column(column.name), faults, required="true or false" + NONE)
    others = np.flatnonzero(np.isfinite(values) & ~np.isin(values, (0.0, 1.0)))
    faults.add_cells(column.cell, others, lambda _row: "true or false", column=column.name)
    return values


def _labels(column: RawColumn, kind: str, faults: Faults) -> tuple[Label, ...]:
    """Read classes: all text, all true/false or all whole numbers."""
    labels: tuple[Label, ...] = LABELS[kind](column, faults)
    require_few_classes(set(labels), column)
    return labels


def require_few_classes(classes: Collection[Label], column: RawColumn) -> None:
    """Raise UnsuitableTarget for more classes than a classifier learns."""
    if len(classes) > MOST_CLASSES:
        message = f"The target has {len(classes)} different labels; a classifier learns at most {MOST_CLASSES}."
        raise UnsuitableTarget(message, [Fault("fewer classes", got=describe(column.cell(0)), column=column.name)])


def _whole_numbers(column: RawColumn, faults: Faults) -> tuple[Label, ...]:
    values = read(column, "number", Column(column.name), faults, required=CLASS + NONE)
    values = np.where(np.isfinite(values), values, 0.0)
    broken, large = values != np.floor(values), np.abs(values) > LARGEST_LABEL
    faults.add_cells(column.cell, np.flatnonzero(broken), lambda _row: CLASS, column=column.name)
    faults.add_cells(column.cell, np.flatnonzero(large), lambda _row: EXACT, column=column.name)
    return tuple(int(value) for value in values.tolist())


def _truths(column: RawColumn, faults: Faults) -> tuple[Label, ...]:
    return tuple((read(column, "boolean", YES_OR_NO, faults, required=CLASS + NONE) == 1.0).tolist())


def _texts(column: RawColumn, faults: Faults) -> tuple[Label, ...]:
    texts = column.texts.to_pylist()
    names = Column(column.name, tuple({text for text in texts if text is not None}))
    read(column, "category", names, faults, required=CLASS + NONE)
    return tuple(text or "" for text in texts)


LABEL_KINDS: dict[type, str] = {str: "category", bool: "boolean", int: "number"}
LABELS = {"number": _whole_numbers, "boolean": _truths, "category": _texts}
