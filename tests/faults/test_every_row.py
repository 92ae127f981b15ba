"""docs/faults.md: every fault of the table has a test that is named by its number, and is named beside it."""

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
FAULTS = range(1, 89)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def faults_tested() -> dict[int, set[str]]:
    """Find the tests that pytest would, by the number of their fault."""
    found = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ""
            if number := re.match(r"test_fault_(\d\d)_", name):
                found[int(number[1])].add(name)
    return found


def test_every_fault_has_a_test() -> None:
    """And no test has the number of a fault that there is not."""
    assert sorted(faults_tested()) == list(FAULTS)


def test_the_page_of_faults_says_what_is_tested() -> None:
    """Each fault once, in order, with what is answered, and all of its tests by name."""
    rows = ROW.findall(PAGE)

    assert [int(number) for number, *_ in rows] == list(FAULTS)
    found = faults_tested()
    for number, *_, named in rows:
        assert set(re.findall(r"`(\w+)`", named)) == found[int(number)], number
    assert "docs/faults.md" in README
