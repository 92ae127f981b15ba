"""What schemathesis is told in Python: whence its requests come, and what may succeed.

What fits a schema hardly ever fits a model: half of the requests that fit take the document's example as their body, so
that answers which are no refusal are looked at as well.
"""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from urllib3.util import connection

FILES = {"application/octet-stream": "SNAPSHOT", "application/onnx": "ONNX"}
THERE = {"name": "exam", "version": "1", "alias": "live"}
AT_RANDOM = Random(0)
connect = connection.create_connection

schemathesis.serializer.alias(
    ["application/onnx", "application/x-npy", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"],
    "application/octet-stream",
)


def from_anywhere(address: tuple[str, int], *args: Any, **options: Any) -> Any:
    """Connect from another address of this machine each time: wrong keys from one are soon enough of them (429)."""
    source = ".".join(["127", *(str(AT_RANDOM.randrange(1, 255)) for _ in range(3))])
    return connect(address, *args, **options | {"source_address": (source, 0)})


connection.create_connection = from_anywhere


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Make some of the requests that fit their schema such that they succeed."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):  # the same for many different ones, which would all be 409
        case.headers["Idempotency-Key"] = f"{AT_RANDOM.getrandbits(64):x}"
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    if not content or AT_RANDOM.random() < 0.5:
        return
    if case.meta.phase.name != "stateful":  # where a path names what was made before
        case.path_parameters |= {name: value for name, value in THERE.items() if name in case.path_parameters}
    (media_type, *_), example = content, next(iter(content.values())).get("example")
    if media_type in FILES:
        case.body = Path(os.environ[FILES[media_type]]).read_bytes()
        case.headers["X-Request-Timeout"] = "60"
    elif example is not None:
        case.body, case.media_type, case.query = json.loads(json.dumps(example)), media_type, {}
        case.headers["X-Request-Timeout"] = "60"
        if case.path == "/train" and AT_RANDOM.random() < 0.3:
            case.query = {"wait": 0}
