"""What every route may answer beside what it says itself, in the OpenAPI document: how a request is refused.

Problems are written once, in the document's components, and referred to.
"""

from http import HTTPStatus
from typing import Any

from app.api.patience import LONGEST
from app.api.problems import FOREIGN, MEDIA_TYPE

OF_ANY_REQUEST = (400, 408, 414, 421, 431, 503)
"""It arrives badly, slowly, at length, for another host, or when there is too much to do."""
OF_A_BODY = (413, 415, 507)
"""It is too long, of a kind that is not read, or the disk is full, on which a longer one lies while it arrives."""
OF_A_KEY = (401, 403, 429)
REFUSED = HTTPStatus.BAD_REQUEST
ID = {"x-request-id": {"$ref": "#/components/headers/X-Request-Id"}}
LATER = {"retry-after": {"$ref": "#/components/headers/Retry-After"}}
HEADERS: dict[int, dict[str, Any]] = {
    201: {"location": {"description": "Where it is.", "schema": {"type": "string"}}},
    202: {"location": {"description": "The job.", "required": True, "schema": {"type": "string"}}},
    401: {"www-authenticate": {"description": "How to sign in.", "required": True, "schema": {"type": "string"}}},
    429: LATER,
    503: LATER,
}
HEADERS_TOLD = {
    "X-Request-Id": {"description": "The request's, as in the log.", "required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}},
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "X-Request-Timeout": {
        "in": "header",
        "description": "Seconds that the answer may take.",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST},
    },
    "If-None-Match": {
        "in": "header",
        "description": "The ETags of what the client has: it is not sent again.",
        "schema": {"type": "string"},
    },
}
TAKEN_BY = {"504": "X-Request-Timeout", "304": "If-None-Match"}
"""Routes that may give such an answer take such a header."""
ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
    "description": "What went wrong, as clients of other servers know it.",
}


def complete(path: str, operation: dict[str, Any]) -> None:
    """Add to an operation how any request, any body and any key may be refused, and what each answer's head has."""
    answers = operation["responses"]
    foreign = path.startswith(FOREIGN)
    refusals = {int(status) for status in answers if int(status) >= REFUSED} | set(OF_ANY_REQUEST)
    refusals |= set(OF_A_BODY if "requestBody" in operation else ())
    refusals |= set(OF_A_KEY if "security" in operation else ())
    if "504" in answers:
        refusals.add(422)  # for a header that states no time
    if foreign:
        refusals = {400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status for status in refusals}
    taken = [{"$ref": f"#/components/parameters/{name}"} for status, name in TAKEN_BY.items() if status in answers]
    given = [_without_null(parameter) for parameter in operation.get("parameters", [])]
    if given or taken:
        operation["parameters"] = [*given, *taken]
    for status, answer in answers.items():
        answer["headers"] = ID | HEADERS.get(int(status), {}) | answer.get("headers", {})
    operation["responses"] = {status: answer for status, answer in answers.items() if int(status) < REFUSED} | {
        str(status): {"$ref": f"#/components/responses/{_name(status, foreign=foreign)}"} for status in sorted(refusals)
    }


def _without_null(parameter: dict[str, Any]) -> dict[str, Any]:
    """Describe a parameter as it can be sent: what may be left out is never null there."""
    kinds = [kind for kind in parameter.get("schema", {}).get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return parameter
    schema = {name: told for name, told in parameter["schema"].items() if name != "anyOf"}
    return parameter | {"schema": kinds[0] | schema}


def parts_of_answers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the components that operations refer to since they are complete."""
    parameters = {name: {"name": name, "required": False} | told for name, told in PARAMETERS.items()}
    return {"headers": HEADERS_TOLD, "parameters": parameters, "responses": _refusals(document)}


def _refusals(document: dict[str, Any]) -> dict[str, Any]:
    """Describe the problems that are referred to in a document, by their names."""
    referred = {
        answer["$ref"].rpartition("/")[2]: int(status)
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if "$ref" in answer
    }
    return {name: _refusal(name, status) for name, status in sorted(referred.items())}


def _name(status: int, *, foreign: bool) -> str:
    return f"{'Error' if foreign else 'Problem'}{status}"


def _refusal(name: str, status: int) -> dict[str, Any]:
    schema = {"application/json": "Error"} if name.startswith("Error") else {MEDIA_TYPE: "Problem"}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": ID | HEADERS.get(status, {}),
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in schema.items()},
    }
