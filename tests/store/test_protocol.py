"""The order of what is done to the disk, which no `kill -9` can test: the kernel keeps what was not synced."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

from app.models.model import Model
from app.store.references import Reference
from app.store.store import ModelStore
from tests.conftest import StoreIn, wait_until

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
    threading.setprofile(note)  # for the thread that writes to the catalogue, which is new with each store
    try:
        yield calls
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


@contextmanager
def watched_store(store: ModelStore) -> Iterator[tuple[ModelStore, list[str]]]:
    """Open a store and note what is called from then on."""
    with watched() as calls, closing(store):
        store.open()
        calls.clear()
        yield store, calls


def test_a_new_store_is_synced_before_it_is_used(tmp_path: Path, store_in: StoreIn) -> None:
    """The folder, and the one it was made in."""
    with watched() as calls, closing(store_in(tmp_path / "models")) as store:
        store.open()

    before_the_catalogue = calls[: calls.index("flock")]
    assert before_the_catalogue.count("fsync") == 2
    assert before_the_catalogue.index("mkdir") < before_the_catalogue.index("fsync")


def test_the_first_version_syncs_file_then_folder_then_store(tmp_path: Path, model: Model, store_in: StoreIn) -> None:
    """Written and synced aside, renamed, both folders synced before the commit, which gives the number."""
    with watched_store(store_in(tmp_path / "models")) as (store, calls):
        store.publish("exam", model)
        calls_until_known = list(calls)

    assert calls_until_known == ["write", "fsync", "mkdir", "rename", "fsync", "fsync", "unlink"]


def test_a_later_version_syncs_file_then_folder(tmp_path: Path, model: Model, store_in: StoreIn) -> None:
    """The store's own folder has not changed."""
    with watched_store(store_in(tmp_path / "models")) as (store, calls):
        store.publish("exam", model)
        calls.clear()
        store.publish("exam", model)
        calls_until_known = list(calls)

    assert calls_until_known == ["write", "fsync", "rename", "fsync", "unlink"]


def test_those_that_publish_at_once_share_a_commit_and_the_syncs_of_folders(
    tmp_path: Path, model: Model, store_in: StoreIn
) -> None:
    """While the catalogue is busy, eight wait; then there is one sync of their folder for all."""
    with watched_store(store_in(tmp_path / "models")) as (store, calls), ThreadPoolExecutor(8) as pool:
        store.publish("exam", model)
        busy = Event()
        holding = store.catalogue.write(lambda _unit: busy.wait(30))
        publishing = [pool.submit(store.publish, "exam", model) for _ in range(8)]
        wait_until(lambda: store.catalogue.waiting.qsize() == 8)
        calls.clear()
        busy.set()

        assert sorted(future.result() for future in publishing) == list(range(2, 10))
        assert holding.result()
        assert calls.count("rename") == 8
        assert calls.count("fsync") == 1


def test_a_deletion_is_in_the_catalogue_before_space_is_given_back(
    tmp_path: Path, model: Model, store_in: StoreIn
) -> None:
    """Then memories are looked for, one file is removed, the other becomes an empty mark, and the folder is synced."""
    with watched_store(store_in(tmp_path / "models")) as (store, calls):
        for _ in range(2):
            store.publish("exam", model)
        calls.clear()
        store.delete(Reference.parse("exam"))
        called = list(calls)

    assert called == ["unlink", "unlink", "unlink", "rename", "rename", "fsync"]
