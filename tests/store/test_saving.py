"""Many snapshots saved at once: each whole, and none that nobody could read."""

import os
from dataclasses import replace

import numpy as np
import pytest

from app.models.model import Model
from app.store import snapshot
from app.store.saving import save_all_aside
from app.store.store import ModelStore


def test_many_are_what_each_alone_is(store: ModelStore, model: Model) -> None:
    """The same bytes, and the SHA-256 that they say of themselves."""
    first, second = save_all_aside(store.root, [model, replace(model, description="other")], "word")

    assert first is not None
    assert second is not None
    data = (store.root / ".incoming" / first.aside).read_bytes()
    assert data == snapshot.encode(model)
    assert snapshot.decode(data)[1].sha256 == first.sha256
    assert first.aside.startswith("word-")
    assert first.sha256 != second.sha256


def test_what_nobody_could_read_is_not_saved_and_the_others_are(
    store: ModelStore, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told the log."""
    wild = replace(model, parameters=np.full_like(model.parameters, np.nan))

    saves = save_all_aside(store.root, [wild, model], "word")

    assert [saved is None for saved in saves] == [True, False]
    assert len(os.listdir(store.root / ".incoming")) == 1  # noqa: PTH208 - names
    assert "could not be read again" in caplog.text
