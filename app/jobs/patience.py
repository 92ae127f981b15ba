"""Patience: what cannot be done now is tried again later, and nothing is waited for without an end."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.errors import StorageError

log = logging.getLogger(__name__)


@contextmanager
def patience() -> Iterator[None]:
    """Let a catalogue that cannot be used be tried again later."""
    try:
        yield
    except StorageError as error:
        log.warning("jobs cannot be looked after now (%s)", error)


async def until(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer than this."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
