"""Notices: what others commit to PostgreSQL is told, and looked for where it cannot be relied on to be told."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from app.jobs.ledger import Entry, Ledger, Request
from app.models.model import Model
from app.opening import url_of
from app.settings import Settings
from app.store import aliases, api_keys, deeds
from app.store.aliases import Change
from app.store.api_keys import Grant
from app.store.catalogue import Catalogue, Unit
from app.store.deeds import Deed
from app.store.notices import FRESH, LISTENER, Notices
from app.store.references import Pointer, Reference
from app.store.store import ModelStore
from tests.conftest import StoreIn, wait_until
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.only_on("postgresql")
LIVE = Pointer("exam", "live")
KILLED = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{LISTENER}'"  # noqa: S608


@pytest.fixture
def other(store: ModelStore, store_in: StoreIn, model: Model) -> Iterator[Catalogue]:
    """Open the catalogue of a store with two versions once more, as another server does; it is told of changes."""
    for _ in range(2):
        store.publish("exam", model)
    with closing(store_in(store.root)) as other:
        other.open()
        wait_until(lambda: is_told(other.catalogue))
        yield other.catalogue


def is_told(catalogue: Catalogue) -> bool:
    """Tell whether a catalogue relies on being told, once it has begun to listen."""
    assert catalogue.generation is not None
    assert catalogue.notices is not None
    return catalogue.notices.is_trusted


def point(store: ModelStore, version: int) -> None:
    store.catalogue.write(lambda unit: aliases.point(unit, LIVE, version, Change(""))).result()


def told_of(catalogue: Catalogue, change: Callable[[], object]) -> None:
    """Change something, and wait until that is known, by being told of it."""
    assert catalogue.notices is not None
    wait_until(lambda: is_told(catalogue))
    before = catalogue.notices.told
    change()
    wait_until(lambda: catalogue.notices is not None and catalogue.notices.told > before)


def test_each_commit_of_what_is_remembered_is_told(store: ModelStore, other: Catalogue, model: Model) -> None:
    """Versions that come and go, aliases that are made, moved and deleted, keys."""
    write = store.catalogue.write
    for change in (
        lambda: store.publish("exam", model),
        lambda: point(store, 2),
        lambda: store.delete(Reference.parse("exam/1")),
        lambda: write(lambda unit: aliases.remove(unit, LIVE, Change(""))).result(),
        lambda: store.keep("exam", 1),
        lambda: write(lambda unit: api_keys.create(unit, "mine", Grant(frozenset({"admin"})), None)).result(),
        lambda: write(lambda unit: api_keys.revoke(unit, 1)).result(),
        lambda: write(lambda unit: api_keys.forget(unit, 1)).result(),
    ):
        told_of(other, change)


def test_what_nobody_remembers_is_not_told(store: ModelStore, other: Catalogue) -> None:
    """Neither jobs nor deeds let others read everything again, nor their own process; what comes after them is told."""
    assert other.notices is not None
    before, own = other.notices.told, store.catalogue.commits
    ledger = Ledger(store.catalogue, lease=100, most_attempts=3)

    def write_jobs(unit: Unit) -> None:
        ledger.submit(unit, "job", Entry("exam", None, 1, b""), Request(), runs=False, most_queued=10)
        ledger.claim(unit)
        ledger.beat(unit, ["job"])
        ledger.release(unit)
        deeds.note(unit, Deed(0.0, "", "", "POST", "/train", 201, None, ""))

    store.catalogue.write(write_jobs).result()
    assert store.catalogue.commits == own
    point(store, 1)

    wait_until(lambda: other.notices is not None and other.notices.told > before)
    assert other.notices.told == before + 1
    assert store.catalogue.commits == own + 1


def test_one_who_listens_no_more_looks_and_listens_again(
    store: ModelStore, other: Catalogue, databases: PostgreSQL
) -> None:
    """Its connection was cut: what is remembered is out of date by time, until another one tells again."""
    assert other.notices is not None
    for version in (1, 2):
        before = other.generation
        databases.run(KILLED)
        wait_until(lambda before=before: other.generation != before)  # type: ignore[misc]
        told_of(other, lambda version=version: point(store, version))  # type: ignore[misc]


def test_everything_counts_as_changed_once_it_listens_again(
    store: ModelStore, other: Catalogue, settings: Settings, databases: PostgreSQL
) -> None:
    """What was committed while nobody listened is told to nobody."""
    assert other.notices is not None
    assert settings.database_url is not None
    before = other.notices.told
    with databases.out_of_reach(settings.database_url.get_secret_value()):
        wait_until(lambda: not is_told(other))
        looked = other.generation
        wait_until(lambda: other.generation != looked, seconds=10)

    wait_until(lambda: is_told(other))
    assert other.notices.told > before
    assert store.kept("exam") == [1, 2]


def test_those_who_get_no_notices_do_not_rely_on_them(
    settings: Settings, store: ModelStore, databases: PostgreSQL
) -> None:
    """As behind a pooler that gives each transaction another connection: what others change is looked for."""
    assert store.catalogue.is_open
    url, elsewhere = url_of(settings), databases.create()
    engine = create_engine(str(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        """Let the first connection, which listens, be one to another database."""
        parameters["dbname"] = elsewhere.partition("@/")[2].partition("?")[0] if not made else parameters["dbname"]
        made.append(parameters["dbname"])

    notices = Notices(engine)
    notices.begin()
    try:
        wait_until(lambda: len(made) == 2)
        before = notices.generation
        time.sleep(2 * FRESH)
        assert not notices.is_trusted
        assert notices.generation != before
    finally:
        notices.close()
        databases.drop(elsewhere)
        engine.dispose()
