"""Answering: rows as a model knows its columns, in whatever form and order they were sent."""

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from app.engine.arrays import Cells
from app.errors import BadTable, InvalidRequest
from app.faults import MOST_FAULTS, Fault
from app.models.model import Model
from app.models.table import Column, Source
from app.tables.cells import Faults, closest, names
from app.tables.columns import answer, sources_of
from app.tables.plain import PlainRows
from app.tables.sent import Sent
from app.tables.table import Table, from_arrays, from_records, require_rows

UNFIT = "Some cells are not what their column needs."


def cells_to_answer(sent: Sent, model: Model) -> Cells:
    """Read the rows to answer, shape (rows, columns), by the names and order the model was trained with.

    Raises InvalidRequest unless exactly one of `table`, `rows` and `X` is there, BadTable where they do not fit.
    """
    faults = Faults()
    cells = read_cells(sent, model, faults)
    faults.raise_any(UNFIT)
    return cells


def rows_in(sent: Sent, model: Model) -> int:
    """Count the rows to answer; a bare list of values is one, but where there is one column."""
    if sent.table is not None:
        return sent.table.rows
    rows: Sequence[Any] = sent.rows or sent.X or ()
    is_bare = bool(rows) and not isinstance(rows[0], list | dict)
    return 1 if is_bare and len(sent.columns or sources_of(model)) > 1 else len(rows)


def read_cells(sent: Sent, model: Model, faults: Faults) -> Cells:
    """Read the rows to answer; what does not fit goes to `faults`; for all else it raises as `cells_to_answer`."""
    if sum(part is not None for part in (sent.table, sent.rows, sent.X)) != 1:
        message = 'Send the rows to answer, as "rows" or as "X".'
        raise InvalidRequest(message, [Fault("exactly one of rows and X", field="rows")])
    plain, rows = PlainRows(model), sent.X if sent.rows is None else sent.rows
    if rows and sent.columns is None and not (sent.rows is None and isinstance(rows[0], dict)):
        X = plain.rows(rows)
        if X is not None:
            return X
    sources = sources_of(model)
    table = _matching(sent, tuple(source.name for source in sources), model.targets)
    X = plain.columns(table.cells)
    if X is not None:
        return X
    return known_cells(table, sources, model.columns, faults, may_miss=model.missing)


def known_cells(
    table: Table, sources: Sequence[Source], columns: Sequence[Column], faults: Faults, may_miss: Container[str]
) -> Cells:
    """Read columns as a model knows them, shape (rows, columns); what does not fit goes to `faults`."""
    known = {column.name: column for column in columns}
    values = [
        answer(
            table.column(source.name),
            source,
            [known[name] for name in source.columns],
            faults,
            missing=source.columns[0] in may_miss,
        )
        for source in sources
    ]
    return np.concatenate(values, axis=1)


def _matching(sent: Sent, columns: tuple[str, ...], targets: tuple[str, ...]) -> Table:
    """Give what was sent with the columns of a model, in their order, whatever order they came in."""
    if sent.X is not None:
        table = from_arrays(sent.X, sent.columns or columns, typed=True)
    elif sent.table is not None:
        require_rows(range(sent.table.rows))
        table = sent.table
    elif sent.rows and isinstance(sent.rows[0], dict) and sent.columns is None:
        if not sent.ignore_extra:
            _require_no_target(tuple(sent.rows[0]), targets)
        return from_records(sent.rows, columns, ignore_extra=sent.ignore_extra)
    else:
        table = from_arrays(sent.rows or [], sent.columns or columns)
    if not sent.ignore_extra:
        _require_no_target(table.columns, targets)
    require_same(table.columns, columns, ignore_extra=sent.ignore_extra)
    return table.select(columns)


def _require_no_target(given: tuple[str, ...], targets: tuple[str, ...]) -> None:
    if there := [name for name in targets if name in given]:
        message = f"The rows hold {names(targets)}, which is what the model predicts. Leave it out, or ignore_extra."
        raise BadTable(message, [Fault("no such column", row=0, column=name) for name in there])


def require_same(
    given: tuple[str, ...], columns: tuple[str, ...], *, ignore_extra: bool = False, remedy: str = ""
) -> None:
    """Raise BadTable for columns that are not a model's, are there twice, or not there."""
    known, sent = set(columns), set(given)
    extra = [] if ignore_extra else [name for name in given if name not in known]
    faults = [Fault("no such column", column=name, instead=closest(name, columns)) for name in extra[:MOST_FAULTS]]
    faults += [Fault("this column too", got="nothing", column=name) for name in columns if name not in sent]
    faults += [Fault("each column once", column=name) for name, times in Counter(given).items() if times > 1]
    if faults:
        message = f"The columns are not those of the model: {names(columns)}.{remedy}"
        raise BadTable(message, faults[:MOST_FAULTS], len(faults) + len(extra[MOST_FAULTS:]))
