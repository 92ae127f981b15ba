"""Turns: the generation of a catalogue, asked for once a turn of the event loop."""

import asyncio
from collections.abc import Hashable

from app.store.catalogue import Catalogue


class Turn:
    """Tells whether what is remembered of a catalogue is what is in it.

    Whatever is sent after a commit was acknowledged arrives in a later turn of the loop than the last that knew nothing
    of it.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.now: Hashable | None = None
        self.is_known = False

    @property
    def generation(self) -> Hashable | None:
        """What `Catalogue.generation` is in this turn."""
        if not self.is_known:
            self.now = self.catalogue.generation
            self.is_known = True
            asyncio.get_running_loop().call_soon(self._forget)
        return self.now

    def _forget(self) -> None:
        self.is_known = False
