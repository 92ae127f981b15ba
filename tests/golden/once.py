"""A set of golden files is made once, and never changed after."""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any


def make_once(folder: Path, make: Callable[[Path, Path], Coroutine[Any, Any, None]]) -> int:
    """Make a set in a folder, with a store elsewhere; give exit code 1 where there is one of this format."""
    if folder.exists():
        print(f"{folder} is there already, and stays as it is.", file=sys.stderr)  # noqa: T201 - a runner prints
        return 1
    folder.mkdir()
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(make(folder, Path(root) / "models"))
    return 0
