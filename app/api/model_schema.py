"""What one model takes and answers, as JSON Schema and as an OpenAPI document of its own."""

from typing import Any

from app.models.model import Model
from app.models.table import Label, Source
from app.store.store import Stored
from app.tables.columns import sources_of
from app.tables.kinds import LONGEST_LEVEL

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {"number": "number", "integer": "number", "boolean": "boolean", "category": "string", "date": "string"}
FEW_LEVELS = 20  # are told in words


def row_schema(stored: Stored) -> dict[str, Any]:
    """Describe a row that the model answers.

    Values beyond those of the training are answered too, so that ranges and levels are told, not demanded.
    """
    sources = sources_of(stored.model)
    return {
        "$schema": DIALECT,
        "title": f"A row for {stored.name}/{stored.version}",
        "type": "object",
        "properties": {source.name: _property(source, stored.model) for source in sources},
        "required": [source.name for source in sources],
        "additionalProperties": False,
        "examples": [example_row(stored.model)],
    }


def example_row(model: Model) -> dict[str, Any]:
    """Give the row of the training that each column's example is from."""
    return {source.name: _example(source, model) for source in sources_of(model)}


def openapi_of(stored: Stored) -> dict[str, Any]:
    """Describe the predictions of one model, with an example that works as it stands."""
    reference = f"{stored.name}/{stored.version}"
    row = row_schema(stored)
    del row["$schema"]
    asked = {
        "type": "object",
        "properties": {"rows": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Row"}}},
        "required": ["rows"],
    }
    answers = {
        "type": "object",
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "predictions": {"type": "array", "items": _answer(stored.model)},
            "in_range": {"type": "array", "items": {"type": "boolean"}},
        },
        "required": ["model", "version", "predictions", "in_range"],
    }
    operation = {
        "summary": f"Predict {' and '.join(stored.model.targets)}",
        "description": stored.model.description,
        "operationId": "predict",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": asked, "example": {"rows": [example_row(stored.model)]}}},
        },
        "responses": {
            "200": {"description": "One answer a row", "content": {"application/json": {"schema": answers}}},
            "4XX": {"description": "What is wrong, by row and column, with the remedy"},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": reference, "version": str(stored.version)},
        "paths": {f"/models/{stored.name}/versions/{stored.version}/predict": {"post": operation}},
        "components": {"schemas": {"Row": row}},
    }


def _property(source: Source, model: Model) -> dict[str, Any]:
    missing = source.columns[0] in model.missing
    described: dict[str, Any] = {"type": [TYPES[source.kind], "null"] if missing else TYPES[source.kind]}
    if source.kind == "category":
        described["maxLength"] = LONGEST_LEVEL
    if source.kind == "date" and "hour" not in source.parts:
        described["format"] = "date"
    return described | {"description": _words(source), "examples": [_example(source, model)]}


def _words(source: Source) -> str:
    words = []
    if source.lowest is not None:
        words.append(f"In training from {source.lowest} to {source.highest}.")
    if source.frequent and source.kind == "category":
        levels = ", ".join(f"{level} ({count})" for level, count in source.frequent[:FEW_LEVELS])
        words.append(f"In training: {levels}{' and others' if source.levels > FEW_LEVELS else ''}.")
    if source.missing:
        words.append(f"Missing in {source.missing:.1%} of the rows.")
    return " ".join(words)


def _example(source: Source, model: Model) -> Label | float | None:
    """Give a value that the model takes; where the training's row had none, the lowest or most frequent."""
    example = source.example
    if example is None and source.columns[0] not in model.missing:
        example = source.frequent[0][0] if source.frequent else source.lowest
    return example


def _answer(model: Model) -> dict[str, Any]:
    kinds = {str: "string", bool: "boolean", int: "integer"}
    one: dict[str, Any] = {"type": "number"}
    if model.recipe.task == "multilabel":
        one = {"type": "boolean"}
    elif model.labels:
        return {"type": kinds[type(model.labels[0])], "enum": list(model.labels)}
    if len(model.targets) == 1 and model.recipe.task != "multilabel":
        return one
    return {"type": "array", "items": one, "minItems": len(model.targets), "maxItems": len(model.targets)}
