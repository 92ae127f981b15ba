"""Uploads: from a body that arrives to a dataset that is safe, with nothing left behind however it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from pydantic_core import to_json

from app.access.keyring import Caller
from app.api.bodies import chunks
from app.api.parsing import parse_upload
from app.api.parts import Parts
from app.engine.control import GoOn
from app.jobs.ledger import Key
from app.store import api_keys, locks
from app.store.datasets import DatasetStore, Kept
from app.store.incoming import Incoming
from app.tables.formats import format_of
from app.tables.record_batches import Upload, stream

PIECE = 2**20


async def keep(request: Request, parts: Parts, caller: Caller, key: str | None) -> Kept:
    """Take a body as a dataset; raise KeyReused, and as `chunks`, `parse_upload`, `stream` and `publish` do.

    The same bytes are one dataset anyhow, so that a key only has to stand for no others.
    """
    media_type = request.headers.get("content-type", "")
    options = parse_upload(media_type, request.query_params.multi_items(), parts.limits.bounds)
    kind = format_of(media_type)
    limit = parts.limits.upload_bytes
    if kind is None:  # JSON is read whole
        limit = min(limit, parts.limits.train_bytes)
    async with _incoming(parts.datasets) as incoming:
        piece = bytearray()
        async for chunk in chunks(request, parts, limit):
            piece += chunk
            if len(piece) >= PIECE:
                await asyncio.to_thread(incoming.write, piece)
                piece = bytearray()
        await asyncio.to_thread(incoming.write, piece)
        upload = Upload(incoming.path, kind, options)
        dataset = await asyncio.to_thread(_id, incoming, upload)
        named = None if key is None else Key(caller.named(key), f"dataset {dataset}")
        is_known = named is not None and await parts.jobs.is_reserved(named)
        owner = None if caller.key is None else caller.key.number
        kept = await parts.convert(_keep, parts.datasets, dataset, upload, owner, parts.go_on)
        if named is not None and not is_known:  # what was refused may be sent again under its key, mended
            await parts.jobs.reserve(named)
        request.state.is_replayed = is_known and not kept.is_new
        return kept


@asynccontextmanager
async def _incoming(datasets: DatasetStore) -> AsyncIterator[Incoming]:
    """Give a file for a body, which is removed at the end."""
    incoming = await asyncio.to_thread(datasets.begin)
    try:
        yield incoming
    finally:
        await asyncio.to_thread(incoming.close)


def _id(incoming: Incoming, upload: Upload) -> str:
    """Name a dataset by its bytes and by all that says how they are read."""
    stated = (upload.options.columns, upload.options.texts)
    written = (upload.options.encoding, upload.options.delimiter, upload.options.decimal)
    return incoming.id(to_json([upload.kind, *stated, *written]))


def _keep(datasets: DatasetStore, dataset: str, upload: Upload, owner: int | None, go_on: GoOn) -> Kept:
    """Publish what has arrived, unless it is there already; anew, if others delete it before the key is its owner."""
    while True:
        known = datasets.find_whole(dataset)
        kept = Kept(known, is_new=False) if known else datasets.publish(dataset, stream(upload, go_on), go_on)
        if owner is None:
            return kept
        about = {locks.of_dataset(dataset)}
        if datasets.catalogue.write(lambda unit: api_keys.own(unit, owner, dataset), about).result():
            return kept
