"""Fuzzing, briefly: `python -m tests.fuzzing --cases 10000` reads ten thousand mutations of each format."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import BadTable
from tests.fuzzing.running import run
from tests.fuzzing.targets import FAULTS, FAULTY, TARGETS, case_of, fault_of

CASES = dict.fromkeys(TARGETS, 1000) | {"parquet": 400, "arrow_stream": 500, "arrow_file": 500, "onnx": 200}
SEED = 7
EVENTFUL = 45  # with which a dozen cases of the faulty target have each fault


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_sent_is_read_or_refused(name: str) -> None:
    """Mutations of sound files, and forgeries: in bounded memory and time, and never by a fault of ours."""
    tally = run(name, CASES[name], SEED)

    assert tally.failures == []
    assert tally.cases == CASES[name]
    assert tally.outcomes["read"] > 0
    assert tally.outcomes.total() == CASES[name]


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_are_read(name: str, tmp_path: Path) -> None:
    """What mutations begin with gets as far as it can; types that no column has are refused by name."""
    target = TARGETS[name]

    with target.reading(tmp_path) as read:
        outcomes = [_outcome(read, data) for data in target.sound]

    assert outcomes.count("read") >= len(outcomes) / 2
    assert {outcome for outcome in outcomes if outcome != "read"} <= {"BadTable"}


def _outcome(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        read(data)
    except BadTable as error:
        return type(error).__name__
    return "read"


def test_a_case_is_the_same_each_time() -> None:
    """Whoever is told its number can look at it."""
    target = TARGETS["npy"]

    assert [case_of(target, 1, case) for case in range(20)] == [case_of(target, 1, case) for case in range(20)]
    assert case_of(target, 1, 3) != case_of(target, 2, 3)


def test_what_must_not_be_is_found() -> None:
    """An exception, memory that is asked for or taken, a signal, a hang: told with its case, and the next are read."""
    reasons = ("ZeroDivisionError", "asked for too much memory", "took 2", "signal 11", "hung for 2 s")
    said = dict(zip(FAULTS, reasons, strict=True))
    found = {case: fault_of(case_of(FAULTY, EVENTFUL, case)) for case in range(12)}
    faulty = {case: said[fault] for case, fault in found.items() if fault is not None}
    assert set(faulty.values()) == set(reasons)

    tally = run("faulty", len(found), EVENTFUL, patience=2)

    told = dict(failure.removeprefix("case ").split(": ", 1) for failure in tally.failures)
    assert {int(case) for case in told} == set(faulty)
    assert all(reason in told[str(case)] for case, reason in faulty.items())
