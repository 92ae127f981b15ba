"""A client that trains with services that are away, busy, or none at all."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.client import Client, Failed, Problem, Progress, Unreachable
from app.client.sending import Table
from tests.client.fake_service import Answer, Received, serving

JOB = {
    "job": "abc",
    "status": "running",
    "created": "2026-01-01T00:00:00Z",
}
ACCEPTED = Answer(202, json.dumps(JOB))


@contextmanager
def client_of(answers: list[Answer]) -> Iterator[tuple[Client, list[Received], list[str]]]:
    """Give a client of a fake service, what it receives and what the client says."""
    said: list[str] = []
    with serving(answers) as (url, received), Client(url, say=said.append) as client:
        yield client, received, said


def csv(text: bytes = b"a,b\n1,2\n") -> Table:
    return Table(io.BytesIO(text), "text/csv", len(text))


def test_a_busy_service_is_asked_again_with_the_same_key_and_table() -> None:
    """After as many seconds as it says; and that is told once."""
    answers = [Answer(429, "{}", retry_after="1"), Answer(503, "{}", retry_after="0"), ACCEPTED]
    began = time.monotonic()

    with client_of(answers) as (client, received, said):
        assert client.begin(csv(), "b").job == "abc"

    assert time.monotonic() - began >= 1
    assert {request.body for request in received} == {b"a,b\n1,2\n"}
    assert len({request.headers["idempotency-key"] for request in received}) == 1
    assert len(said) == 1


def test_two_trainings_have_two_keys() -> None:
    """What was asked for twice is done twice."""
    with client_of([ACCEPTED] * 2) as (client, received, _):
        for _ in range(2):
            client.begin(csv(), "b")

    assert len({request.headers["idempotency-key"] for request in received}) == 2


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    """Whether the first request was done or not, the key makes it one."""
    with client_of([Answer(202, '{"jo', missing=9), ACCEPTED]) as (client, received, _):
        assert client.begin(csv(), "b").job == "abc"

    assert len({request.headers["idempotency-key"] for request in received}) == 1
    assert len(received) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 501, 507])
def test_what_a_service_will_not_do_is_asked_once(status: int) -> None:
    """The problem is raised as it was told."""
    with (
        client_of([Answer(status, '{"detail": "No."}')]) as (client, received, _),
        pytest.raises(Problem, match=r"No\.") as caught,
    ):
        client.begin([{"a": 1, "b": 2}], "b")

    assert (caught.value.status, len(received)) == (status, 1)


def test_a_service_that_fails_at_something_is_asked_three_times() -> None:
    """It may have been an accident; what is wrong with it for good does not go away."""
    with client_of([Answer(500, '{"detail": "Oh."}')] * 3) as (client, received, _), pytest.raises(Failed, match="Oh"):
        client.begin(csv(), "b")

    assert len({request.headers["idempotency-key"] for request in received}) == 1
    assert len(received) == 3


@pytest.mark.parametrize("body", ["", "<html>", "[]", '"text"', "7"])
def test_an_error_in_other_words_is_a_problem_too(body: str) -> None:
    """A proxy's page, say: its status is told."""
    with client_of([Answer(418, body)]) as (client, _, _), pytest.raises(Problem, match="418"):
        client.model("exam/1")


@pytest.mark.parametrize("body", ["<html>", "[]", "\N{SNOWMAN}"])
def test_an_answer_in_other_words_is_from_no_netlet(body: str) -> None:
    """A page where JSON belongs, or JSON of another kind."""
    with client_of([Answer(200, body)]) as (client, _, _), pytest.raises(Unreachable, match="no netlet"):
        client.model("exam/1")


def test_events_in_other_words_are_from_no_netlet() -> None:
    """JSON where a stream belongs."""
    with client_of([ACCEPTED]) as (client, _, _), pytest.raises(Unreachable, match="no netlet"):
        next(client.follow("abc"))


def test_a_table_that_is_too_large_is_uploaded_and_trained_from() -> None:
    """413, then the table again as a dataset, then its training without the table."""
    answers = [Answer(413, "{}"), Answer(201, '{"dataset": "d1"}'), ACCEPTED]

    with client_of(answers) as (client, received, said):
        client.begin(csv(), "b", priority=3, kinds={"a": "category", "b": "integer"}, delimiter=";")

    assert [request.path for request in received] == [
        "/train?target=b&kinds=%7B%22a%22%3A%22category%22%2C%22b%22%3A%22integer%22%7D&delimiter=%3B&priority=3&wait=0",
        "/datasets?delimiter=%3B&kinds=%7B%22a%22%3A%22category%22%7D",
        "/train?target=b&kinds=%7B%22a%22%3A%22category%22%2C%22b%22%3A%22integer%22%7D&dataset=d1&priority=3&wait=0",
    ]
    assert [request.body for request in received] == [b"a,b\n1,2\n", b"a,b\n1,2\n", b""]
    assert "d1" in said[0]


def test_a_table_that_is_surely_too_large_is_sent_once() -> None:
    """It becomes a dataset at once."""
    table = replace(csv(), size=2**30)

    with client_of([Answer(201, '{"dataset": "d1"}'), ACCEPTED]) as (client, received, _):
        client.begin(table, "b")

    assert [request.path.split("?")[0] for request in received] == ["/datasets", "/train"]


def test_a_training_is_followed_from_the_event_that_was_seen_last() -> None:
    """A stream that is cut off, or ends early, is asked for again; nothing is told twice, nothing is missed."""
    cut_off = Answer(200, 'event: progress\nid: 7\ndata: {"epoch": 7}\n\nevent: prog', "text/event-stream", missing=99)
    ended = Answer(200, 'event: progress\nid: 9\ndata: {"epoch": 9}\n\n', "text/event-stream")
    last = Answer(200, f"event: succeeded\ndata: {json.dumps(JOB)}\n\n", "text/event-stream")

    with client_of([cut_off, ended, last]) as (client, received, _):
        told = list(client.follow("abc"))

    assert [(event.name, event.told.raw.get("epoch")) for event in told] == [
        ("progress", 7),
        ("progress", 9),
        ("succeeded", None),
    ]
    assert isinstance(told[0].told, Progress)
    assert [request.headers["last-event-id"] for request in received] == ["", "7", "9"]


def test_a_job_can_have_any_name() -> None:
    """It stays one part of the path."""
    with client_of([Answer(404, "{}")]) as (client, received, _), pytest.raises(Problem):
        next(client.follow("../models?x"))

    assert received[0].path == "/jobs/..%2Fmodels%3Fx/events"
