"""Rows as TensorFlow Serving and MLflow take them, answered as they answer."""

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from app.api.bodies import Body
from app.api.explaining import explained
from app.api.parts import WORK_OF_A_TABLE, Limits, Parts, work_of
from app.api.patience import Patience, seconds_of
from app.api.predictions import require_answerable
from app.engine.control import GoOn
from app.errors import InvalidRequest
from app.faults import Fault
from app.protocols.answering import as_json
from app.store.store import Stored
from app.tables.answered import in_words
from app.tables.answering import cells_to_answer, rows_in
from app.tables.bounds import Bounds
from app.tables.cells import describe
from app.tables.columns import texts_of
from app.tables.formats import FORMATS
from app.tables.json_text import parse
from app.tables.options import Options
from app.tables.sent import Sent
from app.tables.table import Table
from app.tables.wanted import Wanted

ROWS = ("instances", "inputs", "dataframe_records", "dataframe_split")
BESIDE = {"signature_name", "params", "parameters", "id"}  # what these servers' clients may say, and mean nothing here


async def predictions(parts: Parts, body: Body, stored: Stored, names: Sequence[str] = ROWS) -> Response:
    """Answer the rows of a body: JSON that has them under one of these names, or a table in a format of its own."""
    patience = Patience(seconds_of(body.timeout), body.is_left)
    size = _size_of(body)
    sent = await parts.answer(size, _sent, body, stored, names, parts.limits.bounds)
    rows = rows_in(sent, stored.model)
    body.caller.take("rows", rows)
    work = work_of(size, rows, stored.model)
    return await parts.answer_patiently(patience, work, _predicted, sent, stored, parts)


async def explanations(parts: Parts, body: Body, stored: Stored, names: Sequence[str] = ROWS) -> Response:
    """Tell for each row what each column adds to its answer; as many answers are computed as `evaluations` says."""
    patience = Patience(seconds_of(body.timeout), body.is_left)
    sent = await parts.answer(_size_of(body), _sent, body, stored, names, parts.limits.bounds)
    body.caller.take("rows", rows_in(sent, stored.model))
    return await parts.explain_patiently(patience, _explained, sent, stored, parts.limits)


def _size_of(body: Body) -> int:
    return len(body.data) * (1 if body.format is None else WORK_OF_A_TABLE)


def _predicted(go_on: GoOn, sent: Sent, stored: Stored, parts: Parts) -> Response:
    model = stored.model
    X = cells_to_answer(sent, model)
    require_answerable(model, len(X), Wanted(), parts.limits.answers)
    answers = in_words(model, model.scores(X, go_on))
    parts.count(stored, X)
    return as_json({"predictions": answers})


def _explained(go_on: GoOn, sent: Sent, stored: Stored, limits: Limits) -> Response:
    model = stored.model
    X = cells_to_answer(sent, model)
    shares = explained(model, X, limits, go_on)
    answers = in_words(model, model.scores(X, go_on))
    told = [
        {"prediction": answer, "baseline": shares.baseline, "contributions": contributions}
        for answer, contributions in zip(answers, shares.contributions, strict=True)
    ]
    return as_json({"explanations": told})


def _sent(body: Body, stored: Stored, names: Sequence[str], bounds: Bounds) -> Sent:
    if body.format is not None:
        texts = texts_of(stored.model)
        return Sent(table=FORMATS[body.format].read(body.data, Options(texts=texts, bounds=bounds)))
    given = parse(body.data)
    bounds.require_json(given, body.data)
    if not isinstance(given, dict):
        raise _misfit(given, "an object")
    there = [name for name in names if name in given]
    unknown = sorted(given.keys() - BESIDE - set(there))
    if len(there) != 1 or unknown:
        message = f"Send the rows as one of: {', '.join(names)}."
        raise InvalidRequest(message, [Fault("one of them", got=", ".join(unknown or there)[:40], field="body")])
    return _rows(there[0], given[there[0]], bounds)


def _rows(name: str, given: object, bounds: Bounds) -> Sent:
    """Take rows, or columns where these are given by name."""
    columns: list[str] | None = None
    if name == "dataframe_split":
        if not isinstance(given, dict) or not {"columns", "data"} <= given.keys() <= {"columns", "data", "index"}:
            raise _misfit(given, '{"columns": […], "data": [[…], …]}', name)
        columns, given = given["columns"], given["data"]
        if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
            raise _misfit(columns, "a list of names", f"{name}.columns")
    if isinstance(given, dict):
        return Sent(table=_table(name, given, bounds))
    if not isinstance(given, list):
        raise _misfit(given, "a list of rows", name)
    bounds.require_json({"rows": given}, b"")
    return Sent(rows=given, columns=None if columns is None else tuple(columns))


def _table(name: str, given: dict[str, Any], bounds: Bounds) -> Table:
    """Take columns by name, all as long."""
    cells = [values if isinstance(values, list) else [values] for values in given.values()]
    lengths = {len(values) for values in cells}
    if len(lengths) != 1:
        raise _misfit(given, "columns that are all as long", name)
    bounds.require_few(lengths.pop(), len(cells))
    flat = [
        [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values] for values in cells
    ]
    return Table(tuple(given), flat)


def _misfit(got: object, expected: str, field: str = "body") -> InvalidRequest:
    return InvalidRequest(
        f"The {field} is not what rows are sent as.", [Fault(expected, got=describe(got), field=field)]
    )
