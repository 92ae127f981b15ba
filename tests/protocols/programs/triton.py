"""All that Triton's own client can ask; run by an interpreter that has it, with an address, a model and an output.

Prints one JSON object: what each call gave, or the error that it raised.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

URL, MODEL, OUTPUT = sys.argv[1:]
X = np.array([[4.0, 8.0], [1.0, 5.0]])


def tensor(rows: Any = X, *, binary: bool = True, kind: Any = triton) -> Any:
    """Make an input of rows."""
    made = kind.InferInput("X", list(rows.shape), "FP64")
    made.set_data_from_numpy(rows, binary_data=binary)
    return made


def main() -> None:
    """Ask everything."""
    client = triton.InferenceServerClient(URL)

    def infer(*, binary: bool = True, outputs: Any = None, **more: Any) -> Any:
        result = client.infer(MODEL, [tensor(binary=binary)], outputs=outputs, **more)
        return result.as_numpy(OUTPUT).tolist(), result.get_response().get("id")

    def in_json() -> Any:
        return [triton.InferRequestedOutput(OUTPUT, binary_data=False)]

    calls: dict[str, Callable[[], Any]] = {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model ready": lambda: client.is_model_ready(MODEL),
        "server metadata": client.get_server_metadata,
        "model metadata": lambda: client.get_model_metadata(MODEL),
        "model metadata of a version": lambda: client.get_model_metadata(MODEL, "2"),
        "config": lambda: client.get_model_config(MODEL),
        "statistics": lambda: client.get_inference_statistics(MODEL),
        "all statistics": client.get_inference_statistics,
        "index": client.get_model_repository_index,
        "binary in": infer,
        "JSON in": lambda: infer(binary=False),
        "JSON in and out": lambda: infer(binary=False, outputs=in_json()),
        "binary in and out": lambda: infer(outputs=[triton.InferRequestedOutput(OUTPUT)]),
        "id": lambda: infer(request_id="42"),
        "gzip in": lambda: infer(request_compression_algorithm="gzip"),
        "deflate in, gzip out": lambda: infer(
            request_compression_algorithm="deflate", response_compression_algorithm="gzip"
        ),
        "deflate out": lambda: infer(response_compression_algorithm="deflate"),
        "parameters": lambda: infer(parameters={"mine": 1}, priority=1, timeout=60_000_000),
        "asynchronous": lambda: client.async_infer(MODEL, [tensor()]).get_result().as_numpy(OUTPUT).tolist(),
        "load": lambda: client.load_model(MODEL),
        "unload": lambda: client.unload_model(MODEL),
        "asyncio": lambda: asyncio.run(with_asyncio()),
        "asyncio, gzip out": lambda: asyncio.run(with_asyncio(response_compression_algorithm="gzip")),
        "error: unknown model": lambda: client.get_model_metadata("nope"),
        "error: shape": lambda: client.infer(MODEL, [tensor(np.ones((1, 3)))]),
        "error: load unknown": lambda: client.load_model("nope"),
        "error: time is up": lambda: client.infer(MODEL, [tensor()], timeout=1),
    }
    print(json.dumps({name: outcome(call) for name, call in calls.items()}))  # noqa: T201 - a program prints


def outcome(call: Callable[[], Any]) -> Any:
    """Give what a call gives, or what the client makes of an error."""
    try:
        return call()
    except InferenceServerException as error:
        return {"status": error.status(), "error": error.message()}


async def with_asyncio(**more: Any) -> Any:
    """Ask with the other client."""
    async with triton_aio.InferenceServerClient(URL) as client:
        result = await client.infer(MODEL, [tensor(kind=triton_aio)], **more)
        return result.as_numpy(OUTPUT).tolist()


if __name__ == "__main__":
    main()
