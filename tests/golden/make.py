"""Makes the golden files of the format that this netlet writes, once: `python -m tests.golden.make`.

A set is made before the first release that writes its format, and is never changed after.
"""

import json
import sys
from pathlib import Path

from app.settings import Settings
from tests.conftest import client_of
from tests.golden.files import NEWEST, ask
from tests.golden.kinds import KINDS
from tests.golden.machine import kind
from tests.golden.once import make_once


async def make(folder: Path, root: Path) -> None:
    """Train each kind of model, and keep its snapshot, its question and its answer."""
    async with client_of(Settings(models=root, executor="thread")) as client:
        for name, (training, asked) in KINDS.items():
            trained = await client.post("/train", json=training | {"name": name})
            assert trained.status_code == 201, trained.text
            snapshot = (await client.get(f"/models/{name}/snapshot")).content
            told = {"machine": kind(), "asked": asked, "answered": await ask(client, name, asked)}
            (folder / f"{name}.safetensors").write_bytes(snapshot)
            (folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Make it, unless there is one of this format."""
    return make_once(NEWEST, make)


if __name__ == "__main__":
    sys.exit(main())
