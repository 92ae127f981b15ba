"""`POST /predict`, with the model named in the body or in the path."""

from dataclasses import replace

from fastapi import APIRouter, Response

from app.api.answers import as_json, numbers_in, predictions, require_answerable, require_form
from app.api.bodies import Body, PredictionBody
from app.api.bulk import answer_in_bulk
from app.api.openapi import NameInPath, VersionInPath, body_of
from app.api.orders import sent
from app.api.parsing import options_of, parse, parse_rows, parse_settings
from app.api.parts import WORK_OF_A_TABLE, Parts, PartsOf, work_of
from app.api.patience import Patience, seconds_of
from app.api.problems import documented
from app.api.schemas import Predictions, PredictRequest
from app.engine.arrays import Cells
from app.engine.control import GoOn
from app.errors import InvalidRequest, TableTooLarge
from app.faults import Fault
from app.store.store import Stored
from app.tables.answered import answered
from app.tables.answering import cells_to_answer
from app.tables.columns import texts_of
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.plain import PlainRows
from app.tables.table import Table

router = APIRouter(tags=["predict"], responses=documented(400, 403, 404, 406, 409, 413, 415, 422, 503, 504, 507))
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
    parts: PartsOf, body: PredictionBody, name: NameInPath, version: VersionInPath
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
    if table is None or (is_stream and numbers_in(stored.model, table.rows) > parts.limits.answers):
        return await answer_in_bulk(parts, body, stored, request, options)
    return await _at_once(parts, body, stored, request, table=table)


async def _find(parts: Parts, body: Body, request: PredictRequest, in_path: str | None) -> Stored:
    """Find the one model that is named, and that can answer in the form that is asked for."""
    reference = in_path or request.model
    if reference is None or request.model not in {None, reference}:
        message = "Name one model to answer with, in the body or in the path."
        raise InvalidRequest(message, [Fault('one model\'s name, as in "model": "exam"', field="model")])
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
    size, rows = len(body.data), len(request.rows or request.X or ())
    if table is not None:
        size, rows = size * WORK_OF_A_TABLE, table.rows
    elif X is not None:
        rows = len(X)
    work = work_of(size, rows, stored.model)
    most, form = parts.limits.answers, body.form_of_answer
    patience = Patience(seconds_of(body.timeout, request.timeout), body.is_left)
    return await parts.answer_patiently(
        patience, work, _predict, stored, request, table=table, X=X, form=form, most=most
    )


def _predict(
    go_on: GoOn,
    stored: Stored,
    request: PredictRequest,
    *,
    table: Table | None,
    X: Cells | None,
    form: str | None,
    most: int,
) -> Response:
    model = stored.model
    if X is None:
        X = cells_to_answer(sent(request, table), model)
    if form is None:
        return as_json(predictions(stored, X, proba=request.proba, most=most, go_on=go_on), without_nulls=True)
    require_answerable(model, len(X), proba=request.proba, most=most)
    content = b"".join(FORMATS[form].write([answered(model, X, proba=request.proba, go_on=go_on)], len(X)))
    headers = {"x-model": f"{stored.name}/{stored.version}"}
    return Response(content, headers=headers, media_type=FORMATS[form].media_types[0])
