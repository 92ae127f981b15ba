"""Loaded models: read once, kept as long as memory allows, never out of date."""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator
from threading import Lock

from cachetools import LRUCache

from app.errors import VersionNotFound
from app.models.few_rows import Room
from app.serving.ready import Ready
from app.serving.turn import Turn
from app.serving.use import Uses
from app.store.references import Reference
from app.store.store import ModelStore, Stored
from app.telemetry.current import tell
from app.telemetry.metrics import Figure

MOST_RESOLVED = 10_000  # references whose meaning is remembered


class _Cache(LRUCache[tuple[str, int], Ready]):
    """Versions up to so many bytes, which knows those of a model, and counts those that it lets go of."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes, getsizeof=lambda ready: ready.stored.bytes)
        self.of: defaultdict[str, set[int]] = defaultdict(set)
        self.evictions = 0

    def add(self, name: str, version: int, ready: Ready) -> None:
        """Keep a version, unless it is larger than all that may be kept."""
        if ready.stored.bytes <= self.maxsize:
            self[name, version] = ready
            self.of[name].add(version)

    def __delitem__(self, key: tuple[str, int]) -> None:
        """Let go of a version."""
        super().__delitem__(key)
        name, version = key
        self.of[name].discard(version)
        if not self.of[name]:
            del self.of[name]

    def popitem(self) -> tuple[tuple[str, int], Ready]:
        """Let go of the one that was not asked for longest."""
        self.evictions += 1
        return super().popitem()


class LoadedModels:
    """A bounded cache over the store.

    What a reference means is asked of the store again after every commit of anybody, so that a new or deleted version
    or a moved alias shows at once in every process; a version itself never changes, so that it is read once.
    """

    def __init__(self, store: ModelStore, most_bytes: int, turn: Turn | None = None) -> None:
        self.store = store
        self.turn = Turn(store.catalogue) if turn is None else turn
        self.cache = _Cache(most_bytes)
        self.hits = self.misses = 0
        self.uses = Uses()
        self.loading: dict[tuple[str, int], asyncio.Task[Ready]] = {}
        self.lock = Lock()
        self.room = Room()
        self.generation: Hashable | None = None
        self.resolved: LRUCache[Reference, tuple[str, int]] = LRUCache(MOST_RESOLVED)
        self.meant: dict[str, tuple[str, int]] = {}

    def at_hand(self, reference: str) -> Ready | None:
        """Give what a reference means where that is known and loaded; it costs a hundredth of asking for it."""
        if self.turn.generation is None or self.turn.generation != self.generation:
            return None
        key = self.meant.get(reference)
        if key is None:
            return None
        with self.lock:
            ready = self.cache.get(key)
        self.hits += ready is not None
        return ready

    async def find(self, text: str) -> Stored:
        """Find the model a reference means; raise as Reference.parse, ModelStore.resolve and ModelStore.load do."""
        reference = Reference.parse(text)
        key = await self._resolve(reference)
        try:
            stored = await self.version(*key)
        except VersionNotFound:
            if reference.version is not None:
                raise
            return await self.find(text)  # which has come to mean another since it was resolved
        tell(model=f"{key[0]}/{key[1]}")
        if self.resolved.get(reference) == key:
            if len(self.meant) >= MOST_RESOLVED:
                self.meant.clear()
            self.meant[text] = key
        return stored

    def forget(self, name: str, version: int | None = None) -> None:
        """Let go of what is loaded of a model, or of a version of it; whoever asks for it loads it again."""
        with self.lock:
            for known in [*self.cache.of.get(name, ())]:
                if version in (None, known):
                    del self.cache[name, known]

    async def version(self, name: str, version: int) -> Stored:
        """Give a version, which may be deleted by now if it was loaded before; raise as ModelStore.load does."""
        key = name, version
        with self.lock:
            ready = self.cache.get(key)
        self.hits += ready is not None
        self.misses += ready is None
        if ready is None:
            if key not in self.loading:  # else somebody is reading it already
                self.loading[key] = asyncio.create_task(asyncio.to_thread(self._load, key))
                self.loading[key].add_done_callback(lambda _task: self.loading.pop(key))
            ready = await asyncio.shield(self.loading[key])
        return ready.stored

    async def _resolve(self, reference: Reference) -> tuple[str, int]:
        """Ask the store, once a generation of its catalogue.

        A database elsewhere may keep only this request waiting; SQLite is sooner than a thread.
        """
        generation = self.store.catalogue.generation
        if generation is None:
            return await asyncio.to_thread(self.store.resolve, reference)
        if generation != self.generation:
            self.resolved.clear()
            self.meant.clear()
            self.generation = generation  # told before anything is resolved: what is remembered is never older
        known = self.resolved.get(reference)
        if known is None:
            if self.store.catalogue.is_sqlite:
                known = self.store.resolve(reference)
            else:
                known = await asyncio.to_thread(self.store.resolve, reference)
            if generation == self.generation:
                self.resolved[reference] = known
        return known

    def _load(self, key: tuple[str, int]) -> Ready:
        ready = Ready(self.store.load(*key), self.room, self.uses)
        self._forget_expired(key[0])
        with self.lock:
            self.cache.add(*key, ready)
        return ready

    def _forget_expired(self, name: str) -> None:
        """Let go of versions that are not in the store any more: nobody can ask for them, and no commit tells of them.

        Looked for whenever another version of the model is read, as those that a retraining replaces are never asked
        for again, and filled the cache with what was deleted.
        """
        with self.lock:
            known = [*self.cache.of.get(name, ())]
        if known:
            for version in {*known}.difference(self.store.kept(name)):
                self.forget(name, version)

    def figures(self) -> Iterator[Figure]:
        """Tell what is loaded, and how often it was when it was asked for."""
        with self.lock:
            models, size = len(self.cache), self.cache.currsize
        yield Figure("netlet_loaded_models", (), [models])
        yield Figure("netlet_loaded_bytes", (), [size])
        yield Figure("netlet_cache_hits_total", (), [self.hits])
        yield Figure("netlet_cache_misses_total", (), [self.misses])
        yield Figure("netlet_cache_evictions_total", (), [self.cache.evictions])
