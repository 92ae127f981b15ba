"""Loaded models: what a reference means is remembered, but never longer than it is true."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Executable, Row

from app.errors import AliasNotFound, ModelNotFound, VersionNotFound
from app.models.model import Model
from app.serving.loaded import LoadedModels
from app.store import aliases
from app.store.aliases import Change
from app.store.catalogue import Catalogue, Values
from app.store.notices import FRESH
from app.store.references import Pointer, Reference
from app.store.store import ModelStore
from tests.conftest import StoreIn

MOST = 2**30


@pytest.fixture
def other(store: ModelStore, store_in: StoreIn) -> Iterator[ModelStore]:
    """Open the same store once more, as another process does."""
    with closing(store_in(store.root)) as other:
        other.open()
        yield other


class Counting(Catalogue):
    """A catalogue that counts how often it is read."""

    reads = 0

    def read(self, statement: Executable, values: Values | None = None) -> Sequence[Row[Any]]:
        """Read, and count it."""
        self.reads += 1
        return super().read(statement, values)


def point(store: ModelStore, version: int) -> None:
    change = Change("")
    store.catalogue.write(lambda unit: aliases.point(unit, Pointer("exam", "live"), version, change)).result()


async def meant(loaded: LoadedModels, reference: str) -> int:
    return (await loaded.find(reference)).version


async def shown(loaded: LoadedModels, writer: ModelStore) -> None:
    """Wait for as long as PostgreSQL may not have told of what another process did."""
    if writer is not loaded.store and not writer.catalogue.is_sqlite:
        await asyncio.sleep(FRESH)


async def test_every_change_shows_whoever_makes_it(store: ModelStore, other: ModelStore, model: Model) -> None:
    """New and deleted versions, aliases made, moved, deleted: at once; what others do with PostgreSQL, in a second."""
    assert FRESH < 0.5
    loaded = LoadedModels(store, MOST)
    for writer in (store, other):
        writer.publish("exam", model)
        newest = writer.publish("exam", model)
        await shown(loaded, writer)
        assert await meant(loaded, "exam") == newest
        point(writer, newest - 1)
        await shown(loaded, writer)
        assert await meant(loaded, "exam") == await meant(loaded, "exam@live") == newest - 1
        point(writer, newest)
        await shown(loaded, writer)
        assert await meant(loaded, "exam@live") == newest
        writer.delete(Reference.parse(f"exam/{newest - 1}"))
        await shown(loaded, writer)
        with pytest.raises(VersionNotFound):
            await meant(loaded, f"exam/{newest - 1}")
        writer.catalogue.write(lambda unit: aliases.remove(unit, Pointer("exam", "live"), Change(""))).result()
        await shown(loaded, writer)
        with pytest.raises(AliasNotFound):
            await meant(loaded, "exam@live")
        writer.delete(Reference.parse("exam"))
        await shown(loaded, writer)
        with pytest.raises(ModelNotFound):
            await meant(loaded, "exam")


async def test_each_of_many_changes_shows(store: ModelStore, other: ModelStore, model: Model) -> None:
    """A hundred moves by this process, and on SQLite a hundred by another: not one answer is of before."""
    for _ in range(2):
        store.publish("exam", model)
    loaded = LoadedModels(store, MOST)
    for writer in (store, other) if store.catalogue.is_sqlite else (store,):
        for number in range(100):
            point(writer, 1 + number % 2)
            assert await meant(loaded, "exam") == 1 + number % 2


@pytest.mark.only_on("sqlite")
async def test_as_long_as_nobody_commits_the_catalogue_is_not_asked(store: ModelStore, model: Model) -> None:
    """Once for a reference, however often it is named; after a commit of anything, once more."""
    store.publish("exam", model)
    catalogue = Counting(store.root)
    with closing(ModelStore(store.root, catalogue)) as counted:
        counted.open()
        loaded = LoadedModels(counted, MOST)
        await meant(loaded, "exam")
        before = catalogue.reads
        for _ in range(50):
            assert await meant(loaded, "exam") == 1
        assert catalogue.reads == before

        store.publish("other", model)
        for _ in range(50):
            assert await meant(loaded, "exam") == 1
        assert catalogue.reads == before + 1


class Late(ModelStore):
    """A store in which the version that a name means expires just after somebody has asked what it means."""

    def __init__(self, store: ModelStore, model: Model) -> None:
        super().__init__(store.root, store.catalogue)
        self.new = [model]

    def _read(self, name: str, version: int, most: int) -> tuple[bytes, float]:
        """Let a new version come, and the one that is asked for expire, before the first of it is read."""
        if self.new:
            self.publish(name, self.new.pop())
        return super()._read(name, version, most)


async def test_a_name_whose_version_expires_before_it_is_read_means_the_next(store: ModelStore, model: Model) -> None:
    """A name has an answer, and is listed, as long as there is a version; one that was named itself is not found."""
    store.publish("exam", model)
    store.keep("exam", 1)

    assert await meant(LoadedModels(Late(store, model), MOST), "exam") == 2
    with pytest.raises(VersionNotFound):
        await meant(LoadedModels(Late(store, model), MOST), "exam/2")
    listed = Late(store, model).listed("exam")
    assert (listed.versions, listed.damage) == ((4,), None)


async def test_versions_that_expire_are_not_kept_in_memory(store: ModelStore, other: ModelStore, model: Model) -> None:
    """A model that is trained again and again takes the memory of the versions that it keeps, whoever trains it."""
    store.publish("beside", model)
    store.publish("exam", model)
    store.keep("exam", 2)
    loaded = LoadedModels(store, MOST)
    await loaded.find("beside")
    for writer in (store, other):
        for _ in range(5):
            newest = writer.publish("exam", model)
            await shown(loaded, writer)
            assert await meant(loaded, "exam") == newest
    assert sorted(loaded.cache) == [("beside", 1), ("exam", newest - 1), ("exam", newest)]


async def test_what_the_cache_lets_go_of_is_looked_up_again(store: ModelStore, model: Model) -> None:
    """Room for one version, which two models share; a model that is forgotten is loaded again."""
    for name in ("one", "two"):
        store.publish(name, model)
    loaded = LoadedModels(store, store.load("one", 1).bytes)
    for name in ("one", "two", "one"):
        await loaded.find(name)
        assert [*loaded.cache] == [(name, 1)]
    assert (loaded.cache.evictions, loaded.misses) == (2, 3)

    loaded.forget("one", 2)
    assert len(loaded.cache) == 1
    loaded.forget("one")
    assert (len(loaded.cache), loaded.cache.of) == (0, {})
    assert await meant(loaded, "one") == 1
