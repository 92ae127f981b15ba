"""Reading: what a request holds, as the rows a model learns from or answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.engine.arrays import Row
from app.errors import BadTable, InvalidRequest
from app.faults import MOST_FAULTS, Fault
from app.models.model import Model
from app.models.table import Column, Label, Source, TrainingRows
from app.tables.answered import IN_RANGE
from app.tables.answering import UNFIT, known_cells, require_same
from app.tables.cells import Faults, closest, count, names
from app.tables.columns import learn, read, require_short, sources_of, with_examples
from app.tables.draws import DatasetFile
from app.tables.kinds import kind_of
from app.tables.raw import RawColumn
from app.tables.sent import Sent
from app.tables.summaries import ColumnSummary
from app.tables.table import Table, from_arrays, from_records, require_distinct, require_names, require_rows
from app.tables.targets import LABEL_KINDS, read_targets, require_few_classes

FEW = 20  # rows of a rare class, or that weigh where few do: the half of them at most, to judge by
TRAIN_ANEW = " Send these and the target, or train a new model with POST /train."


def sent_to(model: Model, sent: Sent) -> Sent:
    """Say of a table what the model that goes on learning from it knows; raise InvalidRequest for another target."""
    given = (sent.target,) if isinstance(sent.target, str) else sent.target
    if given not in {None, model.targets}:
        message = (
            f"The model has learnt {names(model.targets)}. Leave target out, or train a new model with POST /train."
        )
        raise InvalidRequest(message, [Fault("the model's own", got=names(given), field="target")])
    own = tuple(source.name for source in sources_of(model))
    columns = own if sent.X is not None and sent.columns is None else sent.columns
    return replace(sent, like=model, target=model.targets, columns=columns)


def training_rows(sent: Sent, *, task: str | None, wants_labels: bool | None) -> TrainingRows:
    """Read the rows to learn from; the target holds classes if it is all text or all true/false, or as told.

    Raises InvalidRequest where parts are missing, BadTable where the cells do not fit, or all rows weigh 0.
    """
    rows = _rows(sent, task, wants_labels)
    if rows.weights is not None and not rows.weights.any():
        raise _no_row_counts(sent.weight or "weights")
    return rows


def _rows(sent: Sent, task: str | None, wants_labels: bool | None) -> TrainingRows:  # noqa: FBT001 - as a recipe has it
    """Read rows, whatever they weigh."""
    table, targets = labelled_table(sent)
    faults = Faults()
    weights, table = _weights(sent, table, targets, faults)
    if sent.like is not None:
        rows = replace(_rows_like(sent.like, table, faults), weights=weights)
        faults.raise_any(UNFIT)
        return rows
    features = table.without(targets)
    require_names(features.columns)
    require_known(sent.kinds, (*features.columns, *targets))
    raw = [features.column(name) for name in features.columns]
    learnt = [learn(column, faults, sent.kinds.get(column.name)) for column in raw]
    columns = tuple(column for one in learnt for column in one.columns)
    require_short(columns)
    require_names([column.name for column in columns])  # a date's parts have names too
    answers = [table.column(name) for name in targets]
    kinds = _kinds_of(answers, sent)
    y, multilabel = read_targets(answers, kinds, faults, task=task, wants_labels=wants_labels)
    faults.raise_any(UNFIT)
    X = np.concatenate([one.values for one in learnt], axis=1)
    return TrainingRows(columns, targets, X, y, weights, multilabel, with_examples(learnt, raw))


def _rows_like(model: Model, table: Table, faults: Faults) -> TrainingRows:
    """Read rows whose columns are a model's, as it knows them; raise BadTable where they are others."""
    sources, targets = sources_of(model), model.targets
    features, task = table.without(targets), str(model.recipe.task)
    require_same(features.columns, tuple(source.name for source in sources), remedy=TRAIN_ANEW)
    X = known_cells(features, sources, model.columns, faults, may_miss=model.missing)
    answers = [table.column(name) for name in targets]
    kinds = _kinds_like(model, answers)
    y, multilabel = read_targets(answers, kinds, faults, task=task, wants_labels=bool(model.labels))
    return TrainingRows(model.columns, targets, X, y, None, multilabel, sources)


def _kinds_like(model: Model, answers: Sequence[RawColumn]) -> list[str]:
    """Tell the kinds of targets as the model has them."""
    if model.labels:
        return [LABEL_KINDS[type(model.labels[0])]]
    return ["number"] * len(answers) if model.recipe.task == "regression" else _kinds_of(answers, Sent())


@dataclass(frozen=True)
class Likeness:
    """How more rows of a table are read: as some of them were that are at hand."""

    at_hand: TrainingRows
    sent: Sent
    """All but the table."""
    kinds: Sequence[str]
    """Of the targets."""
    task: str | None
    wants_labels: bool | None

    @classmethod
    def of(cls, sent: Sent, task: str | None, wants_labels: bool | None) -> "Likeness":  # noqa: FBT001 - as a recipe has it
        """Read the rows at hand, which may all weigh 0; raise as `training_rows` does."""
        at_hand = _rows(sent, task, wants_labels)
        table, targets = labelled_table(sent)
        answers = [table.column(name) for name in targets]
        kinds = _kinds_of(answers, sent) if sent.like is None else _kinds_like(sent.like, answers)
        return cls(at_hand, replace(sent, table=None, like=None), kinds, task, wants_labels)

    def described(self, summaries: Iterable[ColumnSummary]) -> "Likeness":
        """Say of the columns what summaries of all rows do, where these take them for the same."""
        known = {summary.name: summary for summary in summaries}
        sources = tuple(_described(source, known[source.name]) for source in self.at_hand.sources)
        return replace(self, at_hand=replace(self.at_hand, sources=sources))

    def others(self, file: DatasetFile) -> dict[int, list[int]]:
        """Find some rows of each class that none at hand has, and some that weigh if none does: by group, their places.

        Raises UnsuitableTarget for more classes than can be learnt, BadTable if no row of the file weighs more than 0.
        """
        several: dict[int, list[int]] = {}
        for places in (*self._of_other_classes(file), self._of_some_weight(file)):
            for group, place in places[::2][:FEW]:
                several.setdefault(group, []).append(place)
        return several

    def _of_other_classes(self, file: DatasetFile) -> Iterable[list[tuple[int, int]]]:
        if not isinstance(self.at_hand.y, tuple):
            return ()
        known, (target,) = set(self.at_hand.y), self.at_hand.targets
        found: dict[Label, list[tuple[int, int]]] = {}
        for group in range(len(file.sizes)):
            column = RawColumn(target, file.group(group, [target]).column(0))
            labels, _ = read_targets([column], self.kinds, Faults(), task=self.task, wants_labels=self.wants_labels)
            if set(labels) <= known:
                continue
            for place, label in ((place, label) for place, label in enumerate(labels) if label not in known):
                found.setdefault(label, []).append((group, place))
            require_few_classes([*known, *found], column)
        return found.values()

    def _of_some_weight(self, file: DatasetFile) -> list[tuple[int, int]]:
        name, weights = self.sent.weight, self.at_hand.weights
        if name is None or weights is None or weights.any():
            return []
        found: list[tuple[int, int]] = []
        faults = Faults()
        for group, size in enumerate(file.sizes):
            weights = _read_weights(RawColumn(name, file.group(group, [name]).column(0)), faults)
            found += [(group, place) for place in np.flatnonzero(weights > 0)[: 2 * FEW].tolist()]
            faults.before += size
        if not found:
            faults.raise_any(UNFIT)
            raise _no_row_counts(name)
        return found

    def read(self, table: Table, faults: Faults) -> TrainingRows:
        """Read more rows; what does not fit goes to `faults`. What a category had not at hand is UNSEEN."""
        sent, at_hand = replace(self.sent, table=table), self.at_hand
        table, targets = labelled_table(sent)
        weights, table = _weights(sent, table, targets, faults)
        own = {column.name for column in at_hand.columns}
        X = known_cells(table, at_hand.sources, at_hand.columns, faults, may_miss=own)
        answers = [table.column(name) for name in targets]
        y, _ = read_targets(answers, self.kinds, faults, task=self.task, wants_labels=self.wants_labels)
        return replace(at_hand, X=X, y=y, weights=weights)


def require_known(stated: Iterable[str], columns: Sequence[str]) -> None:
    """Raise BadTable for kinds that are stated of columns which are not there."""
    if unknown := [name for name in stated if name not in columns]:
        message = f"Kinds are stated of columns that are not there; those are: {names(columns)}."
        faults = [Fault("one of the columns", column=name, field="kinds") for name in unknown[:MOST_FAULTS]]
        raise BadTable(message, faults, len(unknown))


def _described(source: Source, summary: ColumnSummary) -> Source:
    source = replace(source, missing=summary.missing_share)
    if {source.kind, summary.kind} <= {"number", "integer"} or source.kind == summary.kind == "date":
        return replace(source, kind=summary.kind, lowest=summary.lowest, highest=summary.highest)
    if source.kind == summary.kind and source.levels == summary.level_count:
        return replace(source, frequent=summary.frequent or ())
    return source


def _kinds_of(columns: Sequence[RawColumn], sent: Sent) -> list[str]:
    """Tell the kinds of targets, for which whole numbers are numbers."""
    kinds = [sent.kinds.get(column.name) or kind_of(column) for column in columns]
    return ["number" if kind == "integer" else kind for kind in kinds]


def _weights(sent: Sent, table: Table, targets: tuple[str, ...], faults: Faults) -> tuple[Row | None, Table]:
    """Take out how much each row counts, and give the table without it."""
    if sent.weights is not None and sent.weight is not None:
        message = "Weights are a column of the rows or a list, not both."
        raise InvalidRequest(message, [Fault("exactly one of weight and weights", field="weights")])
    if sent.weights is not None:
        column = RawColumn("weights", sent.weights, typed=True)
        if len(sent.weights) != table.rows:
            message = f"There are {count(table.rows, 'row')} and {count(len(sent.weights), 'weight')}."
            raise BadTable(message, [Fault(count(table.rows, "weight"), got=str(len(sent.weights)), field="weights")])
    elif sent.weight is not None:
        if sent.weight in targets or sent.weight not in table.columns:
            message = f"The weight is a column of its own, of the rows, which are: {names(table.columns)}."
            instead = closest(sent.weight, table.columns)
            raise BadTable(message, [Fault("another column", column=sent.weight, field="weight", instead=instead)])
        column = table.column(sent.weight)
        table = table.without((sent.weight,))
    else:
        return None, table
    return _read_weights(column, faults), table


def _read_weights(column: RawColumn, faults: Faults) -> Row:
    weights: Row = np.nan_to_num(read(column, "number", Column(column.name), faults, required="a number"))
    expected = "a number that is not negative"
    faults.add_cells(column.cell, np.flatnonzero(weights < 0), lambda _row: expected, column=column.name)
    return weights


def _no_row_counts(weight: str) -> BadTable:
    message = "All weights are 0, so that no row counts."
    return BadTable(message, [Fault("a number above 0", row=0, column=weight)])


def _from_rows(sent: Sent) -> Table:
    rows = sent.rows or []
    return from_records(rows) if sent.columns is None else from_arrays(rows, sent.columns)


def labelled_table(sent: Sent) -> tuple[Table, tuple[str, ...]]:
    """Bring all forms of a table with a target to one."""
    if (sent.rows is not None or sent.table is not None) and sent.X is None and sent.y is None:
        if sent.target is None:
            message = "Name the column to be learnt."
            raise InvalidRequest(message, [Fault('a column\'s name, as in "target": "score"', field="target")])
        targets = (sent.target,) if isinstance(sent.target, str) else sent.target
        table = sent.table or _from_rows(sent)
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
    table = Table((*features.columns, *targets), [*features.cells, *answers.cells], typed=True)
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
    require_distinct(columns)
    if IN_RANGE in targets:
        message = f"Answers tell in {IN_RANGE} whether a row is like the trained ones. Call the target another name."
        raise BadTable(message, [Fault("another name", column=IN_RANGE, field="target")])
    known = set(columns)
    unknown = [name for name in targets if name not in known]
    if unknown:
        message = f"The target is not a column of the rows, which are: {names(columns)}."
        faults = [
            Fault("one of the columns", column=name, field="target", instead=closest(name, columns))
            for name in unknown[:MOST_FAULTS]
        ]
        raise BadTable(message, faults, len(unknown))
