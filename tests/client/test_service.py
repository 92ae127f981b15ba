"""A client of services that are away, busy, or none at all."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.client.sending import Said, Table
from app.client.service import Problem, Service, Unreachable
from tests.client.fake_service import Answer, Received, serving

JOB = json.dumps({"job": "abc"})
NOTHING_SAID = Said.of([])


@contextmanager
def service(answers: list[Answer]) -> Iterator[tuple[Service, list[Received], list[str]]]:
    """Give a client of a fake service, what it receives and what the client says."""
    said: list[str] = []
    with serving(answers) as (url, received), Service(url, said.append) as client:
        yield client, received, said


def csv(text: bytes = b"a,b\n1,2\n") -> Table:
    return Table(io.BytesIO(text), "text/csv", len(text))


def test_a_busy_service_is_asked_again_with_the_same_key_and_table() -> None:
    """After as many seconds as it says; and that is told once."""
    answers = [Answer(429, "{}", retry_after="1"), Answer(503, "{}", retry_after="0"), Answer(202, JOB)]
    began = time.monotonic()

    with service(answers) as (client, received, said):
        assert client.train(csv(), NOTHING_SAID, []) == {"job": "abc"}

    assert 1 <= time.monotonic() - began < 5
    assert {request.body for request in received} == {b"a,b\n1,2\n"}
    assert len({request.headers["idempotency-key"] for request in received}) == 1
    assert len(said) == 1


def test_two_trainings_have_two_keys() -> None:
    """What was asked for twice is done twice."""
    with service([Answer(202, JOB)] * 2) as (client, received, _):
        for _ in range(2):
            client.train(csv(), NOTHING_SAID, [])

    assert len({request.headers["idempotency-key"] for request in received}) == 2


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    """Whether the first request was done or not, the key makes it one."""
    with service([Answer(202, JOB[:4], missing=9), Answer(202, JOB)]) as (client, received, _):
        assert client.train(csv(), NOTHING_SAID, []) == {"job": "abc"}

    assert len(received) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 507])
def test_what_a_service_will_not_do_is_asked_once(status: int) -> None:
    """The problem is raised as it was told."""
    with (
        service([Answer(status, '{"detail": "No."}')]) as (client, received, _),
        pytest.raises(Problem, match=r"No\.") as caught,
    ):
        client.train(csv(), NOTHING_SAID, [])

    assert (caught.value.status, len(received)) == (status, 1)


@pytest.mark.parametrize("body", ["", "<html>", "[]", '"text"', "7"])
def test_an_error_in_other_words_is_a_problem_too(body: str) -> None:
    """A proxy's page, say: its status is told."""
    with service([Answer(418, body)]) as (client, _, _), pytest.raises(Problem, match="418"):
        client.model("exam", 1)


def test_an_answer_in_other_words_is_from_no_netlet() -> None:
    """A page where JSON belongs, and JSON where events do."""
    with (
        service([Answer(200, "<html>"), Answer(200, JOB)]) as (client, _, _),
    ):
        with pytest.raises(Unreachable, match="no netlet"):
            client.model("exam", 1)
        with pytest.raises(Unreachable, match="no netlet"):
            next(client.follow("abc"))


def test_a_table_that_is_too_large_is_uploaded_and_trained_from() -> None:
    """413, then the table again as a dataset, then its training without the table."""
    answers = [Answer(413, "{}"), Answer(201, '{"dataset": "d1"}'), Answer(202, JOB)]

    with service(answers) as (client, received, said):
        client.train(csv(), Said.of(["target=b", "delimiter=;"]), [("priority", "3")])

    assert [request.path for request in received] == [
        "/train?target=b&delimiter=%3B&priority=3&wait=0",
        "/datasets?delimiter=%3B",
        "/train?target=b&dataset=d1&priority=3&wait=0",
    ]
    assert [request.body for request in received] == [b"a,b\n1,2\n", b"a,b\n1,2\n", b""]
    assert "d1" in said[0]


def test_a_table_that_is_surely_too_large_is_sent_once() -> None:
    """It becomes a dataset at once."""
    answers = [Answer(201, '{"dataset": "d1"}'), Answer(202, JOB)]
    file = csv().file

    with service(answers) as (client, received, _):
        client.train(Table(file, "text/csv", 2**30), NOTHING_SAID, [])

    assert [request.path.split("?")[0] for request in received] == ["/datasets", "/train"]


def test_a_training_is_followed_from_the_event_that_was_seen_last() -> None:
    """A stream that is cut off, or ends early, is asked for again; nothing is told twice, nothing is missed."""
    cut_off = Answer(200, 'event: progress\nid: 7\ndata: {"epoch": 7}\n\nevent: prog', "text/event-stream", missing=99)
    ended = Answer(200, 'event: progress\nid: 9\ndata: {"epoch": 9}\n\n', "text/event-stream")
    last = Answer(200, "event: succeeded\ndata: {}\n\n", "text/event-stream")

    with service([cut_off, ended, last]) as (client, received, _):
        told = list(client.follow("abc"))

    assert [(event.name, event.data.get("epoch")) for event in told] == [
        ("progress", 7),
        ("progress", 9),
        ("succeeded", None),
    ]
    assert [request.headers["last-event-id"] for request in received] == ["", "7", "9"]


def test_a_job_can_have_any_name() -> None:
    """It stays one part of the path."""
    with service([Answer(404, "{}")]) as (client, received, _), pytest.raises(Problem):
        next(client.follow("../models?x"))

    assert received[0].path == "/jobs/..%2Fmodels%3Fx/events"
