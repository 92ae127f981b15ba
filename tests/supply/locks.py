"""The locks: every package that is installed for netlet, by version and hash, for Python and for the page."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
RUNTIME = ROOT / "requirements.lock"
"""What is installed where netlet runs."""
PAGE = ROOT / "app" / "web"
ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)((?:.*\\\n)*.*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pin(NamedTuple):
    """One package of a lock, and the hashes of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins(lock: Path) -> list[Pin]:
    """Read a lock; a package is there several times where systems or Pythons differ in it."""
    return [
        Pin(re.sub(r"[-_.]+", "-", name).lower(), version, tuple(HASH.findall(rest)))
        for name, version, rest in ENTRY.findall(lock.read_text(encoding="utf-8"))
    ]


def page_packages(folder: Path = PAGE) -> dict[str, dict[str, Any]]:
    """Read the lock of the page: its packages by where they are put, without the page itself."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    return {place: package for place, package in lock["packages"].items() if place}
