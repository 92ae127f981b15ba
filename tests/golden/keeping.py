"""The golden backup, which has a file of each kind that is no snapshot, too: `python -m tests.golden.keeping` makes it.

That is done once for each format of backups, before the first release that writes it.
"""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from app.backup.manifest import FORMAT
from app.backup.taking import back_up
from app.opening import store_of
from app.settings import Settings
from tests.conftest import client_of
from tests.golden.files import FOLDER, ask
from tests.golden.kinds import STUDENTS
from tests.golden.machine import kind
from tests.golden.once import make_once

NEWEST = FOLDER / f"backup-{FORMAT}"
ROWS = [{"hours": row["hours"], "tutored": row["tutored"], "score": row["score"]} for row in STUDENTS]
QUESTION = {"rows": [{"hours": 1.75, "tutored": True}, {"hours": None, "tutored": False}]}
SLOW = {"training": {"optimizer": "adam", "epochs": 12, "seed": 3, "members": 2}, "network": {"hidden": [4]}}
STEPS = 5


async def fill(client: httpx.AsyncClient) -> str:
    """Leave a model with a memory, one that learnt from a dataset, an alias, and a training that is paused midway."""
    for _ in range(2):
        (await client.post("/train", json={"name": "rows", "rows": ROWS, "target": "score"} | SLOW)).raise_for_status()
    dataset = (await client.post("/datasets", json=ROWS)).raise_for_status().json()["dataset"]
    learnt = {"name": "dataset", "dataset": dataset, "target": "score"} | SLOW
    (await client.post("/train", json=learnt)).raise_for_status()
    (await client.put("/models/rows/aliases/live", json={"version": 1})).raise_for_status()
    paused = await client.post("/train?paused=true", json=learnt | {"name": "paused"})
    job = str(paused.raise_for_status().json()["job"])
    (await client.post(f"/jobs/{job}/step?epochs={STEPS}")).raise_for_status()
    return job


async def answers(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    """Let the training go on to its end; ask all models."""
    (await client.post(f"/jobs/{job}/resume")).raise_for_status()
    (await client.get(f"/jobs/{job}/events")).raise_for_status()  # which end with it
    return {name: await ask(client, name, QUESTION) for name in ("rows", "dataset", "paused")}


async def make(folder: Path, root: Path) -> None:
    """Back a store up while it is served, and keep what its models answer."""
    settings = Settings(models=root, executor="thread")
    async with client_of(settings) as client:
        job = await fill(client)
        with closing(store_of(settings)) as store, (folder / "backup.tar").open("wb") as sink:
            store.open()
            back_up(store, sink)
        told = {"machine": kind(), "job": job, "answered": await answers(client, job)}
    (folder / "told.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Make it, unless there is one of this format."""
    return make_once(NEWEST, make)


if __name__ == "__main__":
    sys.exit(main())
