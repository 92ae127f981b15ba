"""The locks: what is installed is what was looked at, wherever it comes from."""

from pathlib import Path

import pytest

from tests.supply.locks import LOCKS, PAGE, page_packages, pins


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_python_is_locked_by_its_hashes(lock: Path) -> None:
    """And no lock says where it is to be fetched from."""
    text = lock.read_text(encoding="utf-8")
    found = pins(lock)

    assert len(found) == sum(line[:1].isalnum() for line in text.splitlines()) > 0
    assert not [pin.name for pin in found if not pin.hashes]
    assert "://" not in text
    assert "--index" not in text


def test_every_package_of_the_page_is_locked_by_its_hash() -> None:
    """And the lock says of none where it is to be fetched from: npm writes neither where it finds them installed."""
    packages = page_packages()

    assert len(packages) > 50
    assert not [place for place, package in packages.items() if not package.get("integrity", "").startswith("sha512-")]
    assert not [place for place, package in packages.items() if "resolved" in package]
    assert "//registry" not in (PAGE / "package-lock.json").read_text(encoding="utf-8")
