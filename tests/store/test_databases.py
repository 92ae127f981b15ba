"""What a catalogue is in: tables that are as they are told, one store for each, and a database that goes away."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, insert, inspect, text

from app.errors import CatalogueForeign, CatalogueNewer, StorageError
from app.models.model import Model
from app.opening import store_of, url_of
from app.settings import Settings
from app.store import api_keys, checking
from app.store.catalogue import Unit
from app.store.migrating import upgrade
from app.store.references import Reference
from app.store.schema import metadata, models
from app.store.store import ModelStore
from tests.conftest import StoreIn, held, names_in, wait_until
from tests.postgresql import EMPTY, PostgreSQL

ON_SQLITE = pytest.mark.only_on("sqlite")
ON_POSTGRESQL = pytest.mark.only_on("postgresql")


@pytest.fixture
def new_database(databases: PostgreSQL) -> Iterator[str]:
    """Make a database without tables."""
    url = databases.create(EMPTY)
    yield url
    databases.drop(url)


@pytest.fixture
def own(settings: Settings) -> str:
    """Name the database of the store."""
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def store_with(root: Path, url: str) -> ModelStore:
    return store_of(Settings(models=root, database_url=SecretStr(url)))


@pytest.mark.parametrize("word", ["", "x", "x\0", "f" * 99])
def test_what_is_no_id_of_a_dataset_belongs_to_no_key(word: str, store: ModelStore) -> None:
    """Whoever asks may write anything, and a text of PostgreSQL takes no NUL."""
    assert not api_keys.owns(store.catalogue, 1, word)


def test_migrations_make_the_tables_that_a_new_catalogue_has(store: ModelStore) -> None:
    """Column by column and index by index; whoever changes the schema has to write a migration."""
    with store.catalogue.writer.connect() as connection:
        at_once = tables_of(connection)
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        upgrade(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        migrated = tables_of(connection)
        connection.rollback()

    assert differences == []
    assert migrated == at_once
    assert len(at_once) > len(metadata.tables)


def tables_of(connection: Connection) -> dict[str, Any]:
    """Tell what a database holds: for each table its columns, keys, constraints and indexes."""
    inspector = inspect(connection)
    return {
        table: [
            sorted((column["name"], *map(str, column.values())) for column in inspector.get_columns(table)),
            inspector.get_pk_constraint(table),
            *(
                sorted(map(repr, ask(table)))
                for ask in (
                    inspector.get_foreign_keys,
                    inspector.get_unique_constraints,
                    inspector.get_check_constraints,
                    inspector.get_indexes,
                )
            ),
        ]
        for table in inspector.get_table_names()
    }


def test_what_is_asked_of_a_closed_catalogue_is_refused(store: ModelStore, model: Model) -> None:
    """Nobody waits for an answer that cannot come; opened again, it answers."""
    store.publish("exam", model)
    store.catalogue.close()

    with pytest.raises(StorageError, match="closed"):
        store.versions("exam")
    with pytest.raises(StorageError, match="closed"):
        store.publish("exam", model)
    with pytest.raises(StorageError, match="closed"):
        store.require_usable()
    store.catalogue.open()
    assert store.versions("exam") == [1]


def test_closing_waits_for_who_is_reading(store: ModelStore) -> None:
    """Their connection is not left open behind the catalogue."""
    reading, go_on = Event(), Event()

    def read_slowly() -> None:
        with store.catalogue._used():  # noqa: SLF001 - what a read does, for as long as the test likes
            reading.set()
            go_on.wait(30)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(read_slowly)
        reading.wait(30)
        closing_it = pool.submit(store.catalogue.close)
        wait_until(lambda: not store.catalogue.is_open)
        assert not closing_it.done()

        go_on.set()
        closing_it.result(30)


def test_the_catalogue_of_a_newer_netlet_is_left_alone(
    store: ModelStore, store_in: StoreIn, settings: Settings
) -> None:
    """Neither used nor, by a repair, put aside."""
    store.catalogue.write(lambda unit: unit.execute(text("UPDATE alembic_version SET version_num = '9999'"))).result()
    store.close()

    with closing(store_in(store.root)) as again, pytest.raises(CatalogueNewer):
        again.open()
    with pytest.raises(CatalogueNewer):
        checking.open_anyhow(store.root, url_of(settings))
    assert list(store.root.glob("*.damaged-*")) == []


@ON_SQLITE
def test_a_copy_of_a_store_is_a_store(store: ModelStore, model: Model, store_in: StoreIn, tmp_path: Path) -> None:
    """As a backup is: with its catalogue, or with the files of models alone."""
    store.publish("exam", model)
    store.close()
    shutil.copytree(store.root, tmp_path / "whole")
    shutil.copytree(store.root, tmp_path / "files", ignore=shutil.ignore_patterns(".*"))

    for name in ("whole", "files"):
        with closing(store_in(tmp_path / name)) as copied:
            copied.open()
            assert copied.versions("exam") == [1]


@ON_POSTGRESQL
def test_a_new_database_lists_what_is_in_the_folder(store: ModelStore, model: Model, new_database: str) -> None:
    """A database that was lost is made anew from the files, for the same store; the numbers go on."""
    store.publish("exam", model)
    store.publish("exam", model)
    store.delete(Reference.parse("exam/2"))
    store.close()

    for _ in range(2):
        with closing(store_with(store.root, new_database)) as again:
            again.open()
            assert again.versions("exam") == [1]
            assert again.publish("exam", model) == 3
            again.delete(Reference.parse("exam/3"))
            again.catalogue.write(lambda unit: unit.execute(text("UPDATE models SET highest = 2"))).result()


@ON_POSTGRESQL
def test_a_catalogue_serves_one_folder_alone(store: ModelStore, own: str, tmp_path: Path, store_in: StoreIn) -> None:
    """Neither a new folder nor that of another store; nor is its folder served without it."""
    with closing(store_in(tmp_path / "other")) as other:
        other.open()
    store.close()

    for root in (tmp_path / "new", tmp_path / "other"):
        with closing(store_with(root, own)) as wrong, pytest.raises(CatalogueForeign, match="NETLET_MODELS"):
            wrong.open()
    with (
        closing(store_of(Settings(models=store.root))) as forgotten,
        pytest.raises(CatalogueForeign, match="NETLET_DATABASE_URL"),
    ):
        forgotten.open()
    assert not (store.root / ".catalogue.sqlite").exists()
    store.open()


@ON_POSTGRESQL
def test_an_id_that_was_not_written_to_its_end_is_written_anew(tmp_path: Path, store_in: StoreIn) -> None:
    """As a crash may leave it before the catalogue knows it; afterwards, no folder without the id is the store's."""
    (tmp_path / "models").mkdir()
    identity = tmp_path / "models" / ".store"
    identity.write_bytes(b"0123")

    with closing(store_in(tmp_path / "models")) as store:
        store.open()
    assert len(identity.read_bytes()) == 33
    identity.unlink()
    with closing(store_in(tmp_path / "models")) as store, pytest.raises(CatalogueForeign):
        store.open()


@ON_POSTGRESQL
def test_a_database_may_have_other_tables(tmp_path: Path, databases: PostgreSQL, new_database: str) -> None:
    """Unless they are called like ours: then that is said, with the name of one, and nothing is made."""
    with databases.connected(new_database) as other:
        other.execute("CREATE TABLE others (id int)")
        with closing(store_with(tmp_path / "models", new_database)) as store:
            store.open()
        other.execute("DROP TABLE alembic_version")

    with (
        closing(store_with(tmp_path / "models", new_database)) as store,
        pytest.raises(StorageError, match='relation "stores" already exists'),
    ):
        store.open()


@ON_POSTGRESQL
def test_who_may_not_make_tables_is_told_so(tmp_path: Path, databases: PostgreSQL, new_database: str) -> None:
    """As PostgreSQL says it, in one line."""
    databases.run("CREATE ROLE nobody_special LOGIN")
    url = new_database.replace("netlet:", "nobody_special:", 1)

    with closing(store_with(tmp_path / "models", url)) as store:
        with pytest.raises(StorageError, match="permission denied for schema public") as caught:
            store.open()
        assert "\n" not in str(caught.value)
    databases.run("DROP ROLE nobody_special")


@ON_POSTGRESQL
def test_connections_that_were_lost_are_not_noticed(
    store: ModelStore, model: Model, databases: PostgreSQL, own: str
) -> None:
    """The database was restarted while nobody asked: the next read and the next write succeed."""
    store.publish("exam", model)
    databases.cut(own)
    assert store.versions("exam") == [1]
    databases.cut(own)
    assert store.publish("exam", model) == 2


@ON_POSTGRESQL
def test_a_connection_lost_in_the_middle_undoes_what_was_begun(
    store: ModelStore, model: Model, databases: PostgreSQL, own: str
) -> None:
    """What was being written is refused; what shared its transaction is written, and so is what comes later."""

    def lose(unit: Unit) -> int:
        unit.execute(insert(models).values(name="lost", highest=7))
        databases.cut(own)
        return unit.execute(insert(models).values(name="lost-too", highest=7))

    with ThreadPoolExecutor(1) as pool:
        with held(store):
            shared = pool.submit(store.publish, "exam", model)
            wait_until(lambda: store.catalogue.waiting.qsize() == 1)
            lost = store.catalogue.write(lose)
        with pytest.raises(StorageError, match="the log of the service has the reason"):
            lost.result(30)
        assert shared.result(30) == 1

    assert store.publish("exam", model) == 2
    assert [row.name for row in store.catalogue.read(models.select())] == ["exam"]
    assert store.load("exam", 1).version == 1


@ON_POSTGRESQL
def test_what_was_lost_with_its_commit_is_not_done_twice(
    store: ModelStore, model: Model, databases: PostgreSQL, own: str
) -> None:
    """Nobody can tell whether it was committed: it is refused, and whatever lies in a version's place makes way."""
    with databases.connected(own) as other:
        other.execute(
            "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        other.execute(
            "CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON versions DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION leave()"
        )
        done: list[int] = []
        with ThreadPoolExecutor(1) as pool:
            with held(store):
                publishing = pool.submit(store.publish, "exam", model)
                wait_until(lambda: store.catalogue.waiting.qsize() == 1)
                beside = store.catalogue.write(lambda _unit: done.append(1))
            for future in (publishing, beside):
                with pytest.raises(StorageError):
                    future.result(30)
        assert done == [1]
        other.execute("DROP TRIGGER leave ON versions")

    assert store.publish("exam", model) == 1
    assert len(list((store.root / "exam").glob("*.orphan-*"))) == 1
    assert store.load("exam", 1).version == 1


@ON_POSTGRESQL
def test_what_may_not_be_done_any_more_is_no_fault_of_ours(store: ModelStore, databases: PostgreSQL, own: str) -> None:
    """A table that somebody took away is the database's refusal; there again, all goes on."""
    with databases.connected(own) as other:
        other.execute("ALTER TABLE versions RENAME TO gone")
        with pytest.raises(StorageError):
            names_in(store)
        other.execute("ALTER TABLE gone RENAME TO versions")

    assert names_in(store) == []


@ON_POSTGRESQL
def test_one_who_writes_is_not_waited_for_for_ever(store: ModelStore) -> None:
    """After half a minute those who would write after a process that hangs are refused."""
    limit = store.catalogue.write(lambda unit: unit.connection.scalar(text("SHOW lock_timeout"))).result()

    assert limit == "30s"


@ON_POSTGRESQL
def test_words_sort_by_their_bytes(store: ModelStore) -> None:
    """The columns say so themselves, whatever the database's own order is."""
    collations = text(
        "SELECT DISTINCT collation_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name IN ('name', 'alias', 'key') "
        "AND table_name NOT IN ('api_keys', 'owners')"  # which are found by numbers
    )

    assert [row[0] for row in store.catalogue.read(collations)] == ["C"]
