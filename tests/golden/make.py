"""Makes the golden files of the format that this netlet writes, once: `python -m tests.golden.make`.

A set is made before the first release that writes its format, and is never changed after.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from app.settings import Settings
from tests.conftest import client_of
from tests.golden.files import NEWEST, ask
from tests.golden.kinds import KINDS
from tests.golden.machine import kind


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
    """Make a set, unless there is one of this format."""
    if NEWEST.exists():
        print(f"{NEWEST} is there already, and stays as it is.", file=sys.stderr)  # noqa: T201 - a runner prints
        return 1
    NEWEST.mkdir()
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(make(NEWEST, Path(root) / "models"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
