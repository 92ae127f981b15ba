"""Settings in the address: what a body that is nothing but a table leaves to say."""

from email.message import Message
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from app.docstrings import docstrings_of
from app.errors import InvalidRequest
from app.faults import Fault
from app.tables.dialect import DECIMALS
from app.tables.json_text import parse

OF_THE_ROUTE = {"wait", "priority", "timeout_seconds", "max_epochs", "paused", "cancel_on_disconnect"}
CSV_WRITTEN: dict[str, tuple[str, dict[str, Any]]] = {
    "delimiter": (
        "Of a CSV, if not told by its beginning.",
        {"schema": {"type": "string", "pattern": r"^[\t -!#--/-~]$"}},
    ),
    "decimal": ("Its decimal mark, likewise.", {"schema": {"type": "string", "enum": list(DECIMALS)}}),
    "encoding": ("Its encoding, likewise.", {"schema": {"type": "string"}}),
}
OF_THE_FORMAT = set(CSV_WRITTEN)
TEXTS = {"name", "model", "target", "group_by", "weight", "task", "preset", "description", "dataset"}
LISTS = {"columns"}
SEVERAL = {"target"}  # a text, or several
TABS = "text/tab-separated-values"
IN_BODY = {"rows", "X", "y", "weights"}


def settings_of(query: list[tuple[str, str]]) -> dict[str, Any]:
    """Read the settings of a request from its address, to be validated as if they stood in a JSON body.

    Names are taken as they are; what is an object in JSON is JSON here too; several targets or columns are a list.
    Raises InvalidRequest for any other that comes twice, and for what is part of the table; DuplicateKey for an object
    that has a key twice.
    """
    settings: dict[str, Any] = {}
    for name, value in query:
        if name in OF_THE_ROUTE | OF_THE_FORMAT:
            continue
        if name in IN_BODY or (name in settings and name not in LISTS | SEVERAL):
            message = "The address has a setting that stands in the body, or one twice."
            raise InvalidRequest(message, [Fault("each setting once, beside the table", field=name)])
        if name in LISTS or (name in SEVERAL and name in settings):
            before = settings.get(name, [])
            settings[name] = [*([before] if isinstance(before, str) else before), value]
        else:
            settings[name] = value if name in TEXTS else _json_or_text(value)
    return settings


def format_options(query: list[tuple[str, str]], format_: str | None) -> dict[str, str]:
    """Read what the address says of how a CSV is written; raise InvalidRequest where the body is none."""
    options = {name: value for name, value in query if name in OF_THE_FORMAT}
    if options and format_ != "csv":
        message = "The address tells how a CSV is written, and the body is none. Send it with content-type text/csv."
        raise InvalidRequest(message, [Fault("nothing beside such a body", field=name) for name in options])
    return options


def written_as(media_type: str) -> dict[str, str]:
    """Read what a Content-Type says of how the body is written: its charset, and tabs where it is named after them."""
    header = Message()
    header["content-type"] = media_type
    charset = header.get_content_charset()
    written = {} if charset is None else {"encoding": charset}
    return written | ({"delimiter": "\t"} if header.get_content_type() == TABS else {})


def references_to_parameters(schema: type[BaseModel], *left_out: str) -> list[dict[str, str]]:
    """Refer, in OpenAPI, to what the address may say in place of a JSON body."""
    names = [name for name in schema.model_fields if name not in IN_BODY | set(left_out)]
    named = [*(f"{schema.__name__}.{name}" for name in names), *sorted(OF_THE_FORMAT)]
    return [{"$ref": f"#/components/parameters/{name}"} for name in named]


def parameters(*schemas: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Describe for OpenAPI what the address may say in place of JSON bodies of these schemas."""
    told = {}
    for schema in schemas:
        properties = schema.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
        for name in schema.model_fields:
            if name not in IN_BODY:
                description = docstrings_of(schema).get(name, "").split(";", 1)[0]
                told[f"{schema.__name__}.{name}"] = _parameter(name, description, _taken(name, properties[name]))
    return told | {name: _parameter(name, *described) for name, described in CSV_WRITTEN.items()}


def _parameter(name: str, description: str, taken: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description} | taken


def _taken(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Say what a setting may be in the address: what is an object in JSON is JSON here too."""
    if name in LISTS | SEVERAL:
        return {"schema": {"type": "array", "items": {"type": "string"}}}
    told = {key: value for key, value in schema.items() if key not in {"default", "description", "title"}}
    kinds = [kind for kind in told.pop("anyOf", [told]) if kind.get("type") != "null"]
    one = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if one.get("type", "object") == "object":
        return {"content": {"application/json": {"schema": one}}}
    return {"schema": one}


def _json_or_text(value: str) -> object:
    try:
        found = from_json(value)
    except ValueError:
        return value
    return parse(value.encode(), "address") if isinstance(found, dict | list) else found
