"""What tests of faults share: something is sent, refused in one clear problem, and has changed nothing."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.problem import problem
from tests.conftest import TUTORIAL

KEPT = ("/models", "/datasets", "/jobs")
MOST_REPEATED = 200  # bytes of what was sent
TABLE: dict[str, Any] = {"X": [[1, 2], [3, 4]], "y": [1, 2]}
QUICK: dict[str, Any] = {"optimizer": "adam", "epochs": 1}
TRAIN, PREDICT = "/train", "/predict"


@dataclass(frozen=True)
class Service:
    """An application with the tutorial's model, `exam`."""

    client: httpx.AsyncClient

    async def begin(self) -> "Service":
        """Train the model."""
        (await self.client.post(TRAIN, json=TUTORIAL)).raise_for_status()
        return self

    async def kept(self) -> list[Any]:
        """Tell all that the service has."""
        return [(await self.client.get(path)).json() for path in KEPT]

    async def refuses(
        self, path: str, body: Any, status: int, slug: str, method: str = "POST", *, failed: int = 0, kind: str = ""
    ) -> dict[str, Any]:
        """Send a body (as it is, if bytes), and give the problem that it is refused with.

        Its form, its size, how much it repeats of what was sent, and that the service has what it had are looked at.
        What can only be told while training leaves a job that has failed.
        """
        before = await self.kept()

        told = await problem(self.client, path, body, method, kind=kind)

        assert (told["status"], told["type"]) == (status, f"/problems/{slug}"), told
        assert repeated(told) <= MOST_REPEATED
        *after, jobs = await self.kept()
        assert [job["status"] for job in jobs["jobs"][:failed]] == ["failed"] * failed
        assert [*after, {"jobs": jobs["jobs"][failed:]}] == before
        return told


def repeated(told: dict[str, Any]) -> int:
    """Count the bytes of a problem that may be the sender's: each place once, as it is named again for nothing."""
    faults = told.get("errors", [])
    places = {str(fault[part]) for fault in faults for part in ("column", "field") if part in fault}
    echoes = [told["instance"], *places, *(fault.get("got", "") for fault in faults)]
    return sum(len(echo.removesuffix("…").encode()) for echo in echoes)
