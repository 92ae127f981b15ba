"""The order of what is done to the disk, which no `kill -9` can test: the kernel keeps what was not synced."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from app.engine.model import Model
from app.store.references import Reference
from app.store.store import ModelStore

WATCHED = {"write", "fsync", "rename", "unlink", "flock", "mkdir"}


@contextmanager
def watched() -> Iterator[list[str]]:
    """Note the names of the system's functions that are called, in order, consecutive writes as one."""
    calls: list[str] = []

    def note(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in WATCHED and function.__module__ in {"posix", "fcntl"}:
            if function.__name__ == "write" and calls[-1:] == ["write"]:
                return
            calls.append(function.__name__)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_a_new_store_is_synced_before_it_is_used(tmp_path: Path) -> None:
    """The folder, and the one it was made in."""
    with watched() as calls:
        ModelStore(tmp_path / "models").open()

    assert calls.count("fsync") == 2
    assert calls.index("mkdir") < calls.index("fsync")


def test_the_first_version_syncs_file_then_folder_then_store(store: ModelStore, model: Model) -> None:
    """Written and synced aside, renamed under a lock, both folders synced before the lock is given back."""
    with watched() as calls:
        store.publish("exam", model)

    assert calls == [
        "flock", "write", "fsync", "mkdir", "flock", "rename", "fsync", "fsync", "flock", "unlink", "flock",
    ]  # fmt: skip


def test_a_later_version_syncs_file_then_folder(store: ModelStore, model: Model) -> None:
    """The store's own folder has not changed."""
    store.publish("exam", model)

    with watched() as calls:
        store.publish("exam", model)

    assert calls == ["flock", "write", "fsync", "mkdir", "flock", "rename", "fsync", "flock", "unlink", "flock"]


def test_a_deletion_is_synced_before_space_is_given_back(store: ModelStore, model: Model) -> None:
    """All renames, then the folder; only then one file is removed and the other, the highest, replaced."""
    for _ in range(2):
        store.publish("exam", model)

    with watched() as calls:
        store.delete(Reference.parse("exam"))

    assert calls[:4] == ["flock", "rename", "rename", "fsync"]
    assert sorted(calls[4:-2]) == ["rename", "unlink"]
    assert calls[-2:] == ["fsync", "flock"]
