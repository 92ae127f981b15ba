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
from tests.engine.tables import EXAM
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

    assert document["columns"] == ["hours_studied", "hours_slept"]
    assert weights.shape == (2, 16)


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


def resigned(data: bytes, arrays: dict[str, np.ndarray] | None, **changes: object) -> bytes:
    """A snapshot with another document or other arrays, but a checksum that fits."""
    end = snapshot.header_end(data)
    document = json.loads(json.loads(data[8:end])["__metadata__"]["netlet"]) | changes | {"sha256": "0" * 64}
    blank = save(load(data) | (arrays or {}), metadata={"netlet": json.dumps(document)})
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": ["a"]},
        {"columns": []},
        {"columns": ["a", "a"]},
        {"targets": []},
        {"targets": ["a", "b"]},
        {"labels": ["a", "b"]},
        {"labels": ["a", "a"], "recipe": {"network": {"output_activation": "sigmoid"}, "task": "classification"}},
        {"recipe": {"network": {}, "task": "regression"}},
        {"recipe": {"network": {"output_activation": "identity"}}},
        {"recipe": {"network": {"output_activation": "softmax"}, "task": "classification"}, "labels": ["a", "b"]},
        {"recipe": {"network": {"hidden": [100_000, 100_000], "output_activation": "identity"}, "task": "regression"}},
        {"columns": ["a", "b", "c"]},
        {"labels": [1.5]},
        {"unknown": 1},
        {"format": 0},
        {"recipe": {"network": {"hidden": [17], "output_activation": "identity"}, "task": "regression"}},
        {"recipe": {"network": {"hidden": [16, 1], "output_activation": "identity"}, "task": "regression"}},
        {"recipe": {"network": {"output_activation": "identity"}, "task": "classification"}},
        {"recipe": {"network": {"activation": "eval"}}},
    ],
)
def test_a_forged_document_is_refused(changes: dict[str, object], store: ModelStore, model: Model) -> None:
    """A checksum that fits does not help: arrays and settings must fit each other."""
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    path.write_bytes(resigned(path.read_bytes(), None, **changes))

    with pytest.raises(SnapshotDamaged):
        store.load("exam", 1)


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
    path.write_bytes(resigned(path.read_bytes(), None, format=2))

    with pytest.raises(SnapshotFormatNewer, match="Use a newer netlet"):
        store.load("exam", 1)
    assert store.listed("exam").damage == "format 2"
