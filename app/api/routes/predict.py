"""`POST /predict`, with the model named in the body or in the path."""

from fastapi import APIRouter, Response

from app.api.answers import as_json, predictions, require_answerable
from app.api.bodies import Body, PredictionBody
from app.api.openapi import NameInPath, VersionInPath, body_of
from app.api.orders import sent
from app.api.parsing import Parsed, parse
from app.api.parts import Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import Predictions, PredictRequest
from app.errors import Fault, InvalidRequest
from app.store.references import Reference
from app.store.store import Stored
from app.tables.answered import answered
from app.tables.formats import FORMATS
from app.tables.reading import cells_to_answer

router = APIRouter(tags=["predict"], responses=documented(400, 403, 404, 406, 409, 413, 415, 422, 503))
PRODUCTS_PER_BYTE = 16  # multiplications that take as long as reading a byte of JSON
IN_PATH = body_of(PredictRequest, "model")


@router.post("/predict", response_model=Predictions, openapi_extra=body_of(PredictRequest))
async def predict(parts: PartsOf, body: PredictionBody) -> Response:
    """Answer rows with the model that the body names."""
    return await _answer(parts, body, None)


@router.post("/models/{name}/predict", response_model=Predictions, openapi_extra=IN_PATH)
async def predict_with_model(parts: PartsOf, body: PredictionBody, name: NameInPath) -> Response:
    """Answer rows with the newest version of a model."""
    return await _answer(parts, body, name)


@router.post("/models/{name}/versions/{version}/predict", response_model=Predictions, openapi_extra=IN_PATH)
async def predict_with_version(
    parts: PartsOf, body: PredictionBody, name: NameInPath, version: VersionInPath
) -> Response:
    """Answer rows with one version of a model."""
    return await _answer(parts, body, f"{name}/{version}")


async def _answer(parts: Parts, body: Body, in_path: str | None) -> Response:
    parsed = await parts.answer(len(body.data), parse, PredictRequest, body, most_cells=parts.limits.cells)
    reference = in_path or parsed.request.model
    if reference is None or parsed.request.model not in {None, reference}:
        message = "Name one model to answer with, in the body or in the path."
        raise InvalidRequest(message, [Fault('one model\'s name, as in "model": "exam"', field="model")])
    stored = await parts.loaded.find(Reference.parse(reference))
    rows = parsed.table.rows if parsed.table else len(parsed.request.rows or parsed.request.X or ())
    size = len(body.data) + rows * stored.model.parameters.size // PRODUCTS_PER_BYTE
    return await parts.answer(size, _predict, stored, parsed, body.form_of_answer, parts.limits.answers)


def _predict(stored: Stored, parsed: Parsed[PredictRequest], form: str | None, most: int) -> Response:
    request, model = parsed.request, stored.model
    X = cells_to_answer(sent(request, parsed.table), model)
    if form is None:
        return as_json(predictions(stored, X, proba=request.proba, most=most), without_nulls=True)
    require_answerable(model, len(X), proba=request.proba, most=most)
    content = FORMATS[form].write(answered(model, X, proba=request.proba))
    headers = {"x-model": f"{stored.name}/{stored.version}"}
    return Response(content, headers=headers, media_type=FORMATS[form].media_types[0])
