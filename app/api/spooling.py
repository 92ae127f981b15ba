"""Spooling: bodies of any length, held while they are short, else in a temporary file that nobody else can see."""

import io
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import suppress
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from app.store.files import storage_errors

MOST_HELD = 2**20
REMEDY = "Send fewer rows, or give the service's temporary folder more space."


async def spooled(arriving: AsyncIterator[bytes], most_held: int = MOST_HELD) -> BinaryIO:
    """Keep what arrives: in memory up to so many bytes, else in a file, which is gone once it is closed.

    Raises StorageFull or StorageError where the disk refuses; nothing is left open then.
    """
    held = io.BytesIO()
    file: BinaryIO | None = None
    try:
        async for piece in arriving:
            held.write(piece)
            if held.tell() > most_held:
                if file is None:
                    file = await to_thread(_opened)
                await to_thread(_move, held, file)
        if file:
            await to_thread(_move, held, file)
    except BaseException:
        if file:
            with suppress(OSError):  # of what could not be written
                file.close()
        raise
    return file or held


async def whole(kept: BinaryIO) -> bytes:
    """Give all of what was kept; raise StorageError where the disk refuses."""
    return kept.getvalue() if isinstance(kept, io.BytesIO) else await to_thread(_read, kept)


def _read(file: BinaryIO) -> bytes:
    with storage_errors("The temporary folder", REMEDY):
        file.seek(0)
        return file.read()


def _opened() -> BinaryIO:
    with storage_errors("The temporary folder", REMEDY):
        return cast("BinaryIO", TemporaryFile())


def _move(held: io.BytesIO, file: BinaryIO) -> None:
    """Write what is held, and hold it no longer."""
    with storage_errors("The temporary folder", REMEDY):
        file.write(held.getvalue())
        file.flush()
    held.seek(0)
    held.truncate()
