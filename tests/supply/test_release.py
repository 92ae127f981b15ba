"""A release: the same commit gives the same bytes, and a version that is not ready does not leave."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web.build_page import SKIP
from tests.supply.locks import ROOT
from tests.supply.release import built, not_ready, require_same, sums

EPOCH = "1700000000"


def copied(to: Path) -> Path:
    """Copy what is in version control, as it lies there, and the page."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git, wherever it is
    for name in filter(None, listed.stdout.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, to / name)
    shutil.copytree(ROOT / "app" / "web" / "built", to / "app" / "web" / "built")
    return to


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Path]]]:
    """Build twice: in other folders, of files of another age, by somebody who lets others read less."""
    monkeypatch.setenv(SKIP, "1")  # the page is taken as it was built
    one, other = copied(tmp_path / "one"), copied(tmp_path / "elsewhere" / "other")
    for place, file in enumerate(sorted(other.rglob("*"))):
        file.chmod(0o700 if file.is_dir() else 0o600)
        os.utime(file, (1_000_000_000 + place, 1_000_000_000 + place))
    before = os.umask(0o077)
    try:
        yield [built(folder, tmp_path / f"built-{number}", EPOCH) for number, folder in enumerate((one, other))]
    finally:
        os.umask(before)


def test_two_builds_of_the_same_files_have_the_same_bytes(builds: list[list[Path]]) -> None:
    """Wheel and source; their checksums are what sha256sum reads, and another moment makes another build."""
    one, other = builds

    require_same(one, other)
    assert [file.suffix for file in one] == [".whl", ".gz"]
    (one[0].parent / "SHA256SUMS").write_text(sums(one), encoding="utf-8")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=one[0].parent, check=True)  # noqa: S607 - coreutils'
    other[0].write_bytes(other[0].read_bytes() + b"\0")
    with pytest.raises(SystemExit, match="differ"):
        require_same(one, other)


def test_a_version_that_is_not_ready_does_not_leave() -> None:
    """Its changes have a date, and all of it is in a commit."""
    dated = "# Changes\n\n## 1.2.0 (2026-01-31)\n"

    assert not list(not_ready(dated, "1.2.0", ""))
    (undone,) = not_ready(dated.replace("2026-01-31", "unreleased"), "1.2.0", "")
    assert undone.startswith("CHANGELOG.md has no")
    assert len(list(not_ready(dated, "1.2.1", " M app/main.py\n"))) == 2
