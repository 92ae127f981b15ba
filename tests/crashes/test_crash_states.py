"""All that power cuts may leave of saves, deletions and checkpoints; and that a fault in their protocols is seen."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from safetensors.numpy import load

from app.jobs import checkpoints
from app.store import snapshot
from app.store.arrays import model_from
from app.store.files import read
from tests.crashes.disk import Site
from tests.crashes.protocols import FAST, Models, Protocol, TrainingStates, explore

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.timeout(300)]
MAKE: dict[str, Callable[..., Protocol]] = {"models": partial(Models, length=6), "checkpoints": TrainingStates}
HARMLESS = {
    ("fsync", "store.store.open", "models"): "a folder for incoming files that is lost is made anew",
    (
        "unlink",
        "jobs.checkpoints.keep < jobs.checkpoints.write",
        "job.checkpoints",
    ): "an older checkpoint takes space, no more",
    ("unlink", "jobs.checkpoints.clear", "job.checkpoints"): "nobody asks for a checkpoint of a job that is over",
}
"""Calls without which nothing that was told is untrue, each with the reason."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def rooms() -> Iterator[Callable[[], Path]]:
    """Make folders that go with the test."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        yield lambda: Path(tempfile.mkdtemp(dir=folder))


def explored(make: Callable[..., Protocol], rooms: Callable[[], Path], **how: Any) -> tuple[int, list[str], set[Site]]:
    """Record what is done, look at all that may be left of it, and give the calls of the system that it took."""
    first = how.pop("first", False)
    with closing(make(rooms(), **how)) as protocol:
        count, said = explore(protocol, rooms(), Random(1), first=first)
        return count, said, set(protocol.recorder.sites)


def test_no_power_cut_makes_untrue_what_was_told(rooms: Callable[[], Path]) -> None:
    """In more than 4,000 states: what was acknowledged is there, bit for bit, nothing by halves, nothing comes back."""
    histories: list[Callable[..., Protocol]] = [partial(Models, length=10, seed=seed) for seed in (1, 2)]
    found = [explored(make, rooms) for make in [*histories, TrainingStates]]

    assert not any(said for _, said, _ in found)
    assert sum(count for count, _, _ in found) >= 4000


@pytest.mark.parametrize("protocol", MAKE)
def test_every_sync_and_every_rename_is_needed(protocol: str, rooms: Callable[[], Path]) -> None:
    """Left out, or written in place instead of renamed, each makes something untrue, but for those that say why not."""
    with closing(MAKE[protocol](rooms())) as recorded:
        sites = set(recorded.recorder.sites)
    broken = [("lost", site) for site in sites] + [("in place", site) for site in sites if site[0] == "rename"]

    unseen = {one for one in broken if not explored(MAKE[protocol], rooms, broken=one, first=True)[1]}

    assert len(sites) >= 4
    assert {site for _, site in unseen} == HARMLESS.keys() & sites


def decoded_unchecked(data: bytes) -> Any:
    """Read a snapshot without looking at its SHA-256."""
    document = snapshot.read_document(data)
    return model_from(document, load(data)), document


def read_unchecked(name: str, folder: int) -> bytes:
    """Read a checkpoint without looking at its SHA-256."""
    return read(name, within=folder, most=2**30)[0]


CHECKS: dict[str, tuple[str, ModuleType, str, object]] = {
    "a snapshot's SHA-256": ("models", snapshot, "decode", decoded_unchecked),
    "a checkpoint's SHA-256": ("checkpoints", checkpoints, "_read", read_unchecked),
    "a second checkpoint": ("checkpoints", checkpoints, "KEPT", 1),
}


@contextmanager
def instead(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Put something in the place of a module's own for a while."""
    own = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, own)


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_needed(check: str, rooms: Callable[[], Path]) -> None:
    """Without it, a file that the disk has damaged is given out, or takes with it what could have been used."""
    protocol, module, name, value = CHECKS[check]

    with instead(module, name, value):
        _, said, _ = explored(MAKE[protocol], rooms, first=True)

    assert said
