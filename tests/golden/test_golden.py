"""Golden files: what was ever released is read, and answers as it did."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.store.document import FORMAT
from tests.golden.files import NEWEST, Golden, all_of_them, answers_of
from tests.golden.kinds import KINDS
from tests.golden.machine import kind
from tests.golden.make import main
from tests.measuring import unmeasured

GOLDEN = all_of_them()
NAMES = [f"{golden.snapshot.parent.name}/{golden.snapshot.stem}" for golden in GOLDEN]
MOST_BYTES = 300_000
TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
OLD_KERNELS = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3"}


def farthest(then: Any, now: Any, scale: float) -> float:
    """How far numbers are from those of then, as a share of their size or of the scale; infinite if they are others."""
    if isinstance(then, dict) and isinstance(now, dict) and then.keys() == now.keys():
        return max((farthest(then[key], now[key], scale) for key in then), default=0)
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return max((farthest(*pair, scale) for pair in zip(then, now, strict=True)), default=0)
    if type(then) is type(now) is float:
        return abs(then - now) / max(abs(then), abs(now), scale)
    return 0 if then == now and type(then) is type(now) else math.inf


def precision_of(golden: Golden) -> str:
    return "float32" if b'\\"precision\\":\\"float32\\"' in golden.snapshot.read_bytes() else "float64"


def largest(told: Any) -> float:
    """The size of answers, below which a difference is no difference."""
    return max((abs(each) for each in _numbers(told)), default=1.0)


def _numbers(told: Any) -> list[float]:
    if isinstance(told, list | dict):
        return [number for each in (told.values() if isinstance(told, dict) else told) for number in _numbers(each)]
    return [told] if isinstance(told, float) else []


def test_there_is_a_set_of_each_format_and_it_is_small() -> None:
    """Of the one that is written now, too; with every kind, and never made over."""
    formats = {int(path.name.removeprefix("format-")) for path in NEWEST.parent.glob("format-*")}

    assert formats == set(range(3, FORMAT + 1))  # 1 and 2 were in no release
    assert {path.stem for path in NEWEST.glob("*.safetensors")} == set(KINDS)
    for path in NEWEST.parent.glob("format-*"):
        assert sum(file.stat().st_size for file in path.iterdir()) < MOST_BYTES


def test_a_set_is_never_made_over(capsys: pytest.CaptureFixture[str]) -> None:
    """The script that makes one leaves one that is there as it is."""
    before = {path: path.stat().st_mtime_ns for path in NEWEST.iterdir()}

    assert main() == 1

    assert {path: path.stat().st_mtime_ns for path in NEWEST.iterdir()} == before
    assert "stays as it is" in capsys.readouterr().err


@pytest.mark.parametrize("golden", GOLDEN, ids=NAMES)
async def test_a_model_of_then_answers_as_then(golden: Golden, tmp_path: Path) -> None:
    """To the last bit on the kind of machine that it was made on, with the same NumPy.

    Others order their sums otherwise: there, words and truths are the same, and numbers to the last digits but some.
    """
    told = golden.told
    then = told["answered"]

    now = await answers_of(golden, tmp_path / "models")

    assert farthest(then, now, largest(then)) <= TOLERANCES[precision_of(golden)]
    if told["machine"] != kind():
        pytest.skip(f"not to the last bit: made on {told['machine']}, and this is {kind()}")
    assert json.dumps(now) == json.dumps(then)


@pytest.mark.skipif(kind()["machine"] != "x86_64", reason="kernels of other machines have other names")
def test_that_holds_with_kernels_of_other_processors() -> None:
    """Those of an old one, in a process that may use no others; the last bits are not compared there."""
    this = "tests/golden/test_golden.py::test_a_model_of_then_answers_as_then"
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:randomly", "-rs", this]

    run = subprocess.run(
        command, env=unmeasured() | OLD_KERNELS, capture_output=True, text=True, check=False, timeout=100
    )

    assert run.returncode == 0, run.stdout
    assert f" {len(GOLDEN)} skipped in" in run.stdout
    assert "Nehalem" in run.stdout
