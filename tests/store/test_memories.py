"""Memories: what an optimizer remembers comes and goes with its version, and is never taken for another's."""

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.engine.control import Checkpoint, Control
from app.errors import StorageError, StorageFull
from app.models.learning import learn
from app.models.model import Model
from app.store import memories, snapshot
from app.store.document import Damage
from app.store.numbering import add_version
from app.store.references import Reference
from app.store.saving import drop, save_aside
from app.store.store import ModelStore
from tests.models.controls import kept
from tests.models.tables import EXAM, recipe

SHA256 = "ab" * 32


@pytest.fixture
def memory() -> Checkpoint:
    """What adam remembers with learnt scales: three arrays."""
    last: list[Checkpoint] = []
    control = Control(is_due=lambda stopped: stopped is not None, save=last.append)
    learn(EXAM, recipe(epochs=2, input_scale=True), control=control)
    return kept(last[0].memory)


def published(store: ModelStore, model: Model, memory: Checkpoint | None) -> int:
    saved = save_aside(store.root, model, memory)
    version = store.catalogue.write(lambda unit: add_version(unit, store.root, "exam", saved)).result().version
    drop(store.root, saved)
    return version


def files(store: ModelStore) -> list[str]:
    return sorted(path.name for path in (store.root / "exam").iterdir())


def test_a_memory_is_read_as_it_was_written(memory: Checkpoint) -> None:
    """Every array to its last bit; equal ones are equal bytes."""
    data = memories.encode(memory, SHA256)

    read = memories.decode(data, SHA256)

    assert (read.epoch, read.facts) == (2, {"step": 2, "by": ["adam", True]})
    assert {name: array.tobytes() for name, array in read.arrays.items()} == {
        name: array.tobytes() for name, array in memory.arrays.items()
    }
    assert set(read.arrays) == {"memory", "scale", "scale_memory"}
    assert memories.encode(read, SHA256) == data


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit": flipped,
    "cut": lambda data: data[:-8],
    "short": lambda data: data[:20],
    "nothing": lambda _data: b"",
    "format": lambda data: data.replace(b'format\\": 1', b'format\\": 9'),
    "no text": lambda data: data.replace(b'\\"sha256\\": \\"', b'\\"sha256\\": 1\\"'),
    "list": lambda _data: (30).to_bytes(8, "little") + b'{"__metadata__":{"netlet":"[]"}}',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_memory_is_not_used(damage: str, memory: Checkpoint) -> None:
    """Whatever is wrong with the bytes, it is said."""
    with pytest.raises(Damage):
        memories.decode(DAMAGES[damage](memories.encode(memory, SHA256)), SHA256)


def test_a_memory_of_another_snapshot_is_not_used(memory: Checkpoint) -> None:
    """Its numbers would mean nothing to other weights."""
    with pytest.raises(Damage, match="another snapshot"):
        memories.decode(memories.encode(memory, SHA256), "cd" * 32)


def test_a_memory_comes_and_goes_with_its_version(store: ModelStore, model: Model, memory: Checkpoint) -> None:
    """It is there with the version, says which snapshot it belongs to, and is deleted with it."""
    assert [published(store, model, each) for each in (memory, None, memory)] == [1, 2, 3]
    assert files(store) == [
        "1.memory.safetensors",
        "1.safetensors",
        "2.safetensors",
        "3.memory.safetensors",
        "3.safetensors",
    ]
    found = memories.find(store.root, "exam", 1)
    assert found is not None
    assert memories.decode(found, store.load("exam", 1).sha256).epoch == 2
    assert memories.find(store.root, "exam", 2) is None
    assert memories.find(store.root, "nothing", 1) is None
    assert list((store.root / ".incoming").iterdir()) == []

    store.delete(Reference("exam", 1))
    assert files(store) == ["2.safetensors", "3.memory.safetensors", "3.safetensors"]
    store.delete(Reference("exam", None))
    assert files(store) == ["3.deleted"]


def test_no_more_is_read_than_a_memory_can_be(store: ModelStore, model: Model, memory: Checkpoint) -> None:
    """Whatever has been put in its place; what is read of it is damaged."""
    published(store, model, memory)
    os.truncate(store.root / "exam" / "1.memory.safetensors", 2**40)

    found = memories.find(store.root, "exam", 1)

    assert found is not None
    assert len(found) < 2**20
    with pytest.raises(Damage):
        memories.decode(found, store.load("exam", 1).sha256)


@pytest.mark.parametrize("with_one", [True, False])
def test_what_lies_in_its_place_is_put_aside(
    with_one: bool, store: ModelStore, model: Model, memory: Checkpoint
) -> None:
    """A file of a version that never was is no part of the one that is."""
    (store.root / "exam").mkdir()
    (store.root / "exam" / "1.memory.safetensors").write_bytes(b"left by a crash")

    published(store, model, memory if with_one else None)

    assert (memories.find(store.root, "exam", 1) is not None) is with_one
    (aside,) = [name for name in files(store) if ".orphan-" in name]
    assert (store.root / "exam" / aside).read_bytes() == b"left by a crash"


def test_what_cannot_be_placed_is_not_there(store: ModelStore, model: Model, memory: Checkpoint) -> None:
    """A transaction that fails between the two files puts the first one back, from where it is dropped."""
    saved = save_aside(store.root, model, memory)
    (store.root / ".incoming" / str(saved.memory)).unlink()

    with pytest.raises(StorageError):
        store.catalogue.write(lambda unit: add_version(unit, store.root, "exam", saved)).result()

    assert files(store) == []
    assert [path.name for path in (store.root / ".incoming").iterdir()] == [saved.aside]
    drop(store.root, saved)
    assert published(store, model, memory) == 1


def test_a_disk_with_no_room_for_both_keeps_neither(store: ModelStore, model: Model, memory: Checkpoint) -> None:
    """The snapshot that was written goes with the error (a limit on a file's size stands in for the disk)."""
    large = replace(memory, arrays={"memory": np.zeros((2, 100_000))})
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        with pytest.raises(StorageFull):
            save_aside(store.root, model, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)

    assert list((store.root / ".incoming").iterdir()) == []


def test_a_snapshot_says_what_it_was_continued_from(model: Model) -> None:
    """And nothing where it was not."""
    continued = replace(model, continued_from="exam/3")

    for one in (model, continued):
        assert snapshot.decode(snapshot.encode(one))[0].continued_from == one.continued_from
    np.testing.assert_array_equal(model.parameters, continued.parameters)
