"""What tests of lasting faults ask of a service before and after: answers, and what it keeps."""

from typing import Any

import httpx

from tests.conftest import TUTORIAL

LONG: dict[str, Any] = TUTORIAL | {"name": "long", "training": {"epochs": 3_000_000}}
ASKED = {"model": "exam", "X": [[4, 8], [2, 9]]}


def answer(client: httpx.Client, reference: str = "exam") -> Any:
    """Have two rows answered."""
    return client.post("/predict", json=ASKED | {"model": reference}).raise_for_status().json()["predictions"]


def kept_by(client: httpx.Client) -> dict[str, str]:
    """Tell all versions of the model, and what they hash to."""
    versions = client.get("/models/exam").raise_for_status().json()["versions"]
    paths = [f"/models/exam/versions/{version}" for version in versions]
    return {path: client.get(path).raise_for_status().json()["sha256"] for path in paths}
