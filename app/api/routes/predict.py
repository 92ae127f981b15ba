"""`POST /predict`, with the model named in the body or in the path."""

from fastapi import APIRouter, Response

from app.api.answers import as_json, predictions
from app.api.bodies import PredictionBody, parse
from app.api.openapi import NameInPath, VersionInPath, body_of
from app.api.orders import sent
from app.api.parts import Parts, PartsOf
from app.api.problems import documented
from app.api.schemas import Predictions, PredictRequest
from app.errors import Fault, InvalidRequest
from app.store.references import Reference
from app.store.store import Stored
from app.tables.reading import cells_to_answer

router = APIRouter(tags=["predict"], responses=documented(400, 403, 404, 409, 413, 415, 422, 503))
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


async def _answer(parts: Parts, body: bytes, in_path: str | None) -> Response:
    request, _ = await parts.answer(len(body), parse, PredictRequest, body)
    reference = in_path or request.model
    if reference is None or request.model not in {None, reference}:
        message = "Name one model to answer with, in the body or in the path."
        raise InvalidRequest(message, [Fault('one model\'s name, as in "model": "exam"', field="model")])
    stored = await parts.loaded.find(Reference.parse(reference))
    size = len(body) + len(request.rows or request.X or ()) * stored.model.parameters.size // PRODUCTS_PER_BYTE
    return await parts.answer(size, _predict, stored, request, parts.limits.answers)


def _predict(stored: Stored, request: PredictRequest, most_answers: int) -> Response:
    X = cells_to_answer(sent(request), stored.model)
    return as_json(predictions(stored, X, proba=request.proba, most=most_answers), without_nulls=True)
