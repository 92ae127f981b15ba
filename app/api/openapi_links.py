"""Links in the OpenAPI document: what an answer names, and where that is asked for next."""

import re
from typing import Any, NamedTuple

Step = tuple[str, str]
"""A method and a path."""

VERSION = "/models/{name}/versions/{version}"
ALIAS = "/models/{name}/aliases/{alias}"
JOB = "/jobs/{job_id}"
DATASET = "/datasets/{dataset}"


class Linked(NamedTuple):
    """A kind of answer: which routes give it with which statuses, what it names, and where one goes on from it."""

    given_by: dict[Step, tuple[str, ...]]
    names: dict[str, str]
    """What is in a path, and where in the answer that stands."""
    leads_to: dict[Step, Any]
    """Each with a body, if it takes one that is made of the answer."""


LINKED = {
    "version": Linked(
        {
            ("post", "/train"): ("201",),
            ("post", "/models/{name}/train"): ("201",),
            ("post", f"{VERSION}/train"): ("201",),
            ("put", "/models/{name}/snapshot"): ("200", "201"),
            ("put", "/models/{name}/onnx"): ("200", "201"),
        },
        {"name": "$response.body#/model", "version": "$response.body#/version"},
        {
            ("get", "/models/{name}"): None,
            ("get", VERSION): None,
            ("post", "/models/{name}/predict"): None,
            ("post", f"{VERSION}/predict"): None,
            ("post", f"{VERSION}/train"): None,
            ("get", f"{VERSION}/history"): None,
            ("get", f"{VERSION}/weights"): None,
            ("get", f"{VERSION}/snapshot"): None,
            ("get", f"{VERSION}/card"): None,
            ("post", f"{VERSION}/verify"): None,
            ("get", "/models/{name}/aliases"): None,
            ("put", ALIAS): {"version": "$response.body#/version"},
            ("patch", "/models/{name}"): None,
            ("delete", VERSION): None,
            ("delete", "/models/{name}"): None,
        },
    ),
    "alias": Linked(
        {("put", ALIAS): ("200", "201"), ("post", f"{ALIAS}/rollback"): ("200", "201")},
        {"name": "$response.body#/model", "alias": "$response.body#/alias"},
        {
            ("get", ALIAS): None,
            ("get", f"{ALIAS}/history"): None,
            ("post", f"{ALIAS}/rollback"): {},
            ("delete", ALIAS): None,
        },
    ),
    "job": Linked(
        {
            ("post", "/train"): ("202",),
            ("post", "/train/batch"): ("202",),
            ("post", "/models/{name}/train"): ("202",),
            ("post", f"{VERSION}/train"): ("202",),
        },
        {"job_id": "$response.body#/job"},
        {
            ("get", JOB): None,
            ("get", f"{JOB}/models"): None,
            ("get", f"{JOB}/events"): None,
            ("post", f"{JOB}/pause"): None,
            ("post", f"{JOB}/step"): None,
            ("post", f"{JOB}/resume"): None,
            ("delete", JOB): None,
        },
    ),
    "dataset": Linked(
        {("post", "/datasets"): ("200", "201")},
        {"dataset": "$response.body#/dataset"},
        {
            ("get", DATASET): None,
            ("post", "/train"): {"dataset": "$response.body#/dataset", "target": "$response.body#/columns/0/name"},
            ("delete", DATASET): None,
        },
    ),
}


def link(document: dict[str, Any]) -> None:
    """Add the links to a document: each once among its components, and referred to by the answers that have it."""
    found = document["components"].setdefault("links", {})
    for what, linked in LINKED.items():
        references = {}
        for (method, path), body in linked.leads_to.items():
            operation = document["paths"][path][method]["operationId"]
            named = {name: linked.names[name] for name in re.findall(r"{(\w+)}", path) if name in linked.names}
            told = {"operationId": operation, "parameters": named}
            found[f"{what}.{operation}"] = told if body is None else told | {"requestBody": body}
            references[operation] = {"$ref": f"#/components/links/{what}.{operation}"}
        for (method, path), statuses in linked.given_by.items():
            for status in statuses:
                document["paths"][path][method]["responses"][status]["links"] = references
