"""Snapshots: a model comes back to the last bit, and nothing that is not one comes in."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from app.engine.learning import learn
from app.engine.model import Model
from app.errors import (
    ModelNotFound,
    SnapshotDamaged,
    SnapshotFormatNewer,
)
from app.store import snapshot
from app.store.store import ModelStore
from tests.engine.tables import EXAM, ensemble, mixed, recipe, wave
from tests.store.conftest import QUICK
from tests.tutorial import X, Y


@pytest.mark.parametrize("y", [Y, np.hstack((Y, Y + 1)), ("no", "yes", "no"), ("a", "b", "c"), (True, False, True)])
def test_a_model_comes_back_to_the_last_bit(y: np.ndarray | tuple[str, ...], store: ModelStore) -> None:
    """Numbers, several targets, classes: every array and every word is as it was."""
    targets = ("score", "other")[: y.shape[1]] if isinstance(y, np.ndarray) else ("kind",)
    before = replace(learn(replace(EXAM, targets=targets, y=y), QUICK), tags={"team": "blue"}, description="first")

    stored = store.load("exam", store.publish("exam", before))

    assert stored.model.parameters.tobytes() == before.parameters.tobytes()
    assert stored.model.scores(X).tobytes() == before.scores(X).tobytes()
    assert snapshot.encode(stored.model) == snapshot.encode(before)
    assert (stored.model.recipe, stored.model.report) == (before.recipe, before.report)
    assert (stored.model.labels, stored.model.tags, stored.model.description) == (
        before.labels,
        {"team": "blue"},
        "first",
    )


def test_same_model_same_bytes(model: Model) -> None:
    """Nothing in a snapshot depends on when, where or under which name it is written."""
    assert snapshot.encode(model) == snapshot.encode(learn(EXAM, QUICK))


def test_safetensors_alone_can_read_a_snapshot(store: ModelStore, model: Model) -> None:
    """The library opens it; arrays and document are there."""
    store.publish("exam", model)

    with safe_open(store.root / "exam" / "1.safetensors", "numpy") as file:
        document = json.loads(file.metadata()["netlet"])
        weights = file.get_tensor("layers.1.W")

    assert [column["name"] for column in document["columns"]] == ["hours_studied", "hours_slept"]
    assert weights.shape == (1, 2, 16)


def test_any_changed_bit_is_found(store: ModelStore, model: Model) -> None:
    """Flip bits all over a file: none is served, and the error names file and reason."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    whole = path.read_bytes()
    for position in np.linspace(0, len(whole) - 1, 200).astype(int):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        path.write_bytes(broken)

        with pytest.raises((SnapshotDamaged, SnapshotFormatNewer), match="exam/1"):
            store.load("exam", 1)


@pytest.mark.parametrize("length", [0, 7, 8, 9, 500, -1])
def test_a_file_cut_short_is_found(length: int, store: ModelStore, model: Model) -> None:
    """At any length; the model before it is offered."""
    store.publish("exam", model)
    store.publish("exam", model)
    path = store.root / "exam" / "2.safetensors"
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(SnapshotDamaged, match="Ask for the version before it, exam/1"):
        store.load("exam", 2)
    assert store.load("exam", 1).version == 1


def named(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "levels": []} for name in names]


def resigned(data: bytes, arrays: dict[str, np.ndarray] | None, **changes: object) -> bytes:
    """A snapshot with another document or other arrays, but a checksum that fits."""
    end = snapshot.header_end(data)
    document = json.loads(json.loads(data[8:end])["__metadata__"]["netlet"]) | changes | {"sha256": "0" * 64}
    blank = save(load(data) | (arrays or {}), metadata={"netlet": json.dumps(document)})
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": named("a")},
        {"columns": []},
        {"columns": named("a", "a")},
        {"columns": [{"name": "a", "levels": ["x", "x"]}, {"name": "b", "levels": []}]},
        {"columns": [{"name": "a", "levels": ["x", "y", "z"]}, {"name": "b", "levels": []}]},
        {"targets": []},
        {"targets": ["a", "b"]},
        {"labels": ["a", "b"]},
        {"labels": ["a", "a"]},
        {"labels": [1.5]},
        {"unknown": 1},
        {"format": 0},
    ],
)
def test_a_forged_document_is_refused(changes: dict[str, object], store: ModelStore, model: Model) -> None:
    """A checksum that fits does not help: arrays and settings must fit each other."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    path.write_bytes(resigned(path.read_bytes(), None, **changes))

    with pytest.raises(SnapshotDamaged):
        store.load("exam", 1)


@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("task", None),
        ("task", "classification"),
        ("task", "multilabel"),
        ("network", {"hidden": None}),
        ("network", {"hidden": [17]}),
        ("network", {"hidden": [16, 1]}),
        ("network", {"hidden": [100_000, 100_000]}),
        ("network", {"activation": None}),
        ("network", {"activation": "eval"}),
        ("network", {"output_activation": None}),
        ("network", {"bias": False}),
        ("training", {"loss": None}),
        ("training", {"loss": "gaussian_nll"}),
        ("training", {"members": None}),
        ("training", {"members": 2}),
        ("training", {"precision": None}),
        ("training", {"precision": "float32"}),
        ("scaling", {"bins": 4}),
    ],
)
def test_forged_settings_are_refused(group: str, changes: Any, store: ModelStore, model: Model) -> None:
    """What decides how the arrays are used is there, and fits them."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    data = path.read_bytes()
    recipe = json.loads(json.loads(data[8 : snapshot.header_end(data)])["__metadata__"]["netlet"])["recipe"]
    recipe[group] = recipe[group] | changes if isinstance(changes, dict) else changes
    path.write_bytes(resigned(data, None, recipe=recipe))

    with pytest.raises(SnapshotDamaged):
        store.load("exam", 1)


def test_classes_cannot_become_more_than_a_sigmoid_tells_apart(store: ModelStore) -> None:
    """Three labels on one sigmoid would answer nonsense."""
    store.publish("kind", learn(replace(EXAM, y=("no", "yes", "no")), QUICK))
    path = store.root / "kind" / "1.safetensors"
    path.write_bytes(resigned(path.read_bytes(), None, labels=["a", "b", "c"]))

    with pytest.raises(SnapshotDamaged):
        store.load("kind", 1)


@pytest.mark.parametrize("name", ["features.missing", "features.edges"])
def test_encoders_that_make_no_sense_are_refused(name: str, store: ModelStore) -> None:
    """Edges that fall, and columns that had half a missing value."""
    store.publish("mixed", learn(mixed(), ensemble()))
    path = store.root / "mixed" / "1.safetensors"
    data = path.read_bytes()
    path.write_bytes(resigned(data, {name: -load(data)[name] - 0.5}))

    with pytest.raises(SnapshotDamaged):
        store.load("mixed", 1)


MODELS = {
    "members with everything": lambda: learn(mixed(), ensemble()),
    "embeddings of all": lambda: learn(mixed(), replace(ensemble(), scaling=replace(ensemble().scaling, one_hot=2))),
    "two targets": lambda: learn(wave(40, outputs=2), ensemble()),
    "yes or no": lambda: learn(replace(mixed(), y=(mixed().y > 1.5) * 1.0, multilabel=True), ensemble()),
    "a variance": lambda: learn(mixed(), ensemble(loss="gaussian_nll")),
    "counts": lambda: learn(replace(mixed(), y=abs(mixed().y)), recipe(loss="poisson", epochs=2)),
    "second derivatives": lambda: learn(wave(30), recipe(optimizer="levenberg_marquardt", epochs=3)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_comes_back_to_the_last_bit(kind: str, store: ModelStore) -> None:
    """Members, categories, embeddings, gaps, bins, other losses: same bytes, same answers."""
    before = MODELS[kind]()

    after = store.load("exam", store.publish("exam", before)).model

    cells = mixed().X if len(before.columns) > 2 else wave(30).X
    assert after.parameters.dtype == before.parameters.dtype
    assert after.scores(cells).tobytes() == before.scores(cells).tobytes()
    assert snapshot.encode(after) == snapshot.encode(before)


@pytest.mark.parametrize("name", ["features.scale", "target.scale", "range.lowest", "layers.1.W", "history.loss"])
@pytest.mark.parametrize("change", [lambda a: a * 0 - 1, lambda a: a * np.inf, lambda a: a[:1, ...], lambda a: a.T])
def test_a_forged_array_is_refused_or_harmless(name: str, change: Any, store: ModelStore, model: Model) -> None:
    """Scales below 0, infinities and other shapes are damage; what loads can be asked without an accident."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    data = path.read_bytes()
    arrays = load(data)
    with np.errstate(invalid="ignore"):
        path.write_bytes(resigned(data, arrays={name: np.ascontiguousarray(change(arrays[name]))}))

    try:
        stored = store.load("exam", 1)
    except SnapshotDamaged:
        return
    assert np.isfinite(stored.model.scores(X)).all()
    assert "scale" not in name or (arrays[name] > 0).all()


def test_curves_of_different_lengths_are_refused(store: ModelStore, model: Model) -> None:
    """A validation loss for each epoch, or none at all."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    path.write_bytes(resigned(path.read_bytes(), {"history.validation_loss": np.ones(1)}))

    with pytest.raises(SnapshotDamaged):
        store.load("exam", 1)


def test_a_huge_file_that_is_no_snapshot_is_not_read(store: ModelStore, model: Model) -> None:
    """The header tells; a file longer than it says is damaged."""
    store.publish("exam", model)
    with (store.root / "exam" / "2.safetensors").open("wb") as file:
        file.truncate(2**40)
    with (store.root / "exam" / "1.safetensors").open("ab") as file:
        file.truncate(2**40)

    for version in (1, 2):
        with pytest.raises(SnapshotDamaged):
            store.load("exam", version)


def test_weights_that_are_not_finite_are_refused(store: ModelStore, model: Model) -> None:
    """Neither written nor read."""
    broken = replace(model, parameters=model.parameters * np.nan)

    with pytest.raises(snapshot.Damage, match="arrays"):
        store.publish("exam", broken)
    with pytest.raises(ModelNotFound):
        store.versions("exam")


def test_a_newer_format_is_refused_untouched(store: ModelStore, model: Model) -> None:
    """The error says which netlet is needed; the list shows the model as unreadable."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    path.write_bytes(resigned(path.read_bytes(), None, format=3))

    with pytest.raises(SnapshotFormatNewer, match="Use a newer netlet"):
        store.load("exam", 1)
    assert store.listed("exam").damage == "format 3"
