"""Running: what a process knows of a job that it runs, beside what the catalogue does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from app.jobs.grouping import SavedGroups
from app.jobs.job import Job
from app.jobs.ledger import Claimed
from app.store.saving import Saved

LOOK_SECONDS = 1.0  # between looks whether a training that waits for its place has begun


class Ended(NamedTuple):
    """A job that is over, and what is to be run in its place."""

    job: Job
    next: Claimed | None


@dataclass
class Running:
    """A job that runs here, from its first attempt here to its end."""

    job: Job
    data: bytes | Path
    """Its order, or where that is."""
    future: "asyncio.Future[Saved | SavedGroups]"
    outcome: Job | None = None
    next: Claimed | None = None
    has_looked: bool = False
    """Whether it is known what is to be run in its place, if anything."""
    task: "asyncio.Task[None] | None" = None
    """What sees it to its end."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    group: int | None = None
    """The first one that is not done, where a model of each is made."""
    since: float = field(default_factory=monotonic)
    """When this attempt began."""
    is_late: bool = False
    is_left: bool = False
    """Whether its end could not be written down: it is tried again later, and needs its files then."""

    async def ends_within(self, seconds: float, waits: Callable[[], str | None]) -> bool:
        """Tell whether this attempt ends in time; what it `waits` for before it begins takes none of that."""
        while not self.future.done() and waits() is not None:
            before = monotonic()
            await asyncio.wait([self.future], timeout=LOOK_SECONDS)
            self.since += monotonic() - before
        left = max(0.0, seconds - (monotonic() - self.since))
        done, _ = await asyncio.wait([self.future], timeout=left)
        return bool(done)

    def end(self, outcome: Job, following: Claimed | None) -> None:
        """Note how it ended, and what comes next."""
        self.outcome, self.next, self.has_looked = outcome, following, True
