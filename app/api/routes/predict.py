"""`POST /predict`, with the model named in the body or in the path."""

from dataclasses import replace
from typing import Any, NamedTuple

from fastapi import APIRouter, Response

from app.api.answers import as_json
from app.api.bodies import Body, PredictionBody
from app.api.bulk import answer_in_bulk
from app.api.explaining import explained
from app.api.openapi import BareNameInPath, NameInPath, VersionInPath, body_of
from app.api.orders import sent
from app.api.parsing import options_of, parse, parse_rows, parse_settings
from app.api.parts import WORK_OF_A_TABLE, Limits, Parts, PartsOf, work_of
from app.api.patience import Patience, seconds_of
from app.api.predict_schemas import Explanation, Predictions, PredictRequest
from app.api.predictions import require_answerable, require_form, told, wanted_by
from app.api.problems import documented
from app.engine.arrays import Cells
from app.engine.control import GoOn
from app.errors import InvalidRequest, TableTooLarge
from app.faults import Fault
from app.models.model import Model
from app.store.store import Stored
from app.tables.answering import cells_to_answer, rows_in
from app.tables.columns import texts_of
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.plain import PlainRows
from app.tables.table import Table
from app.tables.wanted import answer, answered

AS_TABLES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Answers", "content": {format_.media_types[0]: {"schema": {}} for format_ in FORMATS.values()}}
}
router = APIRouter(
    tags=["predict"], responses=documented(400, 403, 404, 406, 409, 413, 415, 422, 503, 504, 507) | AS_TABLES
)
CELLS_AT_ONCE = 2**20  # of a table that is answered at once, where it is not JSON: a short body may hold a long one
IN_PATH = body_of(PredictRequest, "model")


@router.post("/predict", response_model=Predictions, openapi_extra=body_of(PredictRequest))
async def predict(parts: PartsOf, body: PredictionBody) -> Response:
    """Answer rows with the model that the body names."""
    return await _answer(parts, body, None)


@router.post("/models/{name}/predict", response_model=Predictions, openapi_extra=IN_PATH)
async def predict_with_model(parts: PartsOf, body: PredictionBody, name: NameInPath) -> Response:
    """Answer rows with the version that a model's name means."""
    return await _answer(parts, body, name)


@router.post("/models/{name}/versions/{version}/predict", response_model=Predictions, openapi_extra=IN_PATH)
async def predict_with_version(
    parts: PartsOf, body: PredictionBody, name: BareNameInPath, version: VersionInPath
) -> Response:
    """Answer rows with one version of a model."""
    return await _answer(parts, body, f"{name}/{version}")


async def _answer(parts: Parts, body: Body, in_path: str | None) -> Response:
    if body.format is not None:
        return await _answer_table(parts, body, in_path)
    bounds = parts.limits.bounds
    request, X = await parts.answer(len(body.data), parse_rows, body, bounds)
    stored = await _find(parts, body, request, in_path)
    if X is not None and not PlainRows(stored.model).takes(X):
        request, X = (await parts.answer(len(body.data), parse, PredictRequest, body, bounds)).request, None
    return await _at_once(parts, body, stored, request, X=X)


async def _answer_table(parts: Parts, body: Body, in_path: str | None) -> Response:
    request, settings = parse_settings(PredictRequest, body)
    stored = await _find(parts, body, request, in_path)
    bounds = replace(parts.limits.bounds, cells=min(CELLS_AT_ONCE, parts.limits.bounds.cells))
    options = options_of(body.media_type, body.query, settings, texts=texts_of(stored.model), bounds=bounds)
    table = None if body.file else await parts.answer(len(body.data) * WORK_OF_A_TABLE, _short, body, options)
    is_stream = body.form_of_answer is not None
    numbers = wanted_by(request).numbers(stored.model)
    if table is None or (is_stream and table.rows * numbers > parts.limits.answers):
        return await answer_in_bulk(parts, body, stored, request, options)
    return await _at_once(parts, body, stored, request, table=table)


async def _find(parts: Parts, body: Body, request: PredictRequest, in_path: str | None) -> Stored:
    """Find the one model that is named, and that can answer in the form that is asked for."""
    reference = in_path or request.model
    if reference is None or request.model not in {None, reference}:
        message = "Name one model to answer with, in the body or in the path."
        raise InvalidRequest(message, [Fault('one model\'s name, as in "model": "exam"', field="model")])
    body.caller.require_model(reference)
    stored = await parts.loaded.find(reference)
    require_form(stored.model, body.form_of_answer)
    return stored


def _short(body: Body, options: Options) -> Table | None:
    """Read a table at once; None if it is too long for that, although its body is short."""
    try:
        return FORMATS[str(body.format)].read(body.data, options)
    except TableTooLarge:
        return None


async def _at_once(
    parts: Parts,
    body: Body,
    stored: Stored,
    request: PredictRequest,
    *,
    table: Table | None = None,
    X: Cells | None = None,
) -> Response:
    """Answer a table, or cells that are what the model takes, or else what is in the request."""
    size = len(body.data) * (1 if table is None else WORK_OF_A_TABLE)
    rows = rows_in(sent(request, table), stored.model) if X is None else len(X)
    body.caller.take("rows", rows)
    work = work_of(size, rows, stored.model)
    form, patience = body.form_of_answer, Patience(seconds_of(body.timeout, request.timeout), body.is_left)
    asked = _Asked(stored, request, table, X, form, parts)
    if request.explain:
        if form is not None:
            message = "Explanations are told in JSON. Leave Accept out, or explain."
            raise InvalidRequest(message, [Fault("application/json", got=form, field="accept")])
        body.step_aside()
        return await parts.explain_patiently(patience, _predict, asked)
    return await parts.answer_patiently(patience, work, _predict, asked)


class _Asked(NamedTuple):
    """What a prediction is made of."""

    stored: Stored
    request: PredictRequest
    table: Table | None
    X: Cells | None
    form: str | None
    parts: Parts


def _predict(go_on: GoOn, asked: _Asked) -> Response:
    stored, request, table, X, form, parts = asked
    model, wanted = stored.model, wanted_by(request)
    if X is None:
        X = cells_to_answer(sent(request, table), model)
    require_answerable(model, len(X), wanted, parts.limits.answers)
    if form is None:
        found = answer(model, X, wanted, go_on)
        explanations = _explanations(model, X, parts.limits, go_on) if request.explain else None
        parts.count(stored, X)
        return as_json(told(stored, [found], wanted, explanations), without_nulls=True)
    content = b"".join(FORMATS[form].write([answered(model, X, wanted, go_on)], len(X)))
    parts.count(stored, X)
    headers = {"x-model": f"{stored.name}/{stored.version}"}
    return Response(content, headers=headers, media_type=FORMATS[form].media_types[0])


def _explanations(model: Model, X: Cells, limits: Limits, go_on: GoOn) -> list[Explanation]:
    baseline, rows = explained(model, X, limits, go_on)
    return [Explanation(baseline=baseline, contributions=contributions) for contributions in rows]
