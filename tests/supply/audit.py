"""Looks up what is known against the packages of the locks; `make audit` runs it.

Nothing known is no good news where nobody could be asked: every package of every lock has to have been looked up, or
the audit has failed. pip-audit itself says "No known vulnerabilities found" of packages that it has skipped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.web.build_page import node
from tests.supply.locks import LOCKS, PAGE, ROOT, Pin, page_packages, pins

PIP_AUDIT = ROOT / ".venv-checks" / "bin" / "pip-audit"
SECONDS = 600
SHOWN = 3  # packages that are named of those that could not be looked up


class Finding(NamedTuple):
    """What speaks against a release."""

    said: str
    is_known: bool
    """Whether it is a vulnerability; else it is that nobody knows."""


def audited_python(chosen: Sequence[Pin], osv: str | None) -> Iterator[Finding]:
    """Have pip-audit look up pins, each of them."""
    service = [] if osv is None else ["--vulnerability-service", "osv", "--osv-url", osv]
    wanted = {(pin.name, pin.version) for pin in chosen}
    missing: dict[tuple[str, str], str] = {}
    for lot in _lots(wanted):
        answer, said = _pip_audit(lot, service)
        found = {(each["name"], each.get("version")): each for each in answer}
        for name, version in lot:
            each = found.get((name, version))
            if each is None:
                missing[name, version] = next((each["skip_reason"] for each in answer if each["name"] == name), said)
                continue
            for flaw in each["vulns"]:
                fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
                yield Finding(f"{name} {version} has {flaw['id']}, fixed in {fixed}", is_known=True)
    if missing:
        named = ", ".join(f"{name} {version}" for name, version in sorted(missing)[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        why = next(iter(missing.values()))
        said = f"{len(missing)} of {len(wanted)} Python packages could not be looked up: {named}{more} ({why})"
        yield Finding(said, is_known=False)


def _lots(wanted: set[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Share them out so that no name is twice in a lot: pip-audit would take one of the versions."""
    versions = defaultdict(list)
    for name, version in sorted(wanted):
        versions[name].append(version)
    for turn in range(max(map(len, versions.values()), default=0)):
        yield [(name, of_it[turn]) for name, of_it in versions.items() if turn < len(of_it)]


def _pip_audit(lot: list[tuple[str, str]], service: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Give what pip-audit has found of each, as far as it has an answer, and the last that it said."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("".join(f"{name}=={version}\n" for name, version in lot), encoding="utf-8")
        words = ["--requirement", str(requirements), "--no-deps", "--disable-pip", "--format", "json"]
        words += ["--progress-spinner", "off", "--cache-dir", f"{folder}/cache", *service]
        done = _run([str(PIP_AUDIT), *words])
    try:
        answer: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        answer = []
    return answer, next(reversed(done.stderr.strip().splitlines()), "pip-audit has no answer")


def audited_page(folder: Path, registry: str | None) -> Iterator[Finding]:
    """Have npm look up the packages of the page, those too that only build it."""
    packages, command = page_packages(folder), node()
    if command is None:
        yield Finding(f"{len(packages)} packages of the page could not be looked up: there is no Node", is_known=False)
        return
    words = ["audit", "--json", "--package-lock-only", "--fetch-retries", "0"]
    words += [] if registry is None else ["--registry", registry]
    done = _run([*command, *words], folder)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    looked_up = answer.get("metadata", {}).get("dependencies", {}).get("total", 0)
    if looked_up < len(packages):
        why = answer.get("message") or "npm has no answer"
        said = f"{len(packages) - looked_up} of {len(packages)} packages of the page could not be looked up ({why})"
        yield Finding(said, is_known=False)
    for name, flaw in answer.get("vulnerabilities", {}).items():
        yield Finding(f"{name}, of the page, has a {flaw['severity']} vulnerability ({flaw['range']})", is_known=True)


def _run(command: list[str], folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell what was found; give 0 where all was looked up and nothing is known, 1 where something is, else 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--osv", help="ask a service that speaks OSV's language, and not PyPI")
    parser.add_argument("--npm", help="ask another registry about the page")
    asked = parser.parse_args(arguments)
    chosen = [pin for lock in LOCKS for pin in pins(lock)]
    found = [*audited_python(chosen, asked.osv), *audited_page(PAGE, asked.npm)]
    for finding in found:
        print(f"audit: {finding.said}.")  # noqa: T201 - a program prints
    if not all(finding.is_known for finding in found):
        print("audit: FAILED. What was not looked up may have any flaw.")  # noqa: T201 - the same
        return 2
    if found:
        return 1
    count = len({(pin.name, pin.version) for pin in chosen})
    print(f"audit: nothing is known against {count} Python packages of {len(LOCKS)} locks and those of the page.")  # noqa: T201 - the same
    return 0


if __name__ == "__main__":
    sys.exit(main())
