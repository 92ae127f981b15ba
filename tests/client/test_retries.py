"""A real service behind connections that break: what is asked again is done once."""

import json
from collections.abc import Iterator

import pytest

from app.client import AsyncClient, Client, Failed, NotFound, Unreachable
from tests.client.fake_service import Answer, serving
from tests.client.flaky import Fault, flaky
from tests.conftest import ROWS

EVERY = [*Fault]


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """Ask without faults."""
    with Client(url) as client:
        yield client


def jobs_of(client: Client, name: str) -> list[str]:
    return [job.job for job in client.jobs(limit=1000) if job.model == name]


def test_a_training_through_every_fault_is_one_training(url: str, client: Client) -> None:
    """One job, one version, although its request arrived three times."""
    with flaky(url, EVERY) as way, Client(way) as flaky_client:
        model = flaky_client.train(ROWS, "score", name="once", preset="tutorial")

    assert model.reference == "once/1"
    assert client.model("once").versions == [1]
    assert len(jobs_of(client, "once")) == 1


def test_a_training_that_is_watched_through_every_fault_is_one_training(url: str, client: Client) -> None:
    """The stream breaks too, and goes on with the next epoch, if the training is not over by then."""
    epochs: list[int] = []
    faults = [Fault.ANSWER_LOST, Fault.ANSWER_CUT, Fault.NEVER_ARRIVES, Fault.ANSWER_CUT]

    with flaky(url, faults) as way, Client(way) as flaky_client:
        model = flaky_client.train(
            ROWS, "score", name="watched-once", preset="tutorial", progress=lambda told: epochs.append(told.epoch)
        )

    assert model.reference == "watched-once/1"
    assert epochs == sorted(set(epochs))
    assert len(jobs_of(client, "watched-once")) == 1


async def test_the_same_holds_for_who_does_not_wait(url: str, client: Client) -> None:
    """`AsyncClient` sends the same requests."""
    with flaky(url, EVERY) as way:
        async with AsyncClient(way) as flaky_client:
            model = await flaky_client.train(ROWS, "score", name="async-once", preset="tutorial")

    assert model.reference == "async-once/1"
    assert len(jobs_of(client, "async-once")) == 1


def test_training_on_and_bringing_in_make_one_version(url: str, client: Client) -> None:
    """Whatever breaks."""
    client.train(ROWS, "score", name="on-once", preset="tutorial")
    snapshot = client.snapshot("on-once")

    with flaky(url, EVERY) as way, Client(way) as flaky_client:
        flaky_client.train_on("on-once", ROWS, training={"epochs": 3})
    with flaky(url, EVERY) as way, Client(way) as flaky_client:
        flaky_client.import_snapshot("in-once", snapshot)

    assert client.model("on-once").versions == [1, 2]
    assert client.model("in-once").versions == [1]


def test_what_was_deleted_when_no_answer_came_is_deleted(url: str, client: Client) -> None:
    """That it is not there the second time is no error; that it was never there is one."""
    client.train(ROWS, "score", name="gone-once", preset="tutorial")

    with flaky(url, [Fault.ANSWER_LOST]) as way, Client(way) as flaky_client:
        flaky_client.delete("gone-once")

    with pytest.raises(NotFound):
        client.delete("gone-once")
    with pytest.raises(NotFound):
        client.model("gone-once")


def test_what_would_do_more_the_second_time_is_not_sent_again(url: str, client: Client) -> None:
    """A rollback whose answer is lost is one step back, and whoever asked for it hears that nobody knows."""
    for _ in range(3):
        client.train(ROWS, "score", name="back-once", preset="tutorial")
    for version in (1, 2, 3):
        client.point("back-once", "live", version)

    with flaky(url, [Fault.ANSWER_LOST]) as way, Client(way) as flaky_client, pytest.raises(Unreachable):
        flaky_client.roll_back("back-once", "live")

    assert client.alias("back-once", "live").version == 2


ALIAS = '{"model": "exam", "alias": "live", "reference": "exam/1", "version": 1, "revision": 2}'
AGAIN = "0"


@pytest.mark.parametrize("kind", ["storage", "shutting-down", ""])
def test_what_may_have_been_done_is_not_sent_again(kind: str) -> None:
    """A disk that refuses at the end of a change, or a service that ends meanwhile, may have made it."""
    told = json.dumps({"type": f"/problems/{kind}", "detail": "Later."} if kind else {"detail": "Later."})

    with (
        serving([Answer(503, told, retry_after=AGAIN), Answer(200, ALIAS)]) as (way, received),
        Client(way) as client,
        pytest.raises(Failed, match="Later"),
    ):
        client.roll_back("exam", "live")

    assert len(received) == 1


@pytest.mark.parametrize(("status", "kind"), [(503, "overloaded"), (429, "rate-limited")])
def test_what_has_not_begun_is_sent_again(status: int, kind: str) -> None:
    """Who is told so in front of all that a service does may ask for anything again."""
    told = json.dumps({"type": f"/problems/{kind}", "detail": "Later."})

    with (
        serving([Answer(status, told, retry_after=AGAIN), Answer(200, ALIAS)]) as (way, received),
        Client(way) as client,
    ):
        moved = client.roll_back("exam", "live")

    assert (moved.reference, len(received)) == ("exam/1", 2)


def test_lists_and_answers_come_through_faults_whole(url: str, client: Client) -> None:
    """Nothing is left out, and nothing is there twice."""
    client.train(ROWS, "score", name="whole", preset="tutorial")

    with flaky(url, EVERY) as way, Client(way) as flaky_client:
        names = [model.model for model in flaky_client.models("whole")]
    with flaky(url, EVERY) as way, Client(way) as flaky_client:
        answers = flaky_client.predict("whole", X=[[2, 9], [1, 5]])

    assert names == ["whole"]
    assert answers == client.predict("whole", X=[[2, 9], [1, 5]])
