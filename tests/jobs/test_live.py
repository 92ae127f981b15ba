"""A network while it learns, written by one process and read by another."""

from pathlib import Path

import numpy as np
import pytest

from app.engine.control import Control
from app.jobs.live import LiveReader, LiveWriter
from app.models.learning import learn
from app.models.model import Model
from tests.models.tables import EXAM, recipe


def test_what_was_read_once_is_not_read_again(tmp_path: Path, model: Model) -> None:
    """The network is told first, then its parameters, each time that there are others."""
    parameters = model.parameters.copy()
    writer, reader = LiveWriter(tmp_path / "x-1.live"), LiveReader()
    writer.begin(model, lambda: parameters)

    assert reader.read(writer.path) is None
    writer(3, now=True)
    first, again = reader.read(writer.path), reader.read(writer.path)
    parameters += 1.0
    writer(4, now=True)
    second = reader.read(writer.path)

    assert first is not None
    assert again is None
    assert second is not None
    assert (first.epoch, first.is_other, second.epoch, second.is_other) == (3, True, 4, False)
    assert (second.model.parameters == first.model.parameters + 1.0).all()
    assert first.model.columns == model.columns


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_network_is_shown_in_the_numbers_that_it_learns_in(tmp_path: Path, precision: str) -> None:
    """Though it is drawn in others."""
    writer, reader = LiveWriter(tmp_path / "x-1.live"), LiveReader()
    control = Control(on_begin=writer.begin, on_epoch=lambda progress: writer(progress.epoch, now=True))

    learn(EXAM, recipe(precision=precision, epochs=3), control=control)
    live = reader.read(writer.path)

    assert live is not None
    assert (live.epoch, live.model.parameters.dtype) == (3, np.dtype(precision))


def test_another_attempt_is_another_network(tmp_path: Path, model: Model) -> None:
    """Though it may stand at the same epoch."""
    reader = LiveReader()
    for attempt in (1, 2):
        writer = LiveWriter(tmp_path / f"x-{attempt}.live")
        writer.begin(model, lambda: model.parameters)
        writer(7, now=True)
        live = reader.read(writer.path)
        assert live is not None
        assert live.is_other


@pytest.mark.parametrize("damage", [b"", b"123", b"\0" * 8, b"\0" * 9])
def test_what_cannot_be_read_is_not_shown(tmp_path: Path, model: Model, damage: bytes) -> None:
    """Half a file, or none: whoever follows sees the rest."""
    writer = LiveWriter(tmp_path / "x-1.live")
    writer.begin(model, lambda: model.parameters)
    writer(1, now=True)
    for file in tmp_path.iterdir():
        kept = file.read_bytes()
        file.write_bytes(damage)
        assert LiveReader().read(writer.path) is None
        file.write_bytes(kept)
    assert LiveReader().read(writer.path) is not None


def test_a_folder_that_is_gone_stops_no_training(tmp_path: Path, model: Model) -> None:
    """It is shown again when it is there again; large networks are not shown at all."""
    folder = tmp_path / "jobs"
    writer = LiveWriter(folder / "x-1.live")
    writer.begin(model, lambda: model.parameters)
    writer(1, now=True)
    folder.mkdir()
    writer(2, now=True)
    assert LiveReader().read(writer.path) is not None

    writer.begin(model, lambda: model.parameters)
    wide = LiveWriter(folder / "y-1.live")
    large = model.__class__(**(vars(model) | {"parameters": np.zeros((200, model.parameters.shape[1] * 200))}))
    wide.begin(large, lambda: large.parameters)
    wide(1, now=True)
    assert not wide.path.exists()
