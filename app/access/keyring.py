"""The keyring: what a key that a request brings is for, asked of the catalogue once a generation of it."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from hashlib import sha256
from time import time
from typing import ParamSpec, TypeVar

from cachetools import TTLCache

from app.access.rates import Rates
from app.errors import (
    DatasetNotFound,
    ModelNotFound,
    NetletError,
    RateExceeded,
    ScopeMissing,
    TooManyFailures,
    Unauthorized,
)
from app.serving.turn import Turn
from app.store import api_keys
from app.store.api_keys import KEY, SCOPES, ApiKey, Grant
from app.store.catalogue import Catalogue

P = ParamSpec("P")
T = TypeVar("T")

MOST_KNOWN = 10_000  # keys
MOST_FAILURES = 10  # in a minute, from one address
MOST_ADDRESSES = 10_000
LONGEST_NAME = 255  # of a request, with the number of the key before it
EVERYTHING = Grant(frozenset(SCOPES))


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request: somebody with a key, or anybody where none is needed."""

    address: str
    key: ApiKey | None = None
    rates: Rates | None = None

    @property
    def grant(self) -> Grant:
        """What it may ask for."""
        return EVERYTHING if self.key is None else self.key.grant

    @property
    def name(self) -> str:
        """What is told of who did something: the key's number and name, or the address."""
        return self.address if self.key is None else f"key {self.key.number} {self.key.name}".rstrip()

    def named(self, request: str) -> str:
        """Give the name that is kept of a request that it named so: that of another key's is another.

        What would be too long for the catalogue is told by its SHA-256.
        """
        if self.key is None:
            return request
        short = f"{self.key.number} {request}"
        return short if len(short) <= LONGEST_NAME else f"{self.key.number}  {sha256(request.encode()).hexdigest()}"

    def require(self, scope: str) -> None:
        """Raise ScopeMissing unless the key has a scope."""
        if not self.grant.may(scope):
            raise ScopeMissing(scope)

    def require_model(self, reference: str) -> None:
        """Raise ModelNotFound for a model that the key is not for, as for one that is not there."""
        if not self.sees(reference):
            raise ModelNotFound(reference)

    def sees(self, reference: str) -> bool:
        """Tell whether the key is for the model of a reference."""
        return self.grant.sees(reference.partition("@")[0].partition("/")[0])

    def require_dataset(self, catalogue: Catalogue, dataset: str) -> None:
        """Raise DatasetNotFound for one that was not uploaded with the key, unless that is for all models."""
        if self.key is None or self.grant.sees_all or api_keys.owns(catalogue, self.key.number, dataset):
            return
        raise DatasetNotFound

    def take(self, kind: str, count: int) -> None:
        """Count requests or rows; raise RateExceeded where the key asks for more of them in a second than it may."""
        most = getattr(self.grant.quotas, kind)
        if most is None or self.rates is None or self.key is None:
            return
        wait = self.rates.take(self.key.number, kind, most, count)
        if wait > 0:
            raise RateExceeded(kind, most, wait)


ANYBODY = Caller("")


class Keyring:
    """The keys of a catalogue. A key that is made, changed or revoked is so at once, in every process."""

    def __init__(self, turn: Turn, rates: Rates, *, is_needed: bool) -> None:
        """Take a catalogue; a key is needed where it has any, and where `is_needed` says so."""
        self.catalogue, self.turn, self.rates, self.is_needed = turn.catalogue, turn, rates, is_needed
        self.generation: Hashable | None = None
        self.is_open: bool | None = None  # None where that is to be asked
        self.known: dict[int, Caller | None] = {}
        self.failures: TTLCache[str, int] = TTLCache(MOST_ADDRESSES, ttl=60)

    def at_hand(self, presented: str) -> Caller | None:
        """Give whoever may be behind a key, if that is known already; the address is left out."""
        if self.turn.generation is None or self.turn.generation != self.generation:
            return None
        if self.is_open:
            return ANYBODY
        match = KEY.fullmatch(presented)
        return None if match is None else _opened(self.known.get(int(match[1])), match[2])

    async def admit(self, presented: str, address: str) -> Caller:
        """Tell who sends a request; raise Unauthorized, or TooManyFailures for whom that happens to again and again."""
        caller = await self._found(presented)
        if caller is None:
            raise self._failed(address)
        return replace(caller, address=address)

    async def opens(self, presented: str) -> bool:
        """Tell whether a key that was admitted is valid still."""
        return self.at_hand(presented) is not None or await self._found(presented) is not None

    async def _found(self, presented: str) -> Caller | None:
        """Tell whoever is behind a key, from this generation of the catalogue, or a later one."""
        generation = self.catalogue.generation
        if generation is None or generation != self.generation:
            self.known.clear()
            self.generation, self.is_open = generation, None
        if self.is_open or (self.is_open is None and await self._learn_whether_open(generation)):
            return ANYBODY
        match = KEY.fullmatch(presented)
        if match is None:
            return None
        number = int(match[1])
        is_known = self._is_of(generation) and number in self.known
        return _opened(self.known[number] if is_known else await self._learn(number, generation), match[2])

    # What was read is right for who asked before it was; it is kept for others only if they ask of the same generation.

    async def _learn_whether_open(self, generation: Hashable | None) -> bool:
        is_open = not self.is_needed and not await self._ask(api_keys.are_there, self.catalogue)
        if self._is_of(generation):
            self.is_open = is_open
        return is_open

    async def _learn(self, number: int, generation: Hashable | None) -> Caller | None:
        key = await self._ask(api_keys.find, self.catalogue, number)
        caller = None if key is None else Caller("", key, self.rates)
        if self._is_of(generation):
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[number] = caller
        return caller

    def _is_of(self, generation: Hashable | None) -> bool:
        """Tell whether what is known is of a generation still."""
        return generation is not None and generation == self.generation

    async def _ask(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read the catalogue; SQLite is sooner than a thread."""
        return read(*args, **kwargs) if self.catalogue.is_sqlite else await asyncio.to_thread(read, *args, **kwargs)

    def _failed(self, address: str) -> NetletError:
        count = self.failures.get(address, 0) + 1
        self.failures[address] = count
        return Unauthorized() if count <= MOST_FAILURES else TooManyFailures()


def _opened(caller: Caller | None, secret: str) -> Caller | None:
    """Give whoever has a key, if the secret is that of it."""
    is_right = caller is not None and caller.key is not None and caller.key.is_opened_by(secret, time())
    return caller if is_right else None
