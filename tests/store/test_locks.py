"""Locks of a catalogue in PostgreSQL: who writes about something else waits for nobody; what collides is done again."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event, Thread

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from app.errors import Busy, DatasetInUse, NetletError, QuotaExceeded
from app.jobs.job import State
from app.jobs.ledger import Entry, Key, Ledger, Request, Submitted, about
from app.models.model import Model
from app.settings import Settings
from app.store import locks
from app.store.api_keys import Grant, Quotas
from app.store.catalogue import Unit
from app.store.datasets import DatasetStore
from app.store.locks import MOST, NOTHING, of_model
from app.store.references import Reference
from app.store.schema import datasets, jobs, models
from app.store.store import ModelStore
from tests.conftest import StoreIn, wait_until
from tests.postgresql import PostgreSQL

ON_POSTGRESQL = pytest.mark.only_on("postgresql")
WORDS = st.sets(st.text(), max_size=MOST)


@pytest.fixture
def other(store: ModelStore, store_in: StoreIn) -> Iterator[ModelStore]:
    """Open the same store once more, as another server does."""
    with closing(store_in(store.root)) as other:
        other.open()
        yield other


@pytest.fixture
def beside(settings: Settings, databases: PostgreSQL, store: ModelStore) -> Iterator[psycopg.Connection]:
    """Connect to the database of the store, beside those who use it."""
    assert store.catalogue.is_open
    assert settings.database_url is not None
    with databases.connected(settings.database_url.get_secret_value()) as connection:
        yield connection


@contextmanager
def writing(store: ModelStore, do: Callable[[Unit], object], about: Collection[str] | None) -> Iterator[None]:
    """Do something in a transaction that is not over before this is."""
    began, go_on = Event(), Event()

    def hold(unit: Unit) -> None:
        do(unit)
        began.set()
        assert go_on.wait(60)

    held = store.catalogue.write(hold, about)
    try:
        assert began.wait(30)
        yield
    finally:
        go_on.set()
    held.result(30)


def waits(connection: psycopg.Connection, kind: str) -> bool:
    """Tell whether anybody waits for a lock of this kind."""
    return bool(connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = %s", [kind]).fetchall())


def nothing(_unit: Unit) -> None:
    pass


@given(st.lists(WORDS, max_size=3))
def test_nobody_waits_in_a_circle_for_what_he_wrote_about(all_about: list[set[str]]) -> None:
    """All locks are asked for in the order of their numbers; who has too many, or does not say, is alone."""
    about = locks.together(all_about)
    words = set().union(*all_about)

    if about is None:
        assert len(words) > MOST
    else:
        numbers = locks.numbers_of(about)
        assert numbers == sorted(numbers)
        assert len(numbers) == len(words)
    assert locks.together([*all_about, None]) is None


@ON_POSTGRESQL
def test_who_writes_about_another_model_waits_for_nobody(store: ModelStore, other: ModelStore, model: Model) -> None:
    """Though the first has a number already, and is not done."""

    def number(unit: Unit) -> None:
        unit.execute(insert(models).values(name="one", highest=1))

    with writing(store, number, {of_model("one")}):
        assert other.publish("two", model) == 1
        other.delete(Reference.parse("two"))


@ON_POSTGRESQL
@pytest.mark.parametrize("about", [{of_model("exam")}, None], ids=["the same", "anything"])
def test_who_writes_about_the_same_waits(
    about: set[str] | None, store: ModelStore, other: ModelStore, model: Model, beside: psycopg.Connection
) -> None:
    """And so does whoever meets one who did not say what about; then numbers go on."""
    assert store.publish("exam", model) == 1
    later: Future[int] = Future()
    publishing = Thread(target=lambda: later.set_result(other.publish("exam", model)))

    with writing(store, lambda unit: unit.execute(update(models).values(highest=7)), about):
        publishing.start()
        wait_until(lambda: waits(beside, "advisory"))
        assert not later.done()

    assert later.result(30) == 8
    publishing.join()


@ON_POSTGRESQL
def test_who_does_not_say_what_about_is_alone(store: ModelStore, other: ModelStore, beside: psycopg.Connection) -> None:
    """It waits for all others, and nothing that comes later overtakes it."""
    with writing(store, nothing, {of_model("one")}):
        alone = other.catalogue.write(nothing)
        wait_until(lambda: waits(beside, "advisory"))
        assert not alone.done()
    alone.result(30)


@ON_POSTGRESQL
def test_what_ends_in_a_circle_is_done_again(
    store: ModelStore, model: Model, beside: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL gives up one of two that wait for each other's rows; nobody who asked netlet is told."""
    caplog.set_level("INFO")
    for name in ("a", "b"):
        store.publish(name, model)
    done: list[int] = []

    def both(unit: Unit) -> int:
        for name in ("a", "b"):
            unit.execute(update(models).where(models.c.name == name).values(highest=models.c.highest + 1))
            if name == "a" and not done:
                done.append(1)
                beside.execute("BEGIN; SET LOCAL deadlock_timeout = '1min'")
                beside.execute("UPDATE models SET highest = 10 WHERE name = 'b'")
                crossing.start()
                wait_until(lambda: waits(watching, "transactionid") or waits(watching, "tuple"))
        return 1

    with psycopg.connect(beside.info.dsn, autocommit=True) as watching:
        crossing = Thread(target=lambda: beside.execute("UPDATE models SET highest = 20 WHERE name = 'a'; COMMIT"))
        assert store.catalogue.write(both, NOTHING).result(60) == 1
        crossing.join()

    numbers = {row.name: row.highest for row in store.catalogue.read(select(models.c.name, models.c.highest))}
    assert numbers == {"a": 21, "b": 11}
    assert "begins anew" in caplog.text


def queued(store: ModelStore, *ids: str) -> Ledger:
    """Let some jobs wait, and give a ledger of them."""
    ledger = Ledger(store.catalogue, lease=100, most_attempts=3)

    def submit(unit: Unit) -> None:
        for job in ids:
            ledger.submit(unit, job, Entry("exam", None, 1, b""), Request(), runs=False, most_queued=10)

    store.catalogue.write(submit).result()
    return ledger


@ON_POSTGRESQL
def test_who_claims_skips_what_others_are_claiming(store: ModelStore, other: ModelStore) -> None:
    """It gets the next one, or none, and does not wait; no job is claimed twice."""
    first, claimed = queued(store, "one", "two"), []
    second = Ledger(other.catalogue, lease=100, most_attempts=3)

    def claim(ledger: Ledger) -> Callable[[Unit], None]:
        return lambda unit: claimed.append(ledger.claim(unit))

    with writing(store, claim(first), NOTHING):
        for _ in range(2):
            other.catalogue.write(claim(second), NOTHING).result(30)

    ids = [None if each is None else each.job.id for each in claimed]
    assert ids == ["one", "two", None]
    owners = {row.id: row.owner for row in store.catalogue.read(select(jobs.c.id, jobs.c.owner))}
    assert owners == {"one": first.owner, "two": second.owner}


@ON_POSTGRESQL
def test_a_wish_waits_for_the_claim_that_is_under_way(
    store: ModelStore, other: ModelStore, beside: psycopg.Connection
) -> None:
    """Who would cancel a job that waits finds one that runs, and its owner is told."""
    first = queued(store, "one")
    second = Ledger(other.catalogue, lease=100, most_attempts=3)

    with writing(store, first.claim, NOTHING):
        asked = other.catalogue.write(lambda unit: second.ask(unit, "one", "cancel"), NOTHING)
        wait_until(lambda: waits(beside, "transactionid") or waits(beside, "tuple"))

    assert (asked.result(30).state, asked.result().wish) == (State.RUNNING, "cancel")
    told = store.catalogue.write(lambda unit: first.beat(unit, ["one"]), NOTHING).result()
    assert told["one"].wish == "cancel"


def granted(quotas: Quotas) -> Request:
    return Request(caller="key 1", grant=Grant(frozenset({"train"}), ("exam*",), quotas))


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "asked",
    [
        (Request(key=Key("mine", "digest")), 10, None),
        (Request(), 1, Busy),
        (granted(Quotas(trainings=1)), 10, QuotaExceeded),
        (granted(Quotas(stored=1)), 10, QuotaExceeded),
    ],
    ids=["key", "queue", "trainings", "models"],
)
def test_who_counts_what_another_is_adding_waits_for_it(
    asked: tuple[Request, int, type[NetletError] | None],
    store: ModelStore,
    other: ModelStore,
    beside: psycopg.Connection,
) -> None:
    """Of two who ask at the same time for what one may have, the second is refused, or given what the first made."""
    request, most_queued, refusal = asked

    def submit(store: ModelStore, job: str, name: str) -> tuple[Callable[[Unit], Submitted], set[str]]:
        ledger, entry = Ledger(store.catalogue, lease=100, most_attempts=3), Entry(name, None, 1, b"")
        return (
            lambda unit: ledger.submit(unit, job, entry, request, runs=False, most_queued=most_queued),
            about(entry, request, runs=False) - ({locks.QUEUE} if most_queued > 1 else set()),
        )

    with writing(store, *submit(store, "one", "exam")):
        second = other.catalogue.write(*submit(other, "two", "exam-2"))
        wait_until(lambda: waits(beside, "advisory"))

    if refusal is None:
        assert (second.result(30).is_new, second.result().job.id) == (False, "one")
    else:
        with pytest.raises(refusal):
            second.result(30)


@ON_POSTGRESQL
def test_who_deletes_a_dataset_waits_for_who_is_to_learn_from_it(
    store: ModelStore, other: ModelStore, beside: psycopg.Connection
) -> None:
    """And finds it in use then."""
    dataset = "d" * 32
    store.catalogue.write(lambda unit: unit.execute(insert(datasets).values(id=dataset, created=0.0))).result()
    others = DatasetStore(other.root, other.catalogue)
    others.open(alone=False)
    ledger, entry = Ledger(store.catalogue, lease=100, most_attempts=3), Entry("exam", dataset, 1, b"")

    def submit(unit: Unit) -> Submitted:
        return ledger.submit(unit, "one", entry, Request(), runs=True, most_queued=10)

    with ThreadPoolExecutor(1) as pool:
        with writing(store, submit, about(entry, Request(), runs=True)):
            deleting = pool.submit(others.delete, dataset)
            wait_until(lambda: waits(beside, "advisory"))
        with pytest.raises(DatasetInUse):
            deleting.result(30)


@ON_POSTGRESQL
async def test_who_moves_an_alias_waits_for_who_writes_about_its_model(
    store: ModelStore, model: Model, client: httpx.AsyncClient, beside: psycopg.Connection
) -> None:
    """Whichever way it moves: a version that is deleted meanwhile is pointed at by none."""
    for _ in range(2):
        store.publish("exam", model)
    live = "/models/exam/aliases/live"
    moves: list[tuple[str, str, dict[str, int] | None]] = [
        ("PUT", live, {"version": 1}),
        ("PUT", live, {"version": 2}),
        ("POST", f"{live}/rollback", {}),
        ("DELETE", live, None),
    ]
    for method, path, body in moves:
        with writing(store, nothing, {of_model("exam")}):
            moving = asyncio.create_task(client.request(method, path, json=body))
            await asyncio.to_thread(wait_until, lambda: waits(beside, "advisory"))
            assert not moving.done()
        assert (await moving).is_success
