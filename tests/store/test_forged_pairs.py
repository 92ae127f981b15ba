"""Pairs of answer and truth in a snapshot: what cannot be there is damage."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load

from app.models.learning import learn
from app.models.pairs import MOST_PAIRS
from app.store import snapshot
from app.store.document import Damage
from tests.conftest import QUICK
from tests.models.tables import EXAM, blobs, recipe
from tests.store.forging import rearrayed

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def classes() -> bytes:
    """A model of three classes that was judged by rows held out."""
    return snapshot.encode(learn(blobs(3), recipe(epochs=2, validation=0.5)))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("pairs.answers", lambda a: a[:, :2], "pairs.answers is not of shape"),
        ("pairs.answers", lambda a: a[:5], "pairs.truth is not of shape"),
        ("pairs.answers", lambda a: np.tile(a, (MOST_PAIRS, 1)), "pairs.answers is not of shape"),
        ("pairs.answers", lambda a: a * np.nan, "pairs.answers holds numbers"),
        ("pairs.answers", lambda a: a[0, 0], "pairs.answers is not of shape"),
        ("pairs.truth", lambda a: a + 0.5, "pairs.truth holds numbers"),
        ("pairs.truth", lambda a: a + 1, "pairs.truth holds numbers"),
        ("pairs.truth", lambda a: a - 1, "pairs.truth holds numbers"),
        ("misses.sizes", lambda a: a[0, 0], "misses.sizes is not of shape"),
        ("neighbours.rows", lambda a: a[0, 0], "neighbours.rows is not of shape"),
    ],
)
def test_forged_pairs_are_refused(name: str, change: Change, reason: str, classes: bytes) -> None:
    """Of other shapes than labels and rows have, more than are kept, and labels that there are not."""
    with np.errstate(invalid="ignore"):
        changed = np.ascontiguousarray(change(load(classes)[name]))

    with pytest.raises(Damage, match=reason):
        snapshot.decode(rearrayed(classes, {name: changed.reshape(change(load(classes)[name]).shape)}))


def test_a_model_may_have_no_pairs() -> None:
    """As one has none that answers the rows it is judged by with what is no number."""
    model = learn(EXAM, QUICK)
    without = replace(model, pairs=type(model.pairs).none(1, 1))

    assert len(snapshot.decode(snapshot.encode(without))[0].pairs) == 0
