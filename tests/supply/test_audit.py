"""The audit: it is good news only where every package was looked up; real pip-audit and npm ask what a test says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.web.build_page import node
from tests.supply.audit import audited_page, audited_python
from tests.supply.locks import PAGE, ROOT, RUNTIME, Pin, page_packages, pins
from tests.supply.services import CLOSED, serving

FLAW: dict[str, Any] = {
    "id": "NETLET-2026-1",
    "summary": "made up",
    "affected": [
        {
            "package": {"name": "rich", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}
NPM_FLAW = {"id": 1, "title": "made up", "severity": "high", "vulnerable_versions": "<99", "url": "https://example.org"}


def flawed_rich(body: bytes) -> Any:
    """Know of one flaw, in one package of Python."""
    return {"vulns": [FLAW]} if json.loads(body)["package"]["name"] == "rich" else {}


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def test_where_nobody_can_be_asked_the_audit_fails_and_says_so() -> None:
    """The whole of it, as `make audit` runs it: neither service is there, so nothing is known, and that is no 0."""
    command = [sys.executable, "-m", "tests.supply.audit", "--osv", CLOSED, "--npm", CLOSED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2, done.stderr
    said = done.stdout.splitlines()
    assert "Python packages could not be looked up" in said[0]
    assert "packages of the page could not be looked up" in said[1]
    assert said[2] == "audit: FAILED. What was not looked up may have any flaw."
    assert len(said) == 3


@pytest.mark.usefixtures("no_proxy")
def test_what_is_known_of_a_package_is_told() -> None:
    """With the version that has it no more; all others are looked up, in each of their versions, and good."""
    chosen = [*pins(RUNTIME), Pin("anyio", "4.0.0", ())]
    with serving(flawed_rich) as url:
        found = list(audited_python(chosen, url))

    version = next(pin.version for pin in chosen if pin.name == "rich")
    assert [(finding.said, finding.is_known) for finding in found] == [
        (f"rich {version} has NETLET-2026-1, fixed in 99", True)
    ]


@pytest.mark.usefixtures("no_proxy")
def test_packages_that_are_skipped_are_no_good_news() -> None:
    """A service that knows nothing of them, and pip-audit that finds nothing: that is what a false green is made of."""
    with serving(lambda _: None) as url:
        (finding,) = audited_python([Pin("rich", "14.0.0", ())], url)

    assert not finding.is_known
    assert finding.said.startswith("1 of 1 Python packages could not be looked up: rich 14.0.0")


@pytest.mark.skipif(node() is None, reason="needs a Node")
@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("is_flawed", [False, True])
def test_packages_of_the_page_are_looked_up(tmp_path: Path, *, is_flawed: bool) -> None:
    """All of them; what is known of one is told."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PAGE / name, tmp_path)
    with serving(lambda _: {"preact": [NPM_FLAW]} if is_flawed else {}) as url:
        found = list(audited_page(tmp_path, url))

    assert len(page_packages(tmp_path)) > 50
    assert [finding.is_known for finding in found] == [True] * is_flawed
    if is_flawed:
        assert "preact, of the page, has a high vulnerability" in found[0].said
