"""Settings that nothing would use, and targets that cannot be learnt as set: said at once, with the remedy."""

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.errors import UnsuitableTarget
from app.models.learning import learn
from app.models.preprocessing import Scaling
from app.models.table import TrainingRows
from tests.models.tables import blobs, columns, mixed, recipe, wave


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"optimizer": "levenberg_marquardt", "dropout": 0.5}, "dropout means nothing to levenberg_marquardt"),
        ({"optimizer": "levenberg_marquardt", "l2": 1.0}, "l2 means nothing to levenberg_marquardt"),
        ({"optimizer": "lbfgs", "clip_norm": 1.0}, "clip_norm means nothing to lbfgs"),
        ({"optimizer": "lbfgs", "input_scale": True}, "input_scale means nothing to lbfgs"),
        ({"class_weight": "balanced"}, "class_weight means nothing to a target without classes"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(settings: dict[str, Any], named: str) -> None:
    """What is set means something, or is named."""
    with pytest.raises(UnsuitableTarget, match=named):
        learn(wave(20), recipe(epochs=1, **settings))


def test_settings_that_are_used_are_not_refused() -> None:
    """Also those that are 0 or false, as a model's own settings have them."""
    learn(wave(20), recipe(optimizer="lbfgs", epochs=1, l2=1.0, dropout=0.0, input_scale=False))
    learn(wave(20), recipe(optimizer="levenberg_marquardt", epochs=1, l2=0.0))
    learn(blobs(2), recipe(epochs=1, class_weight="balanced"))


def test_counts_are_not_negative() -> None:
    """The message names the loss, which was set, and not the scaling, which was not."""
    rows = TrainingRows(columns("a"), ("y",), np.arange(3.0)[:, np.newaxis], np.array([[1.0], [-2.0], [3.0]]))

    with pytest.raises(UnsuitableTarget, match="poisson learns counts, which are never negative"):
        learn(rows, recipe(loss="poisson"))


@pytest.mark.parametrize(("precision", "maximum"), [("float32", 1e-25), ("float64", 1e-200)])
def test_a_target_whose_squares_overflow_is_named_as_such(precision: str, maximum: float) -> None:
    """No learning rate would help, so none is blamed."""
    with pytest.raises(UnsuitableTarget, match=f"squares are beyond {precision}"):
        learn(wave(20), recipe(epochs=1, precision=precision, scaling=Scaling(target_maximum=maximum)))


def test_gaps_of_rows_that_were_held_out_can_be_answered() -> None:
    """A row that a model was judged by is one that it takes."""
    rows = wave(20)
    cells = rows.X.copy()
    for row in range(20):
        cells[row, 1] = np.nan
        model = learn(replace(rows, X=cells), recipe(epochs=1, validation=0.5))
        assert model.encoder.missing.tolist() == [0.0, 1.0]
        assert np.isfinite(model.scores(cells)).all()
        cells[row, 1] = rows.X[row, 1]


def test_many_rows_are_answered_in_little_memory() -> None:
    """Inputs are made block by block: of many bins, many times as many numbers as the rows have."""
    model = learn(wave(60), recipe(hidden=(), epochs=1, scaling=Scaling(bins=256)))
    cells = np.tile(wave(60).X, (200, 1))
    tracemalloc.start()
    try:
        model.scores(cells)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(model.encoder.bins[0]) > 100
    assert most < 0.2 * len(cells) * model.network.sizes[0] * 8


def test_the_model_s_own_cells_are_answered_whatever_the_block() -> None:
    """Blocks end at tiles: each row is answered once, in its place."""
    model = learn(mixed(), recipe(epochs=2))
    cells = np.tile(mixed().X, (300, 1))

    scores = model.scores(cells)

    assert scores.tobytes() == np.tile(model.scores(mixed().X), (300, 1)).tobytes()
