"""Loaded models: read once, kept as long as memory allows, never out of date."""

import asyncio
from threading import Lock

from cachetools import LRUCache

from app.errors import VersionNotFound
from app.store.references import Reference
from app.store.store import ModelStore, Stored

MOST_RESOLVED = 10_000  # references whose meaning is remembered


class LoadedModels:
    """A bounded cache over the store.

    What a reference means is asked of the store again after every commit of anybody, so that a new or deleted version
    or a moved alias shows at once in every process; a version itself never changes, so that it is read once.
    """

    def __init__(self, store: ModelStore, most_bytes: int) -> None:
        self.store = store
        self.cache: LRUCache[tuple[str, int], Stored] = LRUCache(most_bytes, getsizeof=lambda stored: stored.bytes)
        self.loading: dict[tuple[str, int], asyncio.Task[Stored]] = {}
        self.lock = Lock()
        self.generation: int | None = None
        self.resolved: LRUCache[Reference, tuple[str, int]] = LRUCache(MOST_RESOLVED)

    async def find(self, reference: Reference) -> Stored:
        """Find the model a reference means; raise as ModelStore.resolve and ModelStore.load do."""
        name, version = await self._resolve(reference)
        try:
            return await self.version(name, version)
        except VersionNotFound:
            if reference.version is not None:
                raise
            return await self.find(reference)  # which has come to mean another since it was resolved

    async def version(self, name: str, version: int) -> Stored:
        """Give a version, which may be deleted by now if it was loaded before; raise as ModelStore.load does."""
        key = name, version
        with self.lock:
            stored = self.cache.get(key)
        if stored is not None:
            return stored
        if key not in self.loading:  # else somebody is reading it already
            self.loading[key] = asyncio.create_task(asyncio.to_thread(self._load, key))
            self.loading[key].add_done_callback(lambda _task: self.loading.pop(key))
        return await asyncio.shield(self.loading[key])

    async def _resolve(self, reference: Reference) -> tuple[str, int]:
        """Ask the store, once a generation of its catalogue.

        A database elsewhere has none, and may keep only this request waiting; SQLite is sooner than a thread.
        """
        generation = self.store.catalogue.generation
        if generation is None:
            return await asyncio.to_thread(self.store.resolve, reference)
        if generation != self.generation:
            self.resolved.clear()
            self.generation = generation  # told before anything is resolved: what is remembered is never older
        known = self.resolved.get(reference)
        if known is None:
            known = self.resolved[reference] = self.store.resolve(reference)
        return known

    def _load(self, key: tuple[str, int]) -> Stored:
        stored = self.store.load(*key)
        with self.lock:
            if stored.bytes <= self.cache.maxsize:
                self.cache[key] = stored
        return stored
