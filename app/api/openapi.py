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
from app.api.openapi_answers import ERROR, complete, parts_of_answers
from app.api.openapi_links import link
from app.api.predict_schemas import PredictRequest
from app.api.queries import parameters, references_to_parameters
from app.api.schemas import TUTORIAL_ROWS, ContinueRequest, GroupsRequest, Problem, TrainRequest, UploadSettings
from app.store.references import NAME, VERSION
from app.tables.formats import FORMATS

if TYPE_CHECKING:
    from app.docstrings import Described

READ_BY_ROUTES = (
    TrainRequest,
    GroupsRequest,
    ContinueRequest,
    PredictRequest,
    AliasRequest,
    RollbackRequest,
    RuleRequest,
    TraceRequest,
    GradientCheckRequest,
    CounterfactualRequest,
)
READ_FROM_THE_ADDRESS = (TrainRequest, GroupsRequest, ContinueRequest, PredictRequest, UploadSettings)
SCHEMAS = [(Problem, "serialization"), *((schema, "validation") for schema in READ_BY_ROUTES)]
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `netlet keys create`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}


def in_path(description: str, pattern: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own
    """Describe a word of a path; what does not match names nothing, which is a 404 of the route's."""
    return Path(description=description, examples=[example], json_schema_extra={"pattern": f"^{pattern}$"})


BareNameInPath = Annotated[str, in_path("The model's name.", NAME.pattern, "exam")]
NameInPath = Annotated[
    str,
    in_path("The model's name, alone or with an alias, as in exam@live.", f"{NAME.pattern}(@{NAME.pattern})?", "exam"),
]
AliasInPath = Annotated[str, in_path("The alias.", NAME.pattern, "live")]
VersionInPath = Annotated[str, in_path("The version's number.", VERSION.pattern, "1")]


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
    content = {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}
    if (example := _example_of(schema)) is not None:
        content["example"] = example
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
            document["components"]["schemas"]["Error"] = ERROR
            for path, method, operation in _operations(document):
                _secure(operation, scope_of(method.upper(), path))
                if "description" in operation:  # which Python leaves out where it is asked to (-OO)
                    operation["summary"] = operation["description"].splitlines()[0].rstrip(".")
                if _takes_a_path_alone(operation):
                    operation["responses"].pop("422", None)  # FastAPI's own: what no path can be is a 404
                complete(path, operation)
            for kind, parts in parts_of_answers(document).items():
                document["components"].setdefault(kind, {}).update(parts)
            link(document)
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
    """Say which scope a key needs for this."""
    if scope is not None:
        operation["security"] = [{name: [scope]} for name in SECURITY_SCHEMES]
        operation["x-scope"] = scope


def _takes_a_path_alone(operation: dict[str, Any]) -> bool:
    """Tell whether nothing but a path can be wrong about a request."""
    return "requestBody" not in operation and all(
        parameter.get("in") == "path" for parameter in operation.get("parameters", [])
    )


def _example_of(schema: type[BaseModel]) -> Any:  # noqa: ANN401 - whatever JSON it is
    described = cast("Described", schema.model_config["json_schema_extra"])
    return deepcopy(described.example)
