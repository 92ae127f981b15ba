"""What KServe's own client can ask over HTTP; run by an interpreter that has it, with an address and a model.

Prints one JSON object: what each call gave.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

URL, MODEL = sys.argv[1:]
X = np.array([[4.0, 8.0], [1.0, 5.0]])


def request(*, binary: bool, **more: Any) -> InferRequest:
    """Ask for the rows."""
    made = InferInput("X", list(X.shape), "FP64")
    made.set_data_from_numpy(X, binary_data=binary)
    return InferRequest(model_name=MODEL, infer_inputs=[made], **more)


def told(response: Any) -> Any:
    """Give the first output, and the request's id."""
    return response.outputs[0].as_numpy().tolist(), response.id


async def main() -> None:
    """Ask everything."""
    v2, v1 = (InferenceRESTClient(RESTConfig(protocol=protocol)) for protocol in ("v2", "v1"))
    binary_out = request(binary=True, parameters={"binary_data_output": True}, request_id="42")
    as_dict = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [4, 8]}]}
    outcomes = {
        "live": await v2.is_server_live(URL),
        "ready": await v2.is_server_ready(URL),
        "model ready": await v2.is_model_ready(URL, MODEL),
        "unknown model ready": await v2.is_model_ready(URL, "nope"),
        "JSON": told(await v2.infer(URL, request(binary=False, request_id="1"), model_name=MODEL)),
        "binary": told(await v2.infer(URL, request(binary=True, request_id="2"), model_name=MODEL)),
        "binary out": told(await v2.infer(URL, binary_out, model_name=MODEL)),
        "dict": told(await v2.infer(URL, as_dict, model_name=MODEL))[0],
        "V1 live": await v1.is_server_live(URL),
        "V1 model ready": await v1.is_model_ready(URL, MODEL),
        "V1 explain": await v1.explain(URL, MODEL, {"instances": [[4, 8]]}),
        "V1 predict": await v1.infer(URL, {"instances": [[4, 8], [1, 5]]}, model_name=MODEL),
    }
    print(json.dumps(outcomes))  # noqa: T201 - a program prints


if __name__ == "__main__":
    asyncio.run(main())
