"""Each linter has nothing to say of our file, and does find what is wrong in one that is broken."""

from pathlib import Path

import pytest

from tests.deploy.linting import DEPLOY, LINTS, ROOT, linted

MANIFESTS = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {DEPLOY / "kubernetes" / "kustomization.yaml"})
OURS = {
    "Dockerfile": [ROOT / "Dockerfile"],
    "compose": [DEPLOY / "compose.yaml"],
    "oldest Kubernetes": MANIFESTS,
    "newest Kubernetes": MANIFESTS,
}
BREAKS = {  # something of ours, and what it becomes
    "Dockerfile": ('CMD ["netlet", "serve"]', "CMD netlet serve"),
    "compose": ("read_only:", "readonly:"),
    "oldest Kubernetes": ("runAsNonRoot:", "runAsNonroot:"),
    "newest Kubernetes": ("runAsNonRoot: true", "runAsNonRoot: maybe"),
}


@pytest.mark.parametrize("kind", LINTS)
def test_a_linter_has_nothing_to_say(kind: str) -> None:
    """Style and hints are held to, too."""
    run = linted(kind, *OURS[kind])

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("kind", LINTS)
def test_a_linter_finds_what_is_wrong(kind: str, tmp_path: Path) -> None:
    """A field that nobody knows, a value that it cannot have, or what is bad style: so silence means something."""
    right, wrong = BREAKS[kind]
    origin, *_ = [file for file in OURS[kind] if right in file.read_text(encoding="utf-8")]
    broken = tmp_path / origin.name
    broken.write_text(origin.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")

    run = linted(kind, broken)

    assert run.returncode != 0, run.stdout
