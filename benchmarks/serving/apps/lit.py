"""LitServe as its documentation has it; `python lit.py FOLDER PORT`."""

import sys
from pathlib import Path
from typing import Any

import joblib
import litserve
from fastapi import Request


class Api(litserve.LitAPI):  # type: ignore[misc]  # it has no types
    """A network behind it."""

    def setup(self, device: str) -> None:
        """Load it."""
        self.model = joblib.load(Path(sys.argv[1]) / "model.joblib")

    def decode_request(self, request: Request) -> Any:  # which LitServe hands over as what its JSON holds
        """Take the rows."""
        return request["X"]

    def predict(self, rows: Any) -> Any:
        """Answer them."""
        return self.model.predict(rows)

    def encode_response(self, output: Any) -> Any:
        """Write the answers."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Api(), accelerator="cpu").run(port=int(sys.argv[2]), generate_client_file=False)
