"""Checks the page's TypeScript against the API as it is: `.venv/bin/python -m tests.page_types`."""

import json
import os
import subprocess
import sys
from pathlib import Path

from app.main import create_app
from app.web.build_page import FOLDER, node


def main() -> int:
    """Write the API's types, and have the compiler look at all that uses them."""
    found = node()
    if found is None:
        return 1
    (FOLDER / "openapi.json").write_text(json.dumps(create_app().openapi()), encoding="utf-8")
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(found[0]).parent), os.environ["PATH"]])}
    for script in ("types", "check"):
        done = subprocess.run([*found, "run", "--silent", script], cwd=FOLDER, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
