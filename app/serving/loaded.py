"""Loaded models: read once, kept as long as memory allows, never out of date."""

import asyncio
from threading import Lock

from cachetools import LRUCache

from app.store.references import Reference
from app.store.store import ModelStore, Stored


class LoadedModels:
    """A bounded cache over the store.

    What a reference means is asked of the store every time, so that a new or deleted version shows at once in every
    process; a version itself never changes, so that it is read once.
    """

    def __init__(self, store: ModelStore, most_bytes: int) -> None:
        self.store = store
        self.cache: LRUCache[tuple[str, int], Stored] = LRUCache(most_bytes, getsizeof=lambda stored: stored.bytes)
        self.loading: dict[tuple[str, int], asyncio.Task[Stored]] = {}
        self.lock = Lock()

    async def find(self, reference: Reference) -> Stored:
        """Find the model a reference means; raise as ModelStore.resolve and ModelStore.load do."""
        key = await self._resolve(reference)
        with self.lock:
            stored = self.cache.get(key)
        if stored is not None:
            return stored
        if key not in self.loading:  # else somebody is reading it already
            self.loading[key] = asyncio.create_task(asyncio.to_thread(self._load, key))
            self.loading[key].add_done_callback(lambda _task: self.loading.pop(key))
        return await asyncio.shield(self.loading[key])

    async def _resolve(self, reference: Reference) -> tuple[str, int]:
        """Ask the store; a database elsewhere may keep only this request waiting, SQLite is sooner than a thread."""
        if self.store.catalogue.is_sqlite:
            return self.store.resolve(reference)
        return await asyncio.to_thread(self.store.resolve, reference)

    def _load(self, key: tuple[str, int]) -> Stored:
        stored = self.store.load(*key)
        with self.lock:
            if stored.bytes <= self.cache.maxsize:
                self.cache[key] = stored
        return stored
