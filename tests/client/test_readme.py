"""README's programs in Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.test_readme import README, blocks


def test_readme_shows_how_to_ask_a_service(url: str, tmp_path: Path) -> None:
    """Run as it is, it trains, asks and lists."""
    (program,) = [block for block in blocks(README, "python") if "Client()" in block]
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"NETLET_URL": url, "PYTHONPATH": root}

    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    answer = next(line for line in lines if line.endswith("[False]"))
    assert float(answer.split("]")[0].strip("[")) == pytest.approx(90.35334158360055, abs=1e-9)
    assert any(line.startswith("1000 0.000") for line in lines)
    assert any(line.startswith("exam [1") for line in lines)
