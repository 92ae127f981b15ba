"""A release: wheel and source from the last commit, the same bytes whoever builds them, with their bill and checksums.

`make release` runs it. Each is built twice, in folders of their own, and compared.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from app import __version__
from tests.supply.locks import ROOT
from tests.supply.sbom import bill

SUMS = "SHA256SUMS"


def not_ready(changes: str, version: str, changed: str) -> Iterator[str]:
    """Say what is to be done before a version can leave: of its changes, and of files that are in no commit."""
    dated = rf"^## {re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)$"
    if not re.search(dated, changes, re.MULTILINE):
        yield f"CHANGELOG.md has no '## {version} (year-month-day)': write when it leaves"
    if changed:
        yield "there are changes in no commit: what leaves is what is in the last one"


def built(source: Path, to: Path, epoch: str) -> list[Path]:
    """Build wheel and source of a folder, as of a moment."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(to)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"release: it cannot be built.\n{done.stdout}{done.stderr}")
    return sorted(to.iterdir())


def require_same(one: Sequence[Path], other: Sequence[Path]) -> None:
    """End where two builds differ."""
    if [file.name for file in one] != [file.name for file in other] or any(map(_differ, one, other)):
        sys.exit("release: two builds of the same commit differ, so nobody could tell whether this one is of it.")


def _differ(one: Path, other: Path) -> bool:
    return one.read_bytes() != other.read_bytes()


def sums(files: Sequence[Path]) -> str:
    """Write the checksums of files as `sha256sum --check` reads them."""
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build a release into dist/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearsal", action="store_true", help="build what is in the last commit, ready or not")
    parser.add_argument("--to", type=Path, default=ROOT / "dist")
    asked = parser.parse_args(arguments)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not asked.rehearsal and (undone := list(not_ready(changes, __version__, _git("status", "--porcelain")))):
        sys.exit("".join(f"release: {each}.\n" for each in undone))
    epoch = _git("log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory() as folder:
        builds = [_of_last_commit(Path(folder) / name, epoch) for name in ("one", "other")]
        require_same(*builds)
        shutil.rmtree(asked.to, ignore_errors=True)
        shutil.copytree(builds[0][0].parent, asked.to)
    listed = asked.to / f"netlet-{__version__}.cdx.json"
    listed.write_text(json.dumps(bill(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (asked.to / SUMS).write_text(sums(sorted(asked.to.iterdir())), encoding="utf-8")
    print(*sorted(asked.to.iterdir()), sep="\n")  # noqa: T201 - a program prints


def _of_last_commit(folder: Path, epoch: str) -> list[Path]:
    """Build what is in the last commit, and nothing that lies about beside it."""
    source, archive = folder / "source", folder / "source.tar"
    source.mkdir(parents=True)
    _git("archive", "--format", "tar", "--output", str(archive), "HEAD")
    shutil.unpack_archive(archive, source, filter="data")
    return built(source, folder / "built", epoch)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - git, wherever it is


if __name__ == "__main__":
    main()
