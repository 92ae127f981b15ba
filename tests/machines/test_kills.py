"""Servers that share nothing but a database, a bucket and a cluster: whatever of them is killed, nothing is lost."""

from pathlib import Path

import pytest

from tests.machines.kills import run
from tests.machines.machines import TARGETS

pytestmark = [pytest.mark.only_on("s3"), pytest.mark.timeout(300)]


def test_whatever_is_killed_nothing_that_was_told_is_untrue(tmp_path: Path) -> None:
    """One of each kind, under load: no model, job, dataset or alias is lost, halved or doubled."""
    tally = run([*TARGETS], 2, tmp_path)

    assert not [what for what in tally if what.startswith("FAULT")], tally
    assert sum(count for what, count in tally.items() if what.startswith("kills")) == len(TARGETS)
    assert tally["train"]
