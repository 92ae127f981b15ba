"""Listening: those who come at one moment are taken together, however much is done in between."""

import asyncio
import os
import socket
from contextlib import ExitStack
from itertools import chain

import uvloop

from app.listening import AT_ONCE, open_at, shared

TURNS = 5  # of the event loop, in each of which others would be answered


def test_many_connections_are_taken_in_one_turn_of_the_event_loop() -> None:
    """Else whoever comes while hundreds are answered in a turn would wait for hundreds of turns."""
    assert uvloop.run(_taken()) == AT_ONCE


def test_no_worker_that_begins_lets_another_wait_for_connections() -> None:
    """They share one socket: who takes a connection that another has taken already goes on at once."""
    with open_at("127.0.0.1", 0) as first:
        others = [shared(first)]
        with socket.socket(fileno=os.dup(first.fileno())) as second:
            assert not os.get_blocking(first.fileno())
            others.append(shared(second))
            assert not os.get_blocking(first.fileno())
            for each in chain.from_iterable(others):
                each.close()


async def _taken() -> int:
    """Let so many connect while the loop does nothing else; tell how many it has taken after a few turns."""
    loop, taken = asyncio.get_running_loop(), list[asyncio.Protocol]()

    def begin() -> asyncio.Protocol:
        taken.append(asyncio.Protocol())
        return taken[-1]

    listener = open_at("127.0.0.1", 0)
    servers = [await loop.create_server(begin, sock=each) for each in shared(listener)]
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        count = len(taken)
    for server in servers:
        server.close()
    await asyncio.sleep(0.1)  # for those who were taken to be gone
    return count
