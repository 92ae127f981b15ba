"""Spooling: bodies are kept in memory or in a file without a name, and nothing is left open."""

import resource
import signal
from collections.abc import AsyncIterator

import pytest

from app.api.spooling import MOST_HELD, spooled
from app.errors import StorageFull
from tests.api.open_files import temporary_files


async def pieces(length: int) -> AsyncIterator[bytes]:
    for start in range(0, length, 2**16):
        yield bytes([start % 251]) * min(2**16, length - start)


async def test_a_full_disk_is_said_so() -> None:
    """With no room for a file (a limit on its size stands in for the disk), and nothing is left open."""
    before, old = temporary_files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MOST_HELD // 2, old[1]))
    try:
        with pytest.raises(StorageFull, match="temporary folder"):
            await spooled(pieces(5 * MOST_HELD))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)

    assert temporary_files() == before


@pytest.mark.parametrize("length", [0, 1, MOST_HELD, MOST_HELD + 1, 3 * MOST_HELD + 7])
async def test_what_is_kept_is_what_came(length: int) -> None:
    """However long; short bodies in memory, others in a file that has no name."""
    before = temporary_files()

    with await spooled(pieces(length)) as kept:
        kept.seek(0)
        assert kept.read() == b"".join([piece async for piece in pieces(length)])
        assert temporary_files() == before + (length > MOST_HELD)

    assert temporary_files() == before
