"""Connections on which the lane answers: what arrives in pieces, together, or never; and whoever leaves."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import cast

import pytest

from app.api.lane import LaneProtocol
from app.settings import Settings
from tests.api.lanes import HOST, LAST, Both, request, rest_of, serving, statuses_of, transcript, turns, until

EXAM = request({"model": "exam", "X": [[4, 8]]}, x_request_id="exam")
OTHER = request({"rows": [{"b": 5, "a": 1}, {"a": 2, "b": 3}]}, "/models/exam/predict", x_request_id="other")
STEEP = request({"model": "steep", "X": [[1e99]]}, x_request_id="steep")
CHUNKS = (
    b"POST /predict HTTP/1.1\r\nhost: here\r\nx-request-id: chunks\r\ntransfer-encoding: chunked\r\n\r\n"
    b'11\r\n{"model": "exam",\r\nf\r\n "X": [[1, 2]]}\r\n0\r\n\r\n'
)
LISTED = b"GET /models HTTP/1.1\r\nhost: here\r\nx-request-id: listed\r\n\r\n"
WRONG = request({"model": "exam", "X": [[4, "8"]]}, x_request_id="wrong")


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[Both]:
    async with serving(settings) as both:
        await both.train("exam")
        yield both


def pieces(sent: bytes, cuts: list[int]) -> list[bytes]:
    """Cut what is sent at some places."""
    return [sent[start:end] for start, end in pairwise([0, *sorted(cuts), len(sent)]) if start < end]


def connections(both: Both) -> list[LaneProtocol]:
    """Give the server's side of all that are open with the lane."""
    return [cast("LaneProtocol", each) for each in both.servers[0].server_state.connections]


async def test_a_request_may_arrive_in_any_two_pieces(both: Both) -> None:
    """Cut at each byte, behind another on its connection."""
    expected = await both.alike(EXAM, OTHER, LAST)

    for place in range(1, len(OTHER)):
        before = both.reached
        answer = await transcript(both.lane, [EXAM, OTHER[:place], OTHER[place:], LAST])
        assert answer == expected, place
        assert place <= OTHER.index(b"\r\n\r\n") + 3 or both.reached == before + 1, place


async def test_a_request_may_arrive_byte_by_byte(both: Both) -> None:
    """Head and body; or the body alone."""
    head = OTHER.index(b"\r\n\r\n") + 4
    await both.alike(*(OTHER[place : place + 1] for place in range(len(OTHER))), EXAM, LAST)
    await both.alike(OTHER[:head], *(OTHER[place : place + 1] for place in range(head, len(OTHER))), EXAM, LAST)


async def test_requests_that_come_together_are_answered_in_their_order(both: Both) -> None:
    """Those of the lane, others and wrong ones in any mixture, cut anywhere."""
    rng = random.Random(3)
    for _ in range(40):
        asked = [rng.choice([EXAM, OTHER, CHUNKS, LISTED, WRONG]) for _ in range(rng.randint(1, 6))]
        sent = b"".join([*asked, LAST])
        answer = await both.alike(*pieces(sent, [rng.randrange(len(sent)) for _ in range(rng.randint(0, 4))]))
        assert len(statuses_of(answer)) == len(asked) + 1


async def test_what_follows_half_of_another_request_is_its_other_half(both: Both) -> None:
    """Also where it looks like one for the lane."""
    head = b"POST /predict HTTP/1.1\r\nhost: here\r\nx-request-id: a\r\ncontent-length: %d\r\n"
    for begun in (
        head % len(EXAM) + b"origin: http://here\r\n\r\n",
        head % len(EXAM) + b"\r\n",
        head % (len(EXAM) + 1) + b"\r\n ",
        (head % 0).replace(b"content-length: 0", b"transfer-encoding: chunked") + b"\r\n%x\r\n" % len(EXAM),
    ):
        end = b"\r\n0\r\n\r\n" if b"chunked" in begun else b""
        answer = await both.alike(begun, EXAM, end + OTHER, LAST)
        assert statuses_of(answer) == [400, 200, 404]


async def test_what_is_left_of_a_refused_request_is_no_other(settings: Settings) -> None:
    """It was answered before its body came: whatever that looks like, it is thrown away."""
    body = EXAM * (200_000 // len(EXAM) + 1)
    async with serving(settings.model_copy(update={"predict_bytes": 1000})) as both:
        await both.train("exam")
        for begun in (request(b"", content_encoding="identity"), request(b"")):
            head = begun.replace(b"content-length: 0", b"content-length: %d" % len(body))
            answer = await both.alike(head, *pieces(body, [len(EXAM), 2 * len(EXAM) + 5]), EXAM, LAST)
            assert statuses_of(answer) == [413, 200, 404]


async def test_a_request_may_come_while_another_is_answered(both: Both) -> None:
    """What is received in the same turn is answered next: one, half of one, several, of whatever kind."""
    await both.train("steep")
    for later in ([OTHER], [CHUNKS], [OTHER, EXAM], [OTHER + EXAM], [OTHER[:99], OTHER[99:]], [STEEP, WRONG], [LISTED]):
        for first in (EXAM, STEEP, OTHER):
            expected = await transcript(both.plain, [first, *later, LAST])
            reader, writer = await asyncio.open_connection(HOST, both.lane)
            await until(lambda: len(connections(both)) == 1)
            for segment in (first, *later):
                connections(both)[0].data_received(segment)
            writer.write(LAST)
            assert await rest_of(reader, writer) == expected
            await until(lambda: not connections(both))


async def test_requests_of_one_turn_share_a_tile(both: Both) -> None:
    """More of them than it has rows, on connections of their own, some of which close: all others are answered."""
    expected = await transcript(both.plain, [EXAM, LAST])
    opened = [await asyncio.open_connection(HOST, both.lane) for _ in range(20)]
    await until(lambda: len(connections(both)) == len(opened))
    before = both.reached

    for number, connection in enumerate(connections(both)):
        connection.data_received(EXAM)
        if number in {2, 8, 19}:
            connection.transport.abort()
    answers = []
    for reader, writer in opened:
        writer.write(LAST)
        answers.append(await rest_of(reader, writer))

    assert answers.count(expected) in {17, 18}  # the eighth of a tile is answered at once
    assert answers.count(b"") + answers.count(expected) >= 19
    assert both.reached == before + 17


async def test_a_client_may_leave_at_any_time(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    """With half a request sent, or before it is answered: nothing is told, and others are answered."""
    for sent in (EXAM[:50], EXAM[:-3], EXAM, EXAM + OTHER, OTHER + CHUNKS[:-5]):
        for abruptly in (False, True):
            _, writer = await asyncio.open_connection(HOST, both.lane)
            writer.write(sent)
            await turns(1)
            if abruptly:
                writer.transport.abort()
            writer.close()
            await both.alike(EXAM, LAST)
            await until(lambda: not connections(both))

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


HEAD = EXAM.index(b"\r\n\r\n") + 4


@pytest.mark.parametrize("begun", [EXAM[:-1], EXAM[:HEAD], EXAM[:40], EXAM + OTHER[:-1], EXAM + CHUNKS[:-9]])
async def test_who_has_not_sent_all_is_told_that_the_service_stops(begun: bytes, settings: Settings) -> None:
    """As the application tells it; who has not even sent a head sees the end of the connection."""
    async with serving(settings) as both:
        await both.train("exam")
        await both.alike(EXAM, LAST)
        opened = [await asyncio.open_connection(HOST, port) for port in (both.lane, both.plain)]
        for _, writer in opened:
            writer.write(begun)
        await turns(50)
        both.app.state.parts.stop()
        for server in both.servers:
            server.should_exit = True
        lane, plain = [await rest_of(*streams) for streams in opened]

    closing = b"connection: close\r\n"  # which depends on whether the server has begun to stop by then
    assert lane.replace(closing, b"") == plain.replace(closing, b"")
    assert statuses_of(lane) == [200] * begun.startswith(EXAM) + [503] * (begun != EXAM[:40])


async def test_what_is_being_answered_when_the_service_stops_has_an_answer(both: Both) -> None:
    """The last thing that is read of a connection may be a whole request."""
    reader, writer = await asyncio.open_connection(HOST, both.lane)
    await until(lambda: len(connections(both)) == 1)

    connections(both)[0].data_received(EXAM)
    connections(both)[0].shutdown()

    answer = await rest_of(reader, writer)
    assert statuses_of(answer) == [200]
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("sent", [EXAM, CHUNKS], ids=["lane", "application"])
async def test_an_idle_connection_is_closed_in_its_time(sent: bytes, settings: Settings) -> None:
    """After an answer of the lane as after another; not while a request is on its way."""
    async with serving(settings, timeout_keep_alive=0) as both:
        await both.train("exam")
        answer = await transcript(both.lane, [sent])
        assert statuses_of(answer) == [200]

        reader, writer = await asyncio.open_connection(HOST, both.lane)
        writer.write(sent[:-1])
        await turns(50)
        writer.write(sent[-1:])
        assert await rest_of(reader, writer) == answer


async def test_a_client_that_does_not_read_is_waited_for(both: Both) -> None:
    """Its answers are kept no further than a buffer is long, whoever writes them; then they all come, in order."""
    sent, most = request({"model": "exam", "X": [[1, 8]] * 4000}), 300
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        small.connect((HOST, both.lane))
        reader, writer = await asyncio.open_connection(sock=small, limit=2**10)
        await until(lambda: len(connections(both)) == 1)
        (connection,), count = connections(both), 0
        while count < most and not connection.flow.write_paused:
            writer.write(sent)
            await turns()
            count += 1
        writer.write(sent * 5 + LAST)
        await turns(30)
        kept = connection.transport.get_write_buffer_size()
        answer = await rest_of(reader, writer)

    assert count < most
    assert kept < 2**18
    assert answer == await transcript(both.plain, [*[sent] * (count + 5), LAST])
