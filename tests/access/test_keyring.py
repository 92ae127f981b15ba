"""What is known of keys while the catalogue changes."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from app.access.keyring import Keyring
from app.access.rates import Rates, shared_memory
from app.errors import Unauthorized
from app.serving.turn import Turn
from app.store import api_keys
from app.store.api_keys import Grant
from app.store.catalogue import Catalogue

SLOW = 0.02  # seconds


class Busy(Catalogue):
    """A catalogue that is slow, and of another generation whenever it is asked."""

    generations = count()

    def read(self, *args: Any, **kwargs: Any) -> Any:
        """Take some time."""
        sleep(SLOW)
        return super().read(*args, **kwargs)

    @property
    def generation(self) -> Hashable:
        """Give one that nobody was given before."""
        return next(self.generations)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Busy]:
    with closing(Busy(tmp_path)) as catalogue:
        catalogue.open()
        catalogue.is_sqlite, catalogue.place = False, None  # so that it is read in threads, as a database elsewhere is
        yield catalogue


async def test_who_has_a_key_is_admitted_whatever_changes_meanwhile(busy: Busy) -> None:
    """Though each request finds a new generation while those before it are reading; once it is revoked, none is."""
    key = busy.write(lambda unit: api_keys.create(unit, "", Grant(frozenset({"predict"})), None)).result()
    with closing(Rates(shared_memory())) as rates:
        keyring = Keyring(Turn(busy), rates, is_needed=False)

        async def asked() -> str:
            return (await keyring.admit(key, "")).name

        async with asyncio.timeout(60):
            assert await asyncio.gather(*(asked() for _ in range(8))) == ["key 1"] * 8
        busy.write(lambda unit: api_keys.revoke(unit, 1)).result()

        refused = await asyncio.gather(*(asked() for _ in range(8)), return_exceptions=True)

        assert all(isinstance(error, Unauthorized) for error in refused)
