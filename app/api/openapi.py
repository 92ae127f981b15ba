"""OpenAPI for what FastAPI does not see: bodies that the routes read themselves, and problems."""

from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import FastAPI, Path
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.access import scope_of
from app.api.alias_schemas import AliasRequest, RollbackRequest, RuleRequest
from app.api.inside_schemas import CounterfactualRequest, GradientCheckRequest, TraceRequest
from app.api.predict_schemas import PredictRequest
from app.api.problems import documented
from app.api.queries import parameters, references_to_parameters
from app.api.schemas import TUTORIAL_ROWS, ContinueRequest, Problem, TrainRequest, UploadSettings
from app.tables.formats import FORMATS

if TYPE_CHECKING:
    from app.docstrings import Described

READ_BY_ROUTES = (
    TrainRequest,
    ContinueRequest,
    PredictRequest,
    AliasRequest,
    RollbackRequest,
    RuleRequest,
    TraceRequest,
    GradientCheckRequest,
    CounterfactualRequest,
)
READ_FROM_THE_ADDRESS = (TrainRequest, ContinueRequest, PredictRequest, UploadSettings)
SCHEMAS = [(Problem, "serialization"), *((schema, "validation") for schema in READ_BY_ROUTES)]
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `netlet keys create`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}
NameInPath = Annotated[str, Path(description="The model's name.", examples=["exam"])]
AliasInPath = Annotated[str, Path(description="The alias.", examples=["live"])]
VersionInPath = Annotated[str, Path(description="The version's number.", examples=["1"])]


def body_of(schema: type[BaseModel], *left_out: str) -> dict[str, Any]:
    """Describe a JSON body of this schema, and a table with the settings in the address instead.

    The example goes without the fields that the path already gives.
    """
    example = _example_of(schema)
    for field in left_out:
        del example[field]
    body: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}, "example": example}
    tables: dict[str, Any] = {format_.media_types[0]: {"schema": {}} for format_ in FORMATS.values()}
    return {
        "requestBody": {"required": True, "content": {"application/json": body} | tables},
        "parameters": references_to_parameters(schema, *left_out),
    }


def json_body(schema: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Describe a body that is JSON of this schema and nothing else."""
    content = {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}, "example": _example_of(schema)}
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


def octets_body(media_type: str) -> dict[str, Any]:
    """Describe a body that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


def upload_body() -> dict[str, Any]:
    """Describe a table in any format, and what the address may say of it."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {"application/json": {"schema": {"type": ["array", "object"]}, "example": TUTORIAL_ROWS}}
    content |= {format_.media_types[0]: binary for format_ in FORMATS.values()}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": references_to_parameters(UploadSettings),
    }


def describe(app: FastAPI, *more: type[BaseModel]) -> None:
    """Make the application's OpenAPI document complete, with more schemas; it is made once, when first asked for."""
    schemas = [*SCHEMAS, *((schema, "validation") for schema in more)]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, added = models_json_schema(schemas, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # the literals are modes
            document["components"]["schemas"] = added["$defs"] | document["components"]["schemas"]
            document["components"]["parameters"] = parameters(*READ_FROM_THE_ADDRESS)
            document["components"]["securitySchemes"] = SECURITY_SCHEMES
            for path, method, operation in _operations(document):
                _secure(operation, scope_of(method.upper(), path))
                if "description" in operation:  # which Python leaves out where it is asked to (-OO)
                    operation["summary"] = operation["description"].splitlines()[0].rstrip(".")
                if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                    del operation["responses"]["422"]  # FastAPI's own, where nothing but the path can be wrong: a 404
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """List what can be asked: path, method, and how it is described."""
    return [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _secure(operation: dict[str, Any], scope: str | None) -> None:
    """Say which scope a key needs for this, and how it is refused."""
    if scope is None:
        return
    operation["security"] = [{name: [scope]} for name in SECURITY_SCHEMES]
    operation["x-scope"] = scope
    operation["responses"] = {str(status): told for status, told in documented(401, 403, 429).items()} | operation[
        "responses"
    ]


def _example_of(schema: type[BaseModel]) -> Any:  # noqa: ANN401 - whatever JSON it is
    described = cast("Described", schema.model_config["json_schema_extra"])
    return deepcopy(described.example)
