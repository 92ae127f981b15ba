"""A store in a folder of its own, and a model to put in it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.engine.config import TrainingConfig
from app.engine.learning import learn
from app.engine.model import Model
from app.engine.recipe import Recipe
from app.store.store import ModelStore
from tests.conftest import StoreIn
from tests.engine.tables import EXAM

QUICK = Recipe(training=TrainingConfig(optimizer="adam", epochs=2))


@pytest.fixture
def model() -> Model:
    return learn(EXAM, QUICK)


@pytest.fixture
def store(tmp_path: Path, store_in: StoreIn) -> Iterator[ModelStore]:
    with closing(store_in(tmp_path / "models")) as store:
        store.open()
        yield store
