"""The linters of what a deployment is written in, as they are installed for checks; and what is to be linted, read."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # it comes with schemathesis, and has no types

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
LINTERS = ROOT / ".venv-checks" / "bin"

LINTS = {
    "Dockerfile": ["hadolint", "--failure-threshold", "style"],
    "compose": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
    "oldest Kubernetes": ["kubernetes-validate", "--strict", "-k", "1.27.0"],
    "newest Kubernetes": ["kubernetes-validate", "--strict", "-k", "1.37.0"],
}


def linted(kind: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Have files judged, by the row of a kind."""
    tool, *arguments = LINTS[kind]
    command = [str(LINTERS / tool), *arguments, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def documents(text: str) -> list[Any]:
    """Read YAML."""
    return list(yaml.safe_load_all(text))


def manifest(name: str) -> Any:
    """Read one of Kubernetes' manifests."""
    (document,) = documents((DEPLOY / "kubernetes" / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


def pod() -> Any:
    """Read what each pod is to be."""
    return manifest("deployment")["spec"]["template"]["spec"]


def compose(service: str) -> Any:
    """Read one service of the compose file."""
    (document,) = documents((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return document["services"][service]


def unit() -> dict[str, str]:
    """Read systemd's unit; a key that is there several times has its values side by side."""
    told: dict[str, str] = {}
    for key, value in re.findall(
        r"^(\w+)=(.*)$", (DEPLOY / "netlet.service").read_text(encoding="utf-8"), re.MULTILINE
    ):
        told[key] = f"{told[key]} {value}" if key in told else value
    return told
