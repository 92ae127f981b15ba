"""Forged snapshots: what no training writes is refused by its name, or harmless."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from app.errors import BadTable
from app.models.learning import learn
from app.store import snapshot
from app.store.document import Damage
from tests.conftest import QUICK
from tests.models.tables import EXAM, mixed
from tests.store.forging import document_of, rearrayed, redocumented, signed


def test_a_forger_who_changes_nothing_is_not_noticed(exam: bytes, members: bytes) -> None:
    """What the tests below change is what is refused, not how they change it."""
    for data in (exam, members):
        model, _ = snapshot.decode(redocumented(data))
        assert snapshot.encode(model) == data


def sent(*kinds: str) -> list[dict[str, object]]:
    columns = ("hours_studied", "hours_slept")
    return [{"name": name, "kind": kind, "missing": 0.0} for name, kind in zip(columns, kinds, strict=True)]


def named(*names: str, levels: tuple[object, ...] = ()) -> list[dict[str, object]]:
    return [{"name": name, "levels": levels} for name in names]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"columns": named("a")}, "features.center is not of shape"),
        ({"columns": []}, "no columns"),
        ({"columns": named("a", "a")}, "two of one name"),
        ({"columns": ["hours_studied", "hours_slept"]}, "header"),
        ({"columns": [{"name": "a", "levels": [], "unit": "h"}, *named("b")]}, "header"),
        ({"columns": named("a", "b", levels=(1.5, 2.5))}, "header"),
        ({"columns": named("a") + named("b", levels=("x", "x"))}, "levels of column 2"),
        ({"columns": named("a") + named("b", levels=("x", True))}, "several kinds"),
        ({"columns": named("a") + named("b", levels=("x", "y", "z"))}, "number of parameters"),
        ({"targets": []}, "no targets"),
        ({"targets": ["a", "a"]}, "two of one name"),
        ({"targets": ["a", "b"]}, "target.center is not of shape"),
        ({"labels": ["a", "b"]}, "contradict its task"),
        ({"labels": ["a", "a"]}, "one is there twice"),
        ({"labels": [1, "a"]}, "several kinds"),
        ({"labels": [1.5]}, "header"),
        ({"sources": sent("number", "x")}, "of no kind that there is"),
        ({"unknown": 1}, "header"),
        ({"format": 2}, "format 2, which no release"),
        ({"format": 1}, "format 1, which no release"),
        ({"temperature": 0.0}, "header"),
        ({"temperature": 5.0}, "its temperature contradicts its task"),
        ({"near": -1.0}, "header"),
        ({"near": 5e-324}, "header"),
        ({"reach": -1.0}, "header"),
        ({"format": 0}, "format 0, which no release"),
        ({"format": "3"}, "header"),
        ({"format": True}, "format True"),
        ({"tags": {"a": 1}}, "header"),
        ({"recipe": {}}, "not complete"),
    ],
)
def test_a_forged_document_is_refused(changes: dict[str, object], reason: str, exam: bytes) -> None:
    """A checksum that fits does not help: what is said must fit together, and the arrays."""
    with pytest.raises(Damage, match=reason):
        snapshot.decode(redocumented(exam, **changes))


@pytest.mark.parametrize(
    ("group", "changes", "reason"),
    [
        ("task", None, "not complete"),
        ("task", "classification", "does not fit its labels"),
        ("task", "multilabel", "contradict"),
        ("task", "clustering", "header"),
        ("network", {"hidden": None}, "not complete"),
        ("network", {"hidden": [17]}, "number of parameters"),
        ("network", {"hidden": [16, 1]}, "number of parameters"),
        ("network", {"hidden": [100_000, 100_000]}, "number of parameters"),
        ("network", {"activation": None}, "not complete"),
        ("network", {"activation": "eval"}, "header"),
        ("network", {"output_activation": None}, "not complete"),
        ("network", {"initializer": None}, "not complete"),
        ("network", {"bias": False}, "number of parameters"),
        ("training", {"loss": None}, "not complete"),
        ("training", {"loss": "gaussian_nll"}, "number of parameters"),
        ("training", {"loss": "poisson"}, "contradict"),
        ("training", {"optimizer": None}, "not complete"),
        ("training", {"learning_rate": None}, "not complete"),
        ("training", {"epochs": None}, "not complete"),
        ("training", {"batch_size": None}, "not complete"),
        ("training", {"batch_size": 4}, "does not fit its labels and rows"),
        ("training", {"members": None}, "not complete"),
        ("training", {"members": 2}, "number of parameters"),
        ("training", {"members": 10**9}, "header"),
        ("training", {"precision": None}, "not complete"),
        ("training", {"precision": "float32"}, "layers.1.W is not of shape"),
        ("training", {"keep_best": None}, "not complete"),
        ("scaling", {"features": None}, "not complete"),
        ("scaling", {"target": None}, "not complete"),
        ("scaling", {"target_maximum": 100.0}, "contradict"),
        ("scaling", {"bins": 4}, "features.edges is not of shape"),
        ("scaling", {"bins": 1}, "header"),
        ("scaling", {"unknown": 1}, "header"),
    ],
)
def test_forged_settings_are_refused(group: str, changes: Any, reason: str, exam: bytes) -> None:
    """A recipe is complete, does not contradict itself, and fits labels and arrays."""
    recipe = document_of(exam)["recipe"]
    recipe[group] = recipe[group] | changes if isinstance(changes, dict) else changes

    with pytest.raises(Damage, match=reason):
        snapshot.decode(redocumented(exam, recipe=recipe))


@pytest.mark.parametrize(("rows", "epochs", "reason"), [(0, 2, "no rows"), (-3, 2, "no rows"), (3, 3, "history.loss")])
def test_a_forged_report_is_refused(rows: int, epochs: int, reason: str, exam: bytes) -> None:
    """As many epochs as the curves show, and rows at all."""
    report = document_of(exam)["report"] | {"rows": rows, "epochs": epochs}

    with pytest.raises(Damage, match=reason):
        snapshot.decode(redocumented(exam, report=report))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ["a", "b", "c"]}, "tells two classes apart"),
        ({"labels": ["a"]}, "one class only"),
        ({"labels": []}, "does not fit its labels"),
        ({"targets": ["a", "b"]}, "contradict its task or targets"),
    ],
)
def test_a_forged_classifier_is_refused(changes: dict[str, object], reason: str) -> None:
    """Three labels on one sigmoid would answer nonsense, one label nothing at all."""
    data = snapshot.encode(learn(replace(EXAM, y=("no", "yes", "no")), QUICK))

    with pytest.raises(Damage, match=reason):
        snapshot.decode(redocumented(data, **changes))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("features.missing", lambda a: a + 0.5),
        ("features.missing", lambda a: a + 1),
        ("features.edges", lambda a: -a),
        ("features.edges", lambda a: a[1:]),
        ("features.edges", lambda a: a[:0]),
        ("features.edges", lambda a: a * np.nan),
        ("features.scale", lambda a: a * 0),
        ("features.scale", lambda a: -a),
        ("features.fill", lambda a: a + np.inf),
        ("features.center", lambda a: a.astype(np.float32)),
        ("features.center", lambda a: a.astype(np.int64)),
        ("target.scale", lambda a: a * 0),
        ("target.center", lambda a: a[np.newaxis]),
        ("range.highest", lambda a: a - 1e9),
        ("range.lowest", lambda a: a - np.inf),
        ("layers.1.W", lambda a: a.swapaxes(1, 2)),
        ("layers.1.W", lambda a: a.astype(np.float64)),
        ("layers.1.W", lambda a: a.astype(np.float16)),
        ("layers.1.b", lambda a: a[:, np.newaxis]),
        ("layers.2.b", lambda a: a * np.nan),
        ("layers.3.b", lambda a: a.T),
        ("embeddings.1", lambda a: a.swapaxes(1, 2)),
        ("embeddings.1", lambda a: a * np.inf),
        ("history.loss", lambda a: a[:1]),
        ("history.loss", lambda a: a * np.nan),
        ("history.validation_loss", lambda a: a[:1]),
    ],
)
def test_a_forged_array_is_refused(name: str, change: Callable[[np.ndarray], np.ndarray], members: bytes) -> None:
    """Other shapes, kinds and numbers than can be there: the error names the array."""
    with np.errstate(invalid="ignore"):
        changed = np.ascontiguousarray(change(load(members)[name]))

    with pytest.raises(Damage, match=name.replace(".", r"\.")):
        snapshot.decode(rearrayed(members, {name: changed}))


def test_arrays_are_all_there_and_none_beside(members: bytes) -> None:
    """One that is missing, one more, and an empty one more."""
    whole = load(members)
    for name in whole:
        with pytest.raises(Damage, match=r"is missing|number of parameters"):
            snapshot.decode(signed({other: whole[other] for other in whole if other != name}, document_of(members)))
    for size, reason in ((1, "number of parameters"), (0, "belong to nothing")):
        with pytest.raises(Damage, match=reason):
            snapshot.decode(rearrayed(members, {"more": np.ones(size)}))


def test_kinds_of_numbers_that_numpy_does_not_have_are_damage(exam: bytes) -> None:
    """The library knows more of them than NumPy."""
    data = exam.replace(document_of(exam)["sha256"].encode(), b"0" * 64).replace(b'"F64"', b'"BF16"', 1)
    data = (int.from_bytes(data[:8], "little") + 1).to_bytes(8, "little") + data[8:]
    data = data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1)

    with pytest.raises(Damage, match="arrays cannot be read"):
        snapshot.decode(data)


@pytest.mark.parametrize("name", ["features.center", "target.center", "layers.1.W", "embeddings.1"])
@pytest.mark.parametrize("size", [1e30, -1e30])
def test_what_a_forger_gets_in_is_harmless(name: str, size: float, members: bytes) -> None:
    """Numbers as large as they come are answered, or refused as a table would be."""
    array = load(members)[name]

    model, _ = snapshot.decode(rearrayed(members, {name: np.full_like(array, size)}))

    try:
        assert np.isfinite(model.scores(mixed().X)).all()
    except BadTable:
        assert name != "features.center"


def test_bins_as_wide_as_numbers_go_are_read(members: bytes) -> None:
    """Edges from the lowest number to the highest one."""
    edges = load(members)["features.edges"]
    distinct, places = np.unique(edges[:, 0], return_inverse=True)
    edges[:, 0] = np.append(np.linspace(-1.7e308, -1.6e308, len(distinct) - 1), 1.7e308)[places]

    model, _ = snapshot.decode(rearrayed(members, {"features.edges": edges}))

    assert np.isfinite(model.scores(mixed().X)).all()


@pytest.mark.parametrize("name", ["", "a" * 129, "a\0b", "a\nb"])
def test_names_that_no_training_takes_are_in_no_file(exam: bytes, name: str) -> None:
    """Of targets as of columns; nor are metrics of rows that there are not."""
    document = document_of(exam)
    first, *others = document["columns"]
    forged = (
        redocumented(exam, targets=[name]),
        redocumented(exam, columns=[first | {"name": name}, *others]),
        redocumented(exam, report=document["report"] | {"metrics": {"<script>": {}}}),
    )
    for data in forged:
        with pytest.raises(Damage, match=r"name|metrics"):
            snapshot.decode(data)
