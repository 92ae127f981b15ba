"""A model comes in: as the file that another netlet gave away, or as a network of another program in ONNX."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.alias_answers import with_aliases
from app.api.alias_schemas import OneVersion
from app.api.allowances import require_model_allowed
from app.api.answers import as_json
from app.api.bodies import ModelBody
from app.api.openapi import BareNameInPath, octets_body
from app.api.parts import Parts, PartsOf
from app.api.patience import PatienceOf
from app.api.problems import documented
from app.export.arriving import take_in
from app.export.onnx_import import Naming, import_onnx
from app.store.arriving import Arrived
from app.store.references import require_name

TAKEN_IN = documented(400, 403, 404, 409, 413, 415, 422, 501, 503, 504, 507) | {
    200: {"model": OneVersion, "description": "It is that version already"}
}


class Names(BaseModel):
    """What the columns, targets and classes of a network are called."""

    model_config = ConfigDict(extra="forbid")

    columns: list[str] = Field(default_factory=list, description="One a column, in order; x1, x2, … if not given.")
    target: list[str] = Field(default_factory=list, description="One an output; y, or y1, y2, … if not given.")
    labels: list[str] = Field(default_factory=list, description="One a class; as the file has them, else 0, 1, ….")


router = APIRouter(prefix="/models", tags=["export"])


@router.put(
    "/{name}/snapshot",
    status_code=201,
    response_model=OneVersion,
    responses=TAKEN_IN,
    openapi_extra=octets_body("application/octet-stream"),
)
async def bring_snapshot(parts: PartsOf, name: BareNameInPath, body: ModelBody, patience: PatienceOf) -> Response:
    """Take a snapshot in, byte for byte, as the model's next version.

    Answers 201 once it is safe on disk, or 200 with the version of the name that these bytes are already.
    """
    require_name(name)
    await require_model_allowed(parts, body.caller, name)
    arrived = await parts.export_patiently(patience, take_in, parts.store, name, body.data)
    return await _answer(parts, name, arrived)


@router.put(
    "/{name}/onnx",
    status_code=201,
    response_model=OneVersion,
    responses=TAKEN_IN,
    openapi_extra=octets_body("application/onnx"),
)
async def bring_onnx(
    parts: PartsOf, name: BareNameInPath, body: ModelBody, naming: Annotated[Names, Query()], patience: PatienceOf
) -> Response:
    """Make a dense network in ONNX the model's next version, as scikit-learn or Keras leave them.

    Answers 201 once it is safe on disk, or 200 with the version that the same file, with the same names, is already.
    """
    require_name(name)
    await require_model_allowed(parts, body.caller, name)
    imported = await parts.export_patiently(
        patience,
        import_onnx,
        parts.store,
        name,
        body.data,
        naming=Naming(tuple(naming.columns), tuple(naming.target), tuple(naming.labels)),
        most_parameters=parts.limits.training.parameters,
    )
    response = await _answer(parts, name, imported.arrived)
    response.headers["x-max-difference"] = repr(imported.difference)
    response.headers["x-checked-rows"], response.headers["x-checked-by"] = str(imported.rows), imported.by
    return response


async def _answer(parts: Parts, name: str, arrived: Arrived) -> Response:
    stored = await parts.loaded.version(name, arrived.version)
    location = f"/models/{name}/versions/{arrived.version}"
    return as_json(await with_aliases(parts, stored), 201 if arrived.is_new else 200, location)
