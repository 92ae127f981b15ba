"""Catalogues in SQLite that are damaged, locked, or taken away: which are made anew, and which are left alone."""

import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.errors import CatalogueDamaged, StorageError, StoreInUse
from app.models.model import Model
from app.store import checking, databases
from app.store.store import ModelStore
from tests.conftest import StoreIn

pytestmark = pytest.mark.only_on("sqlite")
PAGES = ("versions", "models", "jobs", "aliases", "datasets", "sqlite_autoindex_versions_1")


def spoil(catalogue: Path, page: str) -> None:
    """Overwrite the first page of a table or an index."""
    with closing(sqlite3.connect(catalogue)) as connection:
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
        ((number,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [page]).fetchall()
    with catalogue.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\xaa" * size)


@pytest.mark.parametrize("harm", ["other bytes", "an end", "a folder", *PAGES])
def test_a_damaged_catalogue_is_made_anew_by_a_repair(
    harm: str, store: ModelStore, model: Model, store_in: StoreIn
) -> None:
    """Else it says what is wrong and what helps; the damaged one is kept, and all models are listed again."""
    store.publish("exam", model)
    store.close()
    catalogue = store.root / ".catalogue.sqlite"
    match harm:
        case "other bytes":
            catalogue.write_bytes(b"no database" * 1000)
        case "an end":
            catalogue.write_bytes(catalogue.read_bytes()[:5000])
        case "a folder":
            catalogue.unlink()
            catalogue.mkdir()
        case page:
            spoil(catalogue, page)

    with closing(store_in(store.root)) as again, pytest.raises(CatalogueDamaged, match=r"damaged.*check --repair"):
        again.open()
    repaired, told = checking.open_anyhow(store.root, None)
    with closing(repaired):
        assert repaired.versions("exam") == [1]
    assert [path.name in told for path in store.root.glob("*.damaged-*")] == [True]


def test_a_catalogue_that_is_only_locked_is_not_put_aside(
    store: ModelStore, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair says that it is, and leaves it to those who use it."""
    store.publish("exam", model)
    store.close()
    monkeypatch.setattr(databases, "PATIENCE", 0.1)

    with closing(sqlite3.connect(store.root / ".catalogue.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=r"cannot be opened.*locked") as refused:
            checking.open_anyhow(store.root, None)

    assert "repair" not in str(refused.value)
    assert list(store.root.glob("*.damaged-*")) == []
    store.open()
    assert store.publish("exam", model) == 2


@pytest.mark.parametrize("is_damaged", [False, True])
def test_nothing_is_repaired_beside_those_who_use_it(is_damaged: bool, store: ModelStore, model: Model) -> None:
    """They may be about to do what looks undone, such as to remove what is deleted."""
    store.publish("exam", model)
    if is_damaged:
        spoil(store.root / ".catalogue.sqlite", "versions")

    with pytest.raises(StoreInUse):
        checking.open_anyhow(store.root, None)

    assert list(store.root.glob("*.damaged-*")) == []


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE alembic_version; DROP TABLE versions; CREATE TABLE versions (price)",
        "DROP TABLE orders",
        "ALTER TABLE jobs DROP COLUMN until",
    ],
)
def test_a_database_of_other_tables_is_put_aside(
    change: str, store: ModelStore, model: Model, store_in: StoreIn
) -> None:
    """What is not ours is damage, too; nobody begins to serve with it."""
    store.publish("exam", model)
    store.close()
    with closing(sqlite3.connect(store.root / ".catalogue.sqlite")) as other:
        other.executescript(change)

    with closing(store_in(store.root)) as again, pytest.raises(CatalogueDamaged, match="check --repair"):
        again.open()
    repaired, told = checking.open_anyhow(store.root, None)

    with closing(repaired):
        assert "put aside" in told
        assert repaired.versions("exam") == [1]


def test_nothing_is_acknowledged_by_a_catalogue_that_was_taken_away(store: ModelStore, model: Model) -> None:
    """What would be written to it, nobody would find again; nothing is left of it, and back in its place it goes on."""
    store.publish("exam", model)
    catalogue, elsewhere = store.root / ".catalogue.sqlite", store.root / "elsewhere"
    for replaced in (False, True):
        catalogue.rename(elsewhere)
        if replaced:
            catalogue.write_bytes(elsewhere.read_bytes())

        with pytest.raises(StorageError, match="not in its place"):
            store.publish("exam", model)
        with pytest.raises(StorageError, match="not in its place"):
            store.keep("exam", 3)
        with pytest.raises(StorageError, match="not in its place"):
            store.require_usable()

        assert [path.name for path in (store.root / "exam").iterdir()] == ["1.safetensors"]
        elsewhere.rename(catalogue)
    assert store.publish("exam", model) == 2


def test_a_pipe_in_place_of_the_reserve_is_not_waited_for(store: ModelStore, model: Model, store_in: StoreIn) -> None:
    """It is put away, and space is held as before."""
    store.close()
    (store.root / ".reserve").unlink()
    os.mkfifo(store.root / ".reserve")

    for is_held in (False, True):
        with closing(store_in(store.root)) as again:
            again.open()
            assert (store.root / ".reserve").is_file() is is_held
            again.publish("exam", model)


def test_nobody_makes_another_catalogue_where_one_was_taken_away(
    store: ModelStore, model: Model, store_in: StoreIn
) -> None:
    """An empty one beside the log of the other would empty that log, and with it what was acknowledged."""
    catalogue, elsewhere = store.root / ".catalogue.sqlite", store.root / "elsewhere"
    for _ in range(3):
        store.publish("exam", model)
    catalogue.rename(elsewhere)

    def read(_number: int) -> None:
        with suppress(StorageError):
            store.versions("exam")

    with ThreadPoolExecutor(20) as pool:  # more than there are connections yet
        list(pool.map(read, range(60)))
    with closing(store_in(store.root)) as beside, pytest.raises(StorageError, match="not in its place"):
        beside.open()

    assert not catalogue.exists()
    elsewhere.rename(catalogue)
    shutil.copytree(store.root, store.root.with_name("copy"))  # as a kill would leave it
    with closing(store_in(store.root.with_name("copy"))) as again:
        again.open()
        assert again.versions("exam") == [1, 2, 3]
