"""Snapshots: every kind of model comes back to the last bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from app.models.learning import learn
from app.models.model import Model
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import UNSEEN, TrainingRows
from app.store import snapshot
from app.store.store import ModelStore
from app.tables.answered import in_words
from tests.conftest import QUICK
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe, wave
from tests.store import reader
from tests.tutorial import Y

MIXED, WAVE, EMBEDDED = mixed(), wave(40), replace(ensemble(), scaling=Scaling(one_hot=2))
YES_OR_NO = replace(MIXED, targets=("a", "b"), y=np.eye(2)[np.arange(60) % 2], multilabel=True)
FEW_YEARS = replace(EXAM, y=(2024, 2025, 2024))

KINDS: dict[str, tuple[TrainingRows, Recipe]] = {
    "one network": (EXAM, QUICK),
    "two targets": (replace(EXAM, targets=("score", "other"), y=np.hstack((Y, Y + 1))), QUICK),
    "chosen for few rows": (EXAM, Recipe()),
    "chosen for few labels": (FEW_YEARS, Recipe()),
    "no bias": (EXAM, replace(QUICK, network=replace(QUICK.network, bias=False))),
    "no hidden layer": (EXAM, recipe(hidden=(), epochs=2)),
    "members with everything": (MIXED, ensemble()),
    "everything in float64": (MIXED, ensemble(precision="float64")),
    "embeddings of all": (MIXED, EMBEDDED),
    "bins": (WAVE, recipe(epochs=3, scaling=Scaling(features="minmax", bins=5), members=2, precision="float32")),
    "one row held out": (WAVE, recipe(epochs=3, validation=0.03)),
    "two texts": (replace(EXAM, y=("no", "yes", "no")), QUICK),
    "three texts": (blobs(3), ensemble()),
    "true and false": (replace(EXAM, y=(True, False, True)), QUICK),
    "whole numbers": (FEW_YEARS, QUICK),
    "two classes, two outputs": (blobs(2), replace(QUICK, network=replace(QUICK.network, output_activation="softmax"))),
    "yes or no": (YES_OR_NO, ensemble()),
    "a variance": (MIXED, ensemble(loss="gaussian_nll")),
    "a quantile": (WAVE, recipe(epochs=2, loss="quantile", quantile=0.9)),
    "counts": (replace(WAVE, y=np.arange(40.0)[:, np.newaxis]), recipe(epochs=2, loss="poisson")),
    "squares": (WAVE, recipe(optimizer="levenberg_marquardt", epochs=3)),
    "curvature": (WAVE, recipe(optimizer="lbfgs", epochs=3, members=2)),
}


def cells_for(model: Model) -> np.ndarray:
    """Rows unlike those of the training: other numbers, missing ones, and levels that were not there."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-3, 3, (5, len(model.columns)))
    for index, column in enumerate(model.columns):
        if column.levels:
            X[:, index] = rng.integers(UNSEEN, len(column.levels), len(X))
    X[0, model.encoder.missing > 0] = np.nan
    return X


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_comes_back_to_the_last_bit(kind: str, store: ModelStore) -> None:
    """Equal bytes, equal answers, and every word as it was."""
    rows, how = KINDS[kind]
    before = replace(learn(rows, how), tags={"team": "blue"}, description="first")

    after = store.load("exam", store.publish("exam", before)).model

    cells = cells_for(before)
    assert after.member_scores(cells).tobytes() == before.member_scores(cells).tobytes()
    assert in_words(after, after.scores(cells)) == in_words(before, before.scores(cells))
    assert (after.temperature, after.neighbours.near) == (before.temperature, before.neighbours.near)
    assert after.distances(cells).tobytes() == before.distances(cells).tobytes()
    assert [array.tobytes() for array in vars(after.misses).values()] == [
        array.tobytes() for array in vars(before.misses).values()
    ]
    assert [array.tobytes() for array in vars(after.pairs).values()] == [
        array.tobytes() for array in vars(before.pairs).values()
    ]
    assert after.encoder.in_range(rows.X).tolist() == before.encoder.in_range(rows.X).tolist()
    assert (after.parameters.dtype, after.parameters.tobytes()) == (
        before.parameters.dtype,
        before.parameters.tobytes(),
    )
    assert (after.columns, after.targets, after.labels) == (before.columns, before.targets, before.labels)
    assert list(map(type, after.labels)) == list(map(type, before.labels))
    assert (after.network, after.recipe, after.report) == (before.network, before.recipe, before.report)
    assert (after.tags, after.description) == ({"team": "blue"}, "first")
    assert snapshot.encode(after) == snapshot.encode(before)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_answers_as_its_documentation_says(kind: str) -> None:
    """Whoever follows models/README.md, without netlet, computes what netlet answers."""
    model = learn(*KINDS[kind])
    cells = cells_for(model)

    answers = reader.scores(snapshot.encode(model), cells)

    assert np.allclose(answers, model.scores(cells), rtol=1e-5 if model.parameters.dtype == np.float32 else 1e-12)


def test_same_model_same_bytes(model: Model) -> None:
    """Nothing in a snapshot depends on when, where or under which name it is written."""
    assert snapshot.encode(model) == snapshot.encode(learn(EXAM, QUICK))


def test_safetensors_alone_can_read_a_snapshot(store: ModelStore) -> None:
    """The library opens it; arrays and document are there, by the names and shapes that models/README.md gives."""
    store.publish("mixed", learn(MIXED, ensemble()))

    with safe_open(store.root / "mixed" / "1.safetensors", "numpy") as file:
        document = json.loads(file.metadata()["netlet"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping

    assert (document["format"], document["columns"][1]) == (3, {"name": "pair", "levels": [False, True]})
    inputs = arrays["layers.1.W"].shape[1]
    assert {name: array.shape for name, array in arrays.items()} == {
        **dict.fromkeys(("features.center", "features.scale", "features.fill", "features.missing"), (4,)),
        **dict.fromkeys(("range.lowest", "range.highest", "neighbours.scale"), (4,)),
        "features.edges": (8, 4),
        "neighbours.rows": (len(MIXED.X), 4),
        "misses.sizes": (document["report"]["rows_held_out"], 1),
        **dict.fromkeys(("misses.knots", "misses.usual"), (8, 1)),
        **dict.fromkeys(("pairs.answers", "pairs.truth"), (document["report"]["rows_held_out"], 1)),
        **dict.fromkeys(("target.center", "target.scale"), (1,)),
        **dict.fromkeys(("history.loss", "history.validation_loss"), (document["report"]["epochs"],)),
        "layers.1.W": (3, inputs, 6),
        "layers.2.W": (3, 6, 5),
        "layers.3.W": (3, 5, 1),
        "layers.1.b": (3, 6),
        "layers.2.b": (3, 5),
        "layers.3.b": (3, 1),
        "embeddings.1": (3, 10, 8),
    }
    small = {name for name, array in arrays.items() if array.dtype == np.float32}
    assert small == {name for name in arrays if name.startswith(("layers", "embeddings"))}
