"""The bill of materials: all that is in a netlet which is installed from its locks, as CycloneDX has it.

The Python packages of the runtime's lock with the hashes of their files, and the packages that the page is made of.
"""

import argparse
import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from app import __version__
from tests.supply.locks import ROOT, RUNTIME, page_packages

CYCLONEDX = ROOT / ".venv-checks" / "bin" / "cyclonedx-py"


def bill(root: Path = ROOT) -> dict[str, Any]:
    """Write it, the same for the same locks."""
    command = [str(CYCLONEDX), "requirements", str(root / RUNTIME.name), "--pyproject", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--output-reproducible", "--no-validate"], capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    told["metadata"]["component"]["version"] = __version__
    for component in told["components"]:
        component.pop("description", None)  # the line of the lock
    told["components"] += [
        _of_page(place, package)
        for place, package in page_packages(root / "app" / "web").items()
        if not package.get("dev")
    ]
    refs = [component["bom-ref"] for component in told["components"]]
    whole = {"ref": told["metadata"]["component"]["bom-ref"], "dependsOn": refs}
    told["dependencies"] = [whole, *({"ref": ref} for ref in refs)]
    return told


def _of_page(place: str, package: dict[str, Any]) -> dict[str, Any]:
    name, version = place.rpartition("node_modules/")[2], package["version"]
    kind, _, digest = package["integrity"].partition("-")
    group, _, short = name.rpartition("/")
    told = {
        "bom-ref": f"page-{name}",
        "type": "library",
        "name": short,
        "version": version,
        "purl": f"pkg:npm/{name.replace('@', '%40')}@{version}",
        "hashes": [{"alg": kind.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}],
        "licenses": [{"license": {"id": package["license"]}}],
    }
    return told | ({"group": group} if group else {})


def main() -> None:
    """Write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(bill(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(file)  # noqa: T201 - a program prints


if __name__ == "__main__":
    main()
