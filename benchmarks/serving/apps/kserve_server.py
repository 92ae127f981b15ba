"""KServe's own Python server as its documentation has it; `python kserve_server.py FOLDER PORT`."""

import sys
from pathlib import Path
from typing import Any

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Mid(Model):  # type: ignore[misc]  # it has no types
    """A network behind it."""

    def __init__(self) -> None:
        super().__init__("mid")
        self.model = joblib.load(Path(sys.argv[1]) / "model.joblib")
        self.ready = True

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:
        """Answer rows."""
        answers = self.model.predict(payload.inputs[0].as_numpy())
        output = InferOutput("predict", [len(answers)], "FP64", data=answers.tolist())
        return InferResponse(payload.id or "0", "mid", [output])


if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start([Mid()])
