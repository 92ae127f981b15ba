"""The files of a set: for each model its snapshot, and beside it what it was asked and what it answered."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.settings import Settings
from app.store.document import FORMAT
from tests.conftest import client_of

FOLDER = Path(__file__).parent
NEWEST = FOLDER / f"format-{FORMAT}"


class Golden(NamedTuple):
    """One model of a set."""

    snapshot: Path

    @property
    def told(self) -> dict[str, Any]:
        """What it was asked, what it answered, and on what kind of machine."""
        told: dict[str, Any] = json.loads(self.snapshot.with_suffix(".json").read_text(encoding="utf-8"))
        return told


def all_of_them() -> list[Golden]:
    """List all models of all sets that were ever made."""
    return [Golden(path) for path in sorted(FOLDER.glob("format-*/*.safetensors"))]


async def ask(client: httpx.AsyncClient, name: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a model; give all of its answer but what it is called."""
    answer = await client.post(f"/models/{name}/predict", json=question)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return {what: value for what, value in told.items() if what not in {"model", "version"}}


async def answers_of(golden: Golden, root: Path) -> dict[str, Any]:
    """Answer its question by a store that a netlet of then has left."""
    (root / "golden").mkdir(parents=True)
    (root / "golden" / "1.safetensors").write_bytes(golden.snapshot.read_bytes())
    async with client_of(Settings(models=root, executor="thread")) as client:
        return await ask(client, "golden", golden.told["asked"])
