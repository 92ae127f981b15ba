"""Look inside a model: trace a row, check the derivative, see what moves answers, and what would change one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.api.answers import as_json
from app.api.bodies import Body, OctetsBody
from app.api.inside import counterfactual, gradient_checked, important, rows_like, traced
from app.api.inside_schemas import (
    CounterfactualAnswer,
    CounterfactualRequest,
    GradientCheckAnswer,
    GradientCheckRequest,
    ImportanceAnswer,
    TraceAnswer,
    TraceRequest,
    VerificationAnswer,
)
from app.api.named import meant, one_version
from app.api.openapi import json_body
from app.api.orders import sent
from app.api.parsing import parse_object
from app.api.parts import FELT, Parts, PartsOf
from app.api.patience import Patience, PatienceOf
from app.api.problems import documented
from app.api.retraining import compared, order_again
from app.engine.control import GoOn
from app.jobs.retraining import retrained
from app.store.store import Stored

ASKED = documented(400, 403, 404, 409, 413, 415, 422, 503, 504)
VERIFIED = documented(403, 404, 409, 422, 429, 503, 504, 507)
LOOKED = documented(404, 409, 413, 422, 503, 504)
VERSION = "/{name}/versions/{version}"

router = APIRouter(prefix="/models", tags=["models"])


@router.post("/{name}/trace", response_model=TraceAnswer, responses=ASKED, openapi_extra=json_body(TraceRequest))
async def model_trace(
    parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Give every number of a row's way through the networks, and of the way back where its true answer is known."""
    return await _trace(parts, stored, body, patience)


@router.post(VERSION + "/trace", response_model=TraceAnswer, responses=ASKED, openapi_extra=json_body(TraceRequest))
async def version_trace(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Give every number of a row's way through the networks, and of the way back where its true answer is known."""
    return await _trace(parts, stored, body, patience)


@router.post(
    "/{name}/gradcheck",
    response_model=GradientCheckAnswer,
    responses=ASKED,
    openapi_extra=json_body(GradientCheckRequest),
)
async def model_gradcheck(
    parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Compare backpropagation with finite differences of the loss, on rows with their true answers."""
    return await _gradcheck(parts, stored, body, patience)


@router.post(
    VERSION + "/gradcheck",
    response_model=GradientCheckAnswer,
    responses=ASKED,
    openapi_extra=json_body(GradientCheckRequest),
)
async def version_gradcheck(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Compare backpropagation with finite differences of the loss, on rows with their true answers."""
    return await _gradcheck(parts, stored, body, patience)


@router.post(
    "/{name}/counterfactual",
    response_model=CounterfactualAnswer,
    responses=ASKED,
    openapi_extra=json_body(CounterfactualRequest),
)
async def model_counterfactual(
    parts: PartsOf, stored: Annotated[Stored, Depends(meant)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Find the nearest row, within what the model was trained on, that is answered as is wanted."""
    return await _counterfactual(parts, stored, body, patience)


@router.post(
    VERSION + "/counterfactual",
    response_model=CounterfactualAnswer,
    responses=ASKED,
    openapi_extra=json_body(CounterfactualRequest),
)
async def version_counterfactual(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], body: OctetsBody, patience: PatienceOf
) -> Response:
    """Find the nearest row, within what the model was trained on, that is answered as is wanted."""
    return await _counterfactual(parts, stored, body, patience)


@router.get("/{name}/importance", response_model=ImportanceAnswer, responses=LOOKED)
async def model_importance(parts: PartsOf, stored: Annotated[Stored, Depends(meant)], patience: PatienceOf) -> Response:
    """Tell how much each column moves answers, on rows that the model was trained on, the most important first."""
    return as_json(await parts.explain_patiently(patience, important, stored))


@router.get(VERSION + "/importance", response_model=ImportanceAnswer, responses=LOOKED)
async def version_importance(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], patience: PatienceOf
) -> Response:
    """Tell how much each column moves answers, on rows that the model was trained on, the most important first."""
    return as_json(await parts.explain_patiently(patience, important, stored))


@router.post("/{name}/verify", response_model=VerificationAnswer, responses=VERIFIED)
async def verify_model(parts: PartsOf, stored: Annotated[Stored, Depends(meant)], patience: PatienceOf) -> Response:
    """Train the version that the name means again, from its record and its dataset, and compare what came of it."""
    return await _verify(parts, stored, patience)


@router.post(VERSION + "/verify", response_model=VerificationAnswer, responses=VERIFIED)
async def verify_version(
    parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], patience: PatienceOf
) -> Response:
    """Train one version again, from its record and its dataset, and compare what came of it."""
    return await _verify(parts, stored, patience)


async def _verify(parts: Parts, stored: Stored, patience: Patience) -> Response:
    order = await parts.read_table(FELT, order_again, stored, parts.limits, parts.datasets, parts.store)
    patience.go_on()
    with parts.given_up():
        try:
            weights = await retrained(parts.jobs, order, patience.watch(), patience.seconds)
        finally:
            patience.go_on()
    return as_json(compared(stored, weights))


async def _trace(parts: Parts, stored: Stored, body: Body, patience: Patience) -> Response:
    asked = parse_object(TraceRequest, body, parts.limits.bounds)

    def work(_go_on: GoOn) -> Response:
        return as_json(traced(stored, asked, parts.limits.answers), without_nulls=True)

    return await parts.explain_patiently(patience, work)


async def _gradcheck(parts: Parts, stored: Stored, body: Body, patience: Patience) -> Response:
    asked = parse_object(GradientCheckRequest, body, parts.limits.bounds)

    def work(go_on: GoOn) -> Response:
        return as_json(gradient_checked(go_on, stored, rows_like(stored.model, sent(asked, None))))

    return await parts.explain_patiently(patience, work)


async def _counterfactual(parts: Parts, stored: Stored, body: Body, patience: Patience) -> Response:
    asked = parse_object(CounterfactualRequest, body, parts.limits.bounds)
    return as_json(await parts.explain_patiently(patience, counterfactual, stored, asked))
