"""The store: what was acknowledged stays, what is damaged is named, numbers are never used twice."""

import hashlib
import json
import os
import re
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from app.engine.learning import learn
from app.engine.model import Model
from app.errors import (
    InvalidRequest,
    ModelNotFound,
    SnapshotDamaged,
    SnapshotFormatNewer,
    StorageError,
    StorageFull,
    VersionNotFound,
)
from app.store import snapshot
from app.store.files import opened, sweep, written_aside
from app.store.references import Reference
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


def test_versions_count_up_and_a_bare_name_is_the_newest(store: ModelStore, model: Model) -> None:
    """1, 2, 3; each can be asked for."""
    assert [store.publish("exam", model) for _ in range(3)] == [1, 2, 3]

    assert store.versions("exam") == [1, 2, 3]
    assert store.resolve(Reference.parse("exam")) == ("exam", 3)
    assert store.resolve(Reference.parse("exam/2")) == ("exam", 2)


def test_writers_at_the_same_time_get_different_versions(store: ModelStore, model: Model) -> None:
    """Twenty at once: twenty versions, none replaced."""
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: ModelStore(store.root).publish("exam", model), range(20)))

    assert sorted(versions) == store.versions("exam") == list(range(1, 21))


def test_the_number_of_a_deleted_version_is_not_used_again(store: ModelStore, model: Model) -> None:
    """A reference never comes to mean something else, even after all of a model was deleted."""
    store.publish("exam", model)
    store.publish("exam", model)
    store.delete(Reference.parse("exam/2"))
    assert store.versions("exam") == [1]
    store.delete(Reference.parse("exam"))
    assert store.names(limit=10) == []

    assert store.publish("exam", model) == 3
    assert {path.name: path.stat().st_size > 0 for path in (store.root / "exam").iterdir()} == {
        "2.deleted": False,
        "3.safetensors": True,
    }
    store.delete(Reference.parse("exam"))
    assert [path.name for path in (store.root / "exam").iterdir()] == ["3.deleted"]


def test_a_deletion_that_was_interrupted_is_a_deletion(store: ModelStore, model: Model) -> None:
    """Once renamed, a version is gone, even if its file was not emptied before the crash; deleting goes on."""
    store.publish("exam", model)
    store.publish("exam", model)
    (store.root / "exam" / "1.safetensors").rename(store.root / "exam" / "1.deleted")

    with pytest.raises(VersionNotFound):
        store.resolve(Reference.parse("exam/1"))
    store.delete(Reference.parse("exam"))

    with pytest.raises(ModelNotFound):
        store.versions("exam")


@pytest.mark.parametrize("text", ["nothing", "exam/9"])
def test_what_is_not_there_is_not_found(text: str, store: ModelStore, model: Model) -> None:
    """Reading and deleting say so."""
    store.publish("exam", model)

    with pytest.raises((ModelNotFound, VersionNotFound)):
        store.resolve(Reference.parse(text))
    with pytest.raises((ModelNotFound, VersionNotFound)):
        store.delete(Reference.parse(text))


def test_a_version_deleted_while_it_is_being_loaded_is_not_found(store: ModelStore) -> None:
    """Between the look at the folder and the read, a file may go."""
    with pytest.raises(VersionNotFound):
        store.load("exam", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../x",
        "a/../b",
        "a//1",
        "a/0",
        "a/01",
        "a/1/2",
        "A",
        "a b",
        "a..b",
        "é",
        "a\x00",
        "con",
        "x" * 64,
        "a/\u0661",
    ],
)
def test_words_that_are_no_reference_never_reach_the_file_system(text: str) -> None:
    """Not found, before any path is made of them."""
    with pytest.raises((ModelNotFound, VersionNotFound)):
        Reference.parse(text)


@pytest.mark.parametrize("name", ["../x", "", "README.md", "nul.txt", ".incoming", "stats"])
def test_a_model_cannot_be_published_under_such_a_name(name: str, store: ModelStore, model: Model) -> None:
    """The error tells what a name may be."""
    with pytest.raises(InvalidRequest, match="1 to 63"):
        store.publish(name, model)


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


def test_whoever_reads_a_version_while_it_is_deleted_reads_it_whole(store: ModelStore, model: Model) -> None:
    """Its bytes are left alone, also under other names that a backup may have given them."""
    store.publish("exam", model)
    (store.root / "backup").hardlink_to(store.root / "exam" / "1.safetensors")
    whole = (store.root / "backup").read_bytes()

    store.delete(Reference.parse("exam"))

    assert (store.root / "backup").read_bytes() == whole


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


def test_a_planted_folder_can_be_deleted_like_a_version(store: ModelStore, model: Model) -> None:
    """Whatever lies under a version's name goes with the model."""
    store.publish("exam", model)
    (store.root / "exam" / "2.safetensors").mkdir()

    store.delete(Reference.parse("exam"))

    with pytest.raises(ModelNotFound):
        store.versions("exam")


def test_an_absurd_time_of_a_file_is_no_obstacle(store: ModelStore, model: Model) -> None:
    """Somebody's `touch` cannot make a model unreadable."""
    store.publish("exam", model)
    os.utime(store.root / "exam" / "1.safetensors", (1e13, 1e13))

    assert store.load("exam", 1).created.year > 2400  # file systems have latest times of their own


def test_a_store_that_vanished_is_said_so(store: ModelStore) -> None:
    """Listing a folder that is no longer there."""
    for folder in (store.root / ".incoming", store.root):
        folder.rmdir()

    with pytest.raises(StorageError):
        store.names(limit=1)


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


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
def test_what_is_no_plain_file_is_not_opened(kind: str, store: ModelStore, model: Model) -> None:
    """A link, a folder or a pipe in place of a snapshot is damage, not a way out of the store or a hang."""
    store.publish("exam", model)
    planted = store.root / "exam" / "2.safetensors"
    match kind:
        case "symlink":
            planted.symlink_to(store.root / "exam" / "1.safetensors")
        case "folder":
            planted.mkdir()
        case _:
            os.mkfifo(planted)

    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        store.load("exam", 2)


def test_a_folder_that_is_a_link_is_no_model(store: ModelStore, model: Model) -> None:
    """Names lead only to folders inside the store."""
    store.publish("exam", model)
    (store.root / "other").symlink_to(store.root / "exam")
    (store.root / "notes").write_text("not a folder")

    assert store.names(limit=10) == ["exam"]
    for name in ("other", "notes"):
        with pytest.raises(ModelNotFound):
            store.versions(name)


def test_models_are_listed_by_name_a_page_at_a_time(store: ModelStore, model: Model) -> None:
    """Sorted; a prefix and a place to go on after choose."""
    for name in ("b", "a", "ab", "c"):
        store.publish(name, model)
    (store.root / "empty").mkdir()

    assert store.names(limit=10) == ["a", "ab", "b", "c"]
    assert store.names(limit=2, after="a") == ["ab", "b"]
    assert store.names(limit=10, prefix="a") == ["a", "ab"]
    assert store.listed("a").versions == (1,)


def test_what_crashed_writers_left_is_swept_at_the_start(store: ModelStore) -> None:
    """But not while another process is writing."""
    left = store.root / ".incoming" / "0123"
    left.write_bytes(b"half a model")
    (store.root / ".incoming" / "a folder").mkdir()
    with opened(store.root / ".incoming") as writing, written_aside(writing, b"being written") as name:
        store.open()
        assert left.exists()
        assert (store.root / ".incoming" / name).exists()

    store.open()

    assert [path.name for path in (store.root / ".incoming").iterdir()] == ["a folder"]


def test_a_writer_leaves_nothing_behind_when_it_fails(store: ModelStore) -> None:
    """The file written aside goes with the error."""
    with opened(store.root / ".incoming") as folder:
        with pytest.raises(RuntimeError), written_aside(folder, b"data"):
            raise RuntimeError
        sweep(folder)

    assert list((store.root / ".incoming").iterdir()) == []


def test_a_full_disk_is_said_so_and_harms_nothing(store: ModelStore, model: Model) -> None:
    """With no room for a file (a limit on its size stands in for the disk), the old version stays."""
    store.publish("exam", model)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(StorageFull, match="Delete models"):
            store.publish("exam", model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)

    assert store.versions("exam") == [1]
    assert list((store.root / ".incoming").iterdir()) == []
    assert store.publish("exam", model) == 2


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "models").write_text("in the way")

    with pytest.raises(StorageError, match=re.escape("The store cannot be used")):
        ModelStore(tmp_path / "models").open()
    assert not ModelStore(tmp_path / "models").writable()


def test_folders_and_files_are_for_the_owner_alone(store: ModelStore, model: Model) -> None:
    """Nobody else on the machine can read a model."""
    store.publish("exam", model)

    assert (store.root / "exam").stat().st_mode & 0o077 == 0
    assert (store.root / "exam" / "1.safetensors").stat().st_mode & 0o077 == 0
