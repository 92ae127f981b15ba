"""Models as bytes, learnt once for the tests of a file."""

import pytest

from app.models.learning import learn
from app.store import snapshot
from tests.conftest import QUICK
from tests.models.tables import EXAM, ensemble, mixed


@pytest.fixture(scope="module")
def exam() -> bytes:
    """A small model of numbers."""
    return snapshot.encode(learn(EXAM, QUICK))


@pytest.fixture(scope="module")
def members() -> bytes:
    """Members of float32 with categories, embeddings, gaps and bins."""
    return snapshot.encode(learn(mixed(), ensemble()))
