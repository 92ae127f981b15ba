"""Sharers: calls are done by whoever is at the other end, and here where nobody does them there."""

import operator
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection, Listener
from pathlib import Path

import pytest

from app.jobs.sharers import Share, Sharers


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Stand where a node stands for the others."""
    with Listener(str(tmp_path / "desk"), "AF_UNIX") as listener:
        yield listener


@pytest.fixture
def sharers(listener: Listener) -> Iterator[Sharers]:
    with Sharers(str(listener.address)) as sharers:
        yield sharers


@pytest.fixture
def desk(listener: Listener, sharers: Sharers) -> Iterator[Connection]:
    assert not sharers.is_lost
    with closing(listener.accept()) as connection:
        yield connection


def test_a_call_is_done_elsewhere(sharers: Sharers, desk: Connection) -> None:
    """With what it was given; answers may come in any order."""
    futures = [sharers.submit(operator.add, number, 1) for number in (1, 2)]

    asked = dict(desk.recv() for _ in futures)
    for number in reversed(asked):
        desk.send(tuple(Share(number, 10 * asked[number](), is_done=True)))

    assert [future.result(30) for future in futures] == [20, 30]


def test_what_is_not_done_elsewhere_is_done_here(sharers: Sharers, desk: Connection) -> None:
    """Once, whatever is told of it later."""
    future = sharers.submit(operator.add, 1, 1)
    number, _ = desk.recv()
    desk.send(tuple(Share(number, None, is_done=False)))
    assert future.result(30) == 2

    desk.send(tuple(Share(number, 99, is_done=True)))
    after = sharers.submit(operator.add, 2, 2)
    number, call = desk.recv()
    desk.send(tuple(Share(number, call(), is_done=True)))

    assert (after.result(30), future.result()) == (4, 2)


def test_where_nobody_is_left_all_is_done_here(sharers: Sharers, desk: Connection) -> None:
    """What was asked before and after; what a call raises is whoever's who asked for it."""
    before = sharers.submit(operator.add, 1, 1)
    desk.close()
    assert before.result(30) == 2

    assert sharers.submit(operator.add, 2, 2).result(30) == 4
    with pytest.raises(ZeroDivisionError):
        sharers.submit(operator.truediv, 1, 0).result(30)


def test_an_answer_that_cannot_be_taken_keeps_nobody_waiting(sharers: Sharers, desk: Connection) -> None:
    """Whatever is wrong with it, or there is no memory for it: all is done here from then on."""
    before = sharers.submit(operator.add, 1, 1)
    desk.send_bytes(b"no answer")
    assert before.result(30) == 2

    assert sharers.submit(operator.add, 2, 2).result(30) == 4
