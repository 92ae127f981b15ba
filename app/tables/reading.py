"""Reading: what a request holds, as the rows a model learns from or answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.engine.arrays import Features, Targets
from app.engine.model import TrainingRows
from app.engine.preprocessing import Label
from app.errors import MOST_FAULTS, BadTable, Fault, InvalidRequest, UnsuitableTarget
from app.tables.cells import Faults, closest, count, describe, names
from app.tables.table import LONGEST_NAME, Table, from_arrays, from_records, require_names, require_rows

MOST_CLASSES = 1000
LARGEST_LABEL = 2**53 - 1
LABEL_TYPES = ({str}, {bool}, {int})


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The parts of a request that hold a table, as they came from JSON.

    Either `rows` (objects; or lists, with `columns`) and `target`, or `X` and `y`.
    """

    rows: list[Any] | None = None
    columns: tuple[str, ...] | None = None
    target: str | tuple[str, ...] | None = None
    X: list[Any] | None = None
    y: list[Any] | None = None


def training_rows(sent: Sent, *, wants_labels: bool | None) -> TrainingRows:
    """Read the rows to learn from; the target holds classes if it is all text or all true/false, or as told.

    Raises InvalidRequest where parts are missing, BadTable where the cells do not fit.
    """
    table, targets = _labelled_table(sent)
    features = table.without(targets)
    require_names(features.columns)
    faults = Faults()
    X = features.numbers(faults)
    y = _target(table, targets, faults, wants_labels=wants_labels)
    faults.raise_any("Some cells are not what their column needs.")
    return TrainingRows(features.columns, targets, X, y)


def features_to_answer(sent: Sent, columns: tuple[str, ...], targets: tuple[str, ...]) -> Features:
    """Read the rows to answer, shape (rows, columns), by the names and order the model was trained with.

    Raises InvalidRequest unless exactly one of `rows` and `X` is there, BadTable where they do not fit.
    """
    if (sent.rows is None) == (sent.X is None):
        message = 'Send the rows to answer, as "rows" or as "X".'
        raise InvalidRequest(message, [Fault("exactly one of rows and X", field="rows")])
    rows = sent.rows if sent.X is None else sent.X
    if rows and isinstance(rows[0], dict) and sent.columns is None:
        table = _matching_records(rows, columns, targets)
    else:
        table = _matching_arrays(rows or [], sent.columns or columns, columns)
    faults = Faults()
    X = table.numbers(faults)
    faults.raise_any("Some cells are not what their column needs.")
    return X


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
    table: Table, targets: tuple[str, ...], faults: Faults, *, wants_labels: bool | None
) -> Targets | tuple[Label, ...]:
    answers = table.select(targets)
    if wants_labels is None:
        wants_labels = set(map(type, answers.cells[0])) in ({str}, {bool})
    if not wants_labels:
        return answers.numbers(faults)
    if len(targets) > 1:
        message = "Classes can be learnt for one target at a time. Train one model for each."
        raise UnsuitableTarget(message)
    return _labels(answers.cells[0], targets[0], faults)


def _labels(cells: Sequence[object], column: str, faults: Faults) -> tuple[Label, ...]:
    """Read classes: all text, all true/false or all whole numbers, as the first row has it."""
    kind = type(cells[0]) if {type(cells[0])} in LABEL_TYPES else None
    labels: list[Label] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and len(cell) > LONGEST_NAME:
            faults.add_cell(cell, f"a label of at most {LONGEST_NAME} characters", row=row, column=column)
        elif isinstance(cell, int) and abs(cell) > LARGEST_LABEL:
            faults.add_cell(cell, "a label that every reader of JSON keeps exactly, below 2^53", row=row, column=column)
        elif kind is not None and type(cell) is kind and isinstance(cell, Label):
            labels.append(cell)
        else:
            expected = "a class: text, true or false, or a whole number" + (", as in row 0" if kind and row else "")
            faults.add_cell(cell, expected, row=row, column=column)
    classes = len(set(labels))
    if classes > MOST_CLASSES:
        message = f"The target has {classes} different labels; a classifier learns at most {MOST_CLASSES}."
        raise UnsuitableTarget(message, [Fault("fewer classes", got=describe(cells[0]), column=column)])
    return tuple(labels)
