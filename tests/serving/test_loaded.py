"""Loaded models: what a reference means is remembered, but never longer than it is true."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Executable, Row

from app.engine.model import Model
from app.errors import AliasNotFound, ModelNotFound, VersionNotFound
from app.serving.loaded import LoadedModels
from app.store import aliases
from app.store.aliases import Change
from app.store.catalogue import Catalogue, Values
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


async def test_every_change_shows_at_once_whoever_makes_it(store: ModelStore, other: ModelStore, model: Model) -> None:
    """New and deleted versions, and aliases made, moved and deleted: by this process, or by another."""
    loaded = LoadedModels(store, MOST)
    for writer in (store, other):
        writer.publish("exam", model)
        newest = writer.publish("exam", model)
        assert await meant(loaded, "exam") == newest
        point(writer, newest - 1)
        assert await meant(loaded, "exam") == await meant(loaded, "exam@live") == newest - 1
        point(writer, newest)
        assert await meant(loaded, "exam@live") == newest
        writer.delete(Reference.parse(f"exam/{newest - 1}"))
        with pytest.raises(VersionNotFound):
            await meant(loaded, f"exam/{newest - 1}")
        writer.catalogue.write(lambda unit: aliases.remove(unit, Pointer("exam", "live"), Change(""))).result()
        with pytest.raises(AliasNotFound):
            await meant(loaded, "exam@live")
        writer.delete(Reference.parse("exam"))
        with pytest.raises(ModelNotFound):
            await meant(loaded, "exam")


async def test_each_of_many_changes_by_another_process_shows(
    store: ModelStore, other: ModelStore, model: Model
) -> None:
    """A hundred moves, each asked about at once: not one answer is of before."""
    for _ in range(2):
        store.publish("exam", model)
    loaded = LoadedModels(store, MOST)
    for number in range(100):
        point(other, 1 + number % 2)
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

    def _beginning(self, name: str, version: int) -> bytes:
        """Let a new version come, and the one that is asked for expire, before the first of it is read."""
        if self.new:
            self.publish(name, self.new.pop())
        return super()._beginning(name, version)


async def test_a_name_whose_version_expires_before_it_is_read_means_the_next(store: ModelStore, model: Model) -> None:
    """A name has an answer, and is listed, as long as there is a version; one that was named itself is not found."""
    store.publish("exam", model)
    store.keep("exam", 1)

    assert await meant(LoadedModels(Late(store, model), MOST), "exam") == 2
    with pytest.raises(VersionNotFound):
        await meant(LoadedModels(Late(store, model), MOST), "exam/2")
    listed = Late(store, model).listed("exam")
    assert (listed.versions, listed.damage) == ((4,), None)
