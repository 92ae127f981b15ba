"""Checkpoints on the disk: whole or not there, of this training or not used."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from app.engine.control import Checkpoint, Control
from app.jobs.checkpoints import KEPT, Checkpoints
from app.models.learning import learn
from tests.models.controls import noting, told
from tests.models.tables import ensemble, wave

ROWS = wave(60)
ASKED = ensemble(epochs=200, patience=None, generator="mt19937")
SHORT = replace(ASKED, training=replace(ASKED.training, epochs=4))


@pytest.fixture
def made() -> list[Checkpoint]:
    """One checkpoint for each of four epochs."""
    checkpoints: list[Checkpoint] = []
    learn(ROWS, SHORT, control=noting(checkpoints))
    return checkpoints


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "job"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_read_as_it_was_written(made: list[Checkpoint], folder: Path) -> None:
    """Every array to its last bit, and every fact; whoever goes on from it comes to the same bytes."""
    Checkpoints(folder, "order").save(made[1])

    read = Checkpoints(folder, "order").load()

    assert read is not None
    assert (read.epoch, read.facts) == (2, made[1].facts)
    assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in read.arrays.items()} == {
        name: (array.dtype, array.shape, array.tobytes()) for name, array in made[1].arrays.items()
    }
    assert told(learn(ROWS, SHORT, control=Control(resume=read))) == told(learn(ROWS, SHORT))


def test_where_nothing_was_written_there_is_nothing_to_go_on_from(folder: Path) -> None:
    """Neither without a folder, nor in an empty one."""
    assert Checkpoints(folder, "order").load() is None
    folder.mkdir(parents=True)
    assert Checkpoints(folder, "order").load() is None


def test_only_the_last_two_are_kept(made: list[Checkpoint], folder: Path) -> None:
    """With what killed writers left behind, all others go; each is a safetensors file that others can read."""
    checkpoints = Checkpoints(folder, "order")
    checkpoints.save(made[0])
    (folder / "0123456789abcdef").write_bytes(b"half a checkpo")

    for checkpoint in made[1:]:
        checkpoints.save(checkpoint)

    assert [name[:9] for name in names(folder)] == ["00000003-", "00000004-"]
    assert len(names(folder)) == KEPT
    arrays = load_file(folder / names(folder)[0])
    np.testing.assert_array_equal(arrays["parameters"], made[2].arrays["parameters"])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def plant(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [cut, flip, plant, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_not_used(
    damage: Callable[[Path], Any], made: list[Checkpoint], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one before it is, and the log says so; the damaged one stands in nobody's way any longer."""
    checkpoints = Checkpoints(folder, "order")
    for checkpoint in made[:2]:
        checkpoints.save(checkpoint)
    damage(folder / names(folder)[1])

    first, second = checkpoints.load(), checkpoints.load()

    assert first is not None
    assert second is not None
    assert first.epoch == second.epoch == 1
    assert caplog.text.count("is not used") == 1
    assert [name[:9] for name in names(folder)] == ["00000001-"]


@pytest.mark.parametrize("other", [{"order": "other"}, {"netlet": "0.0.0"}, {"numpy": "0.0.0"}])
def test_a_checkpoint_of_another_training_is_not_used(
    other: dict[str, str], made: list[Checkpoint], folder: Path
) -> None:
    """Nor one that was written by another netlet, or with another NumPy: its bytes could be others."""
    theirs, ours = Checkpoints(folder, "order"), Checkpoints(folder, "order")
    theirs.origin |= other
    theirs.save(made[0])

    assert ours.load() is None
    assert names(folder) == []


def test_a_training_is_over_without_a_checkpoint(folder: Path) -> None:
    """Only one that goes on is written down, and not at once."""
    checkpoints = Checkpoints(folder, "order")

    assert not checkpoints.is_due(None)
    checkpoints.due = 0.0
    assert checkpoints.is_due(None)
    assert not checkpoints.is_due("epochs")


def test_the_next_checkpoint_is_not_due_at_once(made: list[Checkpoint], folder: Path) -> None:
    """Time goes into the training first."""
    checkpoints = Checkpoints(folder, "order")
    checkpoints.due = 0.0

    checkpoints.save(made[0])

    assert not checkpoints.is_due(None)


@contextmanager
def small_files() -> Iterator[None]:
    """Let files end after 1,000 bytes, as on a full disk; those of the test run too, so that it is no fixture."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_ends_no_training(made: list[Checkpoint], folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It goes on without a checkpoint, and the log says why."""
    checkpoints = Checkpoints(folder, "order")
    checkpoints.due = 0.0

    with small_files():
        checkpoints.save(made[0])

    assert "no checkpoint after epoch 1: The disk is full" in caplog.text
    assert checkpoints.load() is None
    assert names(folder) == []
    assert not checkpoints.is_due(None)


def test_cleared_is_as_if_nothing_had_been(made: list[Checkpoint], folder: Path) -> None:
    """Twice does no harm."""
    checkpoints = Checkpoints(folder, "order")
    checkpoints.save(made[0])

    checkpoints.clear()
    checkpoints.clear()

    assert not folder.exists()
    assert checkpoints.load() is None


def train(folder: Path) -> None:
    """Train, write down every epoch, and say so."""
    checkpoints = Checkpoints(folder, "order")
    control = Control(
        on_epoch=lambda progress: print(progress.epoch, flush=True),  # noqa: T201 - the other process reads it
        is_due=lambda _stopped: True,
        save=checkpoints.save,
    )
    learn(ROWS, ASKED, control=control)


@pytest.mark.parametrize("moment", [0.0, 0.002])
def test_what_kill_9_interrupts_is_gone_on_with(moment: float, folder: Path) -> None:
    """Killed while it writes, or between: another process ends with the bytes of a training that was left in peace."""
    script = "import sys, pathlib, tests.jobs.test_checkpoints as it; it.train(pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 5:
            pass
        sleep(moment)
        process.kill()

    checkpoint = Checkpoints(folder, "order").load()

    assert process.returncode == -signal.SIGKILL
    assert checkpoint is not None
    assert checkpoint.epoch >= 4
    assert told(learn(ROWS, ASKED, control=Control(resume=checkpoint))) == told(learn(ROWS, ASKED))
