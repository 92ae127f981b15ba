"""Settings in the address: what a body that is nothing but a table leaves to say."""

from email.message import Message
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from app.docstrings import docstrings_of
from app.errors import InvalidRequest
from app.faults import Fault
from app.tables.json_text import parse

OF_THE_ROUTE = {"wait", "priority", "timeout_seconds", "max_epochs", "paused", "cancel_on_disconnect"}
OF_THE_FORMAT = {"delimiter", "decimal", "encoding"}
TEXTS = {"name", "model", "target", "weight", "task", "preset", "description", "dataset"}
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


def format_options(query: list[tuple[str, str]]) -> dict[str, str]:
    """Read what the address says of how the body is written."""
    return {name: value for name, value in query if name in OF_THE_FORMAT}


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
    told = {
        f"{schema.__name__}.{name}": docstrings_of(schema).get(name, "").split(";", 1)[0]
        for schema in schemas
        for name in schema.model_fields
        if name not in IN_BODY
    }
    told |= {"delimiter": "Of a CSV body, if not told by its beginning.", "decimal": "Its decimal mark, likewise."}
    told |= {"encoding": "Its encoding, likewise."}
    return {key: _parameter(key.rpartition(".")[2], description) for key, description in told.items()}


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}


def _json_or_text(value: str) -> object:
    try:
        found = from_json(value)
    except ValueError:
        return value
    return parse(value.encode(), "address") if isinstance(found, dict | list) else found
