"""An account: all that this process has to tell, and what its fellow workers have told."""

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain

from prometheus_client.process_collector import ProcessCollector

from app import __version__
from app.telemetry.metrics import METRICS, Figure, joined
from app.telemetry.pages import Pages

SECONDS = 1.0  # between what one worker tells the others

log = logging.getLogger(__name__)


class Account:
    """Gathers figures from those who count."""

    def __init__(self, *sources: Callable[[], Iterable[Figure]]) -> None:
        self.sources = (process, *sources)
        self.pages = Pages.inherited()
        self.is_told = True

    def own(self) -> list[Figure]:
        """Tell what was counted here, and in whatever process was here before; the latest first."""
        before = [] if self.pages is None else self.pages.taken_over
        return joined(chain(*(source() for source in self.sources), before))

    def everything(self) -> list[Figure]:
        """Tell what all workers have counted: the others, a second ago at most."""
        others: Iterable[Figure] = () if self.pages is None else self.pages.others()
        return [
            *joined(chain(self.own(), others)),
            Figure("netlet_build_info", (__version__, platform.python_version()), [1]),
        ]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Let the other workers know meanwhile, and what it was at the end."""
        if self.pages is None:
            yield
            return
        telling = asyncio.create_task(self._tell(self.pages))
        try:
            yield
        finally:
            telling.cancel()
            self._write(self.pages)
            self.pages.close()

    async def _tell(self, pages: Pages) -> None:
        while True:
            self._write(pages)
            await asyncio.sleep(SECONDS)

    def _write(self, pages: Pages) -> None:
        try:
            pages.write(self.own())
        except OSError:
            if self.is_told:
                log.exception("the other workers are not told what was counted here, which is tried again")
            self.is_told = False
        else:
            self.is_told = True


def process() -> Iterator[Figure]:
    """Tell what this process takes."""
    for family in ProcessCollector(registry=None).collect():
        for sample in family.samples:
            if sample.name in METRICS:
                yield Figure(sample.name, (), [sample.value])
