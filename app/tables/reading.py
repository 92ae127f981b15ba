"""Reading: what a request holds, as the rows a model learns from or answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.engine.arrays import Cells, Row, Targets
from app.engine.model import Model
from app.engine.table import Label, TrainingRows
from app.errors import MOST_FAULTS, BadTable, Fault, InvalidRequest, UnsuitableTarget
from app.tables.cells import Faults, closest, count, describe, names, number_column
from app.tables.columns import answered_column, learnt_column, require_short
from app.tables.table import LONGEST_NAME, Table, from_arrays, from_records, require_names, require_rows

MOST_CLASSES = 1000
LARGEST_LABEL = 2**53 - 1
LABEL_TYPES = ({str}, {bool}, {int})


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The parts of a request that hold a table, as they came from JSON.

    Either `rows` (objects; or lists, with `columns`) with `target`, and `weight` the name of a column; or `X` and `y`,
    with `weights`.
    """

    rows: list[Any] | None = None
    columns: tuple[str, ...] | None = None
    target: str | tuple[str, ...] | None = None
    X: list[Any] | None = None
    y: list[Any] | None = None
    weight: str | None = None
    weights: list[Any] | None = None


def training_rows(sent: Sent, *, task: str | None, wants_labels: bool | None) -> TrainingRows:
    """Read the rows to learn from; the target holds classes if it is all text or all true/false, or as told.

    Raises InvalidRequest where parts are missing, BadTable where the cells do not fit.
    """
    table, targets = _labelled_table(sent)
    faults = Faults()
    weights, table = _weights(sent, table, targets, faults)
    features = table.without(targets)
    require_names(features.columns)
    named = zip(features.columns, features.cells, strict=True)
    columns, values = zip(*(learnt_column(cells, name, faults) for name, cells in named), strict=True)
    require_short(columns)
    y, multilabel = _target(table, targets, faults, task=task, wants_labels=wants_labels)
    faults.raise_any("Some cells are not what their column needs.")
    return TrainingRows(columns, targets, np.stack(values, axis=1), y, weights, multilabel)


def cells_to_answer(sent: Sent, model: Model) -> Cells:
    """Read the rows to answer, shape (rows, columns), by the names and order the model was trained with.

    Raises InvalidRequest unless exactly one of `rows` and `X` is there, BadTable where they do not fit.
    """
    if (sent.rows is None) == (sent.X is None):
        message = 'Send the rows to answer, as "rows" or as "X".'
        raise InvalidRequest(message, [Fault("exactly one of rows and X", field="rows")])
    rows = sent.rows if sent.X is None else sent.X
    columns = tuple(column.name for column in model.columns)
    if rows and isinstance(rows[0], dict) and sent.columns is None:
        table = _matching_records(rows, columns, model.targets)
    else:
        table = _matching_arrays(rows or [], sent.columns or columns, columns)
    faults = Faults()
    known = zip(table.cells, model.columns, (model.encoder.missing > 0).tolist(), strict=True)
    values = [answered_column(cells, column, faults, missing=missing) for cells, column, missing in known]
    faults.raise_any("Some cells are not what their column needs.")
    return np.stack(values, axis=1)


def _weights(sent: Sent, table: Table, targets: tuple[str, ...], faults: Faults) -> tuple[Row | None, Table]:
    """Take out how much each row counts, and give the table without it."""
    if sent.weights is not None and sent.weight is not None:
        message = "Weights are a column of the rows or a list, not both."
        raise InvalidRequest(message, [Fault("exactly one of weight and weights", field="weights")])
    if sent.weights is not None:
        name, cells = "weights", list(sent.weights)
        if len(cells) != len(table.cells[0]):
            message = f"There are {count(len(table.cells[0]), 'row')} and {count(len(cells), 'weight')}."
            raise BadTable(message, [Fault(count(len(table.cells[0]), "weight"), got=str(len(cells)), field="weights")])
    elif sent.weight is not None:
        name = sent.weight
        if name in targets or name not in table.columns:
            message = f"The weight is a column of its own, of the rows, which are: {names(table.columns)}."
            fault = Fault("another column", column=name, field="weight", instead=closest(name, table.columns))
            raise BadTable(message, [fault])
        cells = list(table.select((name,)).cells[0])
        table = table.without((name,))
    else:
        return None, table
    weights = number_column(cells, name, faults)
    for row in np.flatnonzero(weights < 0).tolist():
        faults.add_cell(cells[row], "a number that is not negative", row=row, column=name)
    if not weights.any() and not faults.total:
        message = "All weights are 0, so that no row counts."
        raise BadTable(message, [Fault("a number above 0", row=0, column=name)])
    return weights, table


def _matching_records(rows: list[Any], columns: tuple[str, ...], targets: tuple[str, ...]) -> Table:
    if any(name in rows[0] for name in targets):
        message = f"The rows hold {names(targets)}, which is what the model predicts. Leave it out."
        raise BadTable(message, [Fault("no such column", row=0, column=name) for name in targets if name in rows[0]])
    return from_records(rows, columns)


def _matching_arrays(rows: list[Any], given: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    if sorted(given) != sorted(columns):
        message = f"The columns are not those of the model: {names(columns)}."
        known, sent = set(columns), set(given)
        faults = [Fault("a column of the model", column=name) for name in given if name not in known]
        faults += [Fault("this column too", got="nothing", column=name) for name in columns if name not in sent]
        faults += [Fault("each column once", column=name) for name, times in Counter(given).items() if times > 1]
        raise BadTable(message, faults[:MOST_FAULTS], len(faults))
    return from_arrays(rows, given).select(columns)


def _labelled_table(sent: Sent) -> tuple[Table, tuple[str, ...]]:
    """Bring all forms of a table with a target to one."""
    if sent.rows is not None and sent.X is None and sent.y is None:
        if sent.target is None:
            message = "Name the column to be learnt."
            raise InvalidRequest(message, [Fault('a column\'s name, as in "target": "score"', field="target")])
        targets = (sent.target,) if isinstance(sent.target, str) else sent.target
        table = from_records(sent.rows) if sent.columns is None else from_arrays(sent.rows, sent.columns)
        _require_targets(targets, table.columns)
        return table, targets
    if sent.X is not None and sent.y is not None and sent.rows is None:
        return _from_X_and_y(sent)
    message = 'Send a table: "rows" with "target", or "X" with "y".'
    raise InvalidRequest(message, [Fault("rows with target, or X with y", field="rows")])


def _from_X_and_y(sent: Sent) -> tuple[Table, tuple[str, ...]]:  # noqa: N802 - X is the textbook's
    X, y = sent.X or [], sent.y or []
    require_rows(X)
    if len(X) != len(y):
        message = f"X has {count(len(X), 'row')} and y has {len(y)}; each row needs its target."
        raise BadTable(message, [Fault(count(len(X), "value"), got=count(len(y), "value"), field="y")])
    if not isinstance(X[0], list):  # a bare list is one row for predict, but here each row has its own y
        X = [[value] for value in X]
    features = from_arrays(X, sent.columns)
    answers = from_arrays([value if isinstance(value, list) else [value] for value in y])
    targets = _target_names(sent.target, len(answers.columns))
    table = Table((*features.columns, *targets), [*features.cells, *answers.cells])
    require_names(table.columns)
    return table, targets


def _target_names(target: str | tuple[str, ...] | None, width: int) -> tuple[str, ...]:
    if target is None:
        return ("y",) if width == 1 else tuple(f"y{index + 1}" for index in range(width))
    given = (target,) if isinstance(target, str) else target
    if len(given) != width:
        message = f"y has {count(width, 'value')} a row, but target has {count(len(given), 'name')}."
        raise BadTable(message, [Fault(count(width, "name"), got=count(len(given), "name"), field="target")])
    return given


def _require_targets(targets: tuple[str, ...], columns: tuple[str, ...]) -> None:
    if not targets:
        message = "Name at least one column to be learnt."
        raise InvalidRequest(message, [Fault("a column's name", field="target")])
    require_names(targets)
    known = set(columns)
    unknown = [name for name in targets if name not in known]
    if unknown:
        message = f"The target is not a column of the rows, which are: {names(columns)}."
        faults = [
            Fault("one of the columns", column=name, field="target", instead=closest(name, columns))
            for name in unknown[:MOST_FAULTS]
        ]
        raise BadTable(message, faults, len(unknown))


def _target(
    table: Table, targets: tuple[str, ...], faults: Faults, *, task: str | None, wants_labels: bool | None
) -> tuple[Targets | tuple[Label, ...], bool]:
    """Read the target, and tell whether each is a yes or no of its own."""
    answers = table.select(targets)
    kinds = [set(map(type, cells)) - {type(None)} for cells in answers.cells]
    all_bool = len(targets) > 1 and all(kind == {bool} for kind in kinds)
    if task == "multilabel" or (all_bool and wants_labels is not False):
        return _yes_or_no(answers, faults), True
    if wants_labels is None:
        wants_labels = kinds[0] in ({str}, {bool})
    if not wants_labels:
        return answers.numbers(faults), False
    if len(targets) > 1:
        message = "Several targets can be numbers, or all true or false; other classes need a model for each."
        raise UnsuitableTarget(message)
    return _labels(answers.cells[0], targets[0], faults), False


def _yes_or_no(answers: Table, faults: Faults) -> Targets:
    """Read true and false, or 1 and 0, as 1.0 and 0.0."""
    y = np.zeros((len(answers.cells[0]), len(answers.columns)))
    for index, (name, cells) in enumerate(zip(answers.columns, answers.cells, strict=True)):
        for row, cell in enumerate(cells):
            if isinstance(cell, int | float) and cell in {0, 1}:
                y[row, index] = cell
            else:
                faults.add_cell(cell, "true or false", row=row, column=name)
    return y


def _labels(cells: Sequence[object], column: str, faults: Faults) -> tuple[Label, ...]:
    """Read classes: all text, all true/false or all whole numbers, as the first that is not null has it."""
    first = next((row for row, cell in enumerate(cells) if cell is not None), 0)
    kind = type(cells[first]) if {type(cells[first])} in LABEL_TYPES else None
    labels: list[Label] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and len(cell) > LONGEST_NAME:
            faults.add_cell(cell, f"a label of at most {LONGEST_NAME} characters", row=row, column=column)
        elif isinstance(cell, int) and abs(cell) > LARGEST_LABEL:
            faults.add_cell(cell, "a label that every reader of JSON keeps exactly, below 2^53", row=row, column=column)
        elif kind is not None and type(cell) is kind and isinstance(cell, Label):
            labels.append(cell)
        else:
            expected = "a class: text, true or false, or a whole number"
            expected += f", as in row {first}" if kind and row != first else ""
            faults.add_cell(cell, expected, row=row, column=column)
    classes = len(set(labels))
    if classes > MOST_CLASSES:
        message = f"The target has {classes} different labels; a classifier learns at most {MOST_CLASSES}."
        raise UnsuitableTarget(message, [Fault("fewer classes", got=describe(cells[first]), column=column)])
    return tuple(labels)
