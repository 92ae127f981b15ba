"""Transitions: what becomes of the jobs that a process runs, each one transaction of the catalogue.

None but those that make versions are about more than rows of jobs, which lock themselves.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from app.errors import BucketAway, Cancelled, StorageFull
from app.jobs import grouped
from app.jobs.grouping import SavedGroups
from app.jobs.job import Job, Point, State, error_to
from app.jobs.ledger import Claimed, Entry, Key, Ledger, Request, Submitted, Wished, about
from app.jobs.progress import Note
from app.jobs.running import Ended
from app.store.catalogue import Unit
from app.store.deleting import Gone
from app.store.locks import NOTHING, of_key, of_model
from app.store.numbering import next_version, next_versions, place, places, taken_before
from app.store.remote import Taken
from app.store.saving import Saved

RETRY_SECONDS = 1.0  # between attempts to bring something to a bucket that is away
WAITS_FOR = "It is learnt, and waits until the bucket can be written to; the log of the service has the reason."
T = TypeVar("T")


class Transitions:
    """Those of the jobs of one ledger. Each raises LeaseLost where others have taken the job over, and StorageError."""

    def __init__(self, ledger: Ledger, root: Path, running: Collection[str], goes_on: Callable[[], bool]) -> None:
        """Take the ids of the jobs that run here, and what tells whether the end of one is the beginning of another."""
        self.ledger, self.root, self.running, self.goes_on = ledger, root, running, goes_on

    async def submit(self, job_id: str, entry: Entry, request: Request, *, runs: bool, most: int) -> Submitted:
        """Write a job down; raise as `Ledger.submit` does."""
        return await self._write(
            lambda unit: self.ledger.submit(unit, job_id, entry, request, runs=runs, most_queued=most),
            about(entry, request, runs=runs),
        )

    async def reserve(self, key: Key) -> None:
        """Let a key stand for a request of which no job comes; raise KeyReused where it stands for another."""
        await self._write(lambda unit: self.ledger.reserve(unit, key), {of_key(key.text)})

    async def ask(self, job_id: str, wish: str) -> Job:
        """Wish for the end of a job; raise JobNotFound."""
        return await self._free(lambda unit: self.ledger.ask(unit, job_id, wish))

    async def beat(self, running: Sequence[str], told: Mapping[str, Sequence[Point]]) -> dict[str, Wished]:
        """Tell that jobs are still being run, and how far some are; give what is wished of them."""

        def do(unit: Unit) -> dict[str, Wished]:
            for job_id, points in told.items():
                self.ledger.tell(unit, job_id, points)
            return self.ledger.beat(unit, running)

        return await self._write(do)

    async def end_leases_ahead(self) -> None:
        """Let no job wait until a clock has caught up that was set back; for who has the catalogue alone."""
        await self._write(self.ledger.end_leases_ahead)

    async def claim(self) -> Claimed | None:
        """Take over the next job, if there is any."""
        return await self._write(self._claim)

    async def leave(self, job_id: str | None = None, *, after: float | None = None) -> None:
        """Leave one of the jobs that run here, or all, to others, at once or after so many seconds."""
        await self._write(lambda unit: self.ledger.release(unit, job_id, after=after))

    async def retry(self, job: Job) -> Job:
        """Begin another attempt, unless there were too many."""
        return await self._write(lambda unit: self.ledger.retry(unit, job))

    async def end(self, job: Job, state: State, **values: object) -> Ended:
        """End a job, and begin the next in the same commit."""
        return await self._write(lambda unit: self._move(unit, job, state, **values))

    async def end_for_want_of_space(self, job: Job, error: StorageFull) -> Ended:
        """Let a job fail of which nothing can be saved."""
        return await self._free(lambda unit: self._move(unit, job, State.FAILED, error=error_to(error)))

    async def succeed(self, job: Job, saved: Saved, note: Note) -> tuple[Ended, Gone]:
        """Make what was saved a version, and the job's success, in one commit; give the versions that expired.

        Raises Cancelled where that is wished while a bucket is waited for.
        """
        names = [job.name]
        before = await self._kept_behind(names, [saved], note)

        def do(unit: Unit) -> tuple[Ended, Gone]:
            number = next_version(unit, job.name) if before is None else taken_before(unit, names, before)[0]
            state = State.CANCELLED if saved.partial else State.SUCCEEDED
            ended = self._move(unit, job, state, partial=saved.partial, version=number.version)
            return ended, place(unit, self.root, job.name, number, saved)

        return await self._write(do, {of_model(job.name)})

    async def publish(self, job: Job, saved: SavedGroups, note: Note) -> tuple[Ended | None, list[Gone]]:
        """Make what was saved of some groups versions, and, where they are the last, the job's end, in one commit.

        Raises Cancelled as `succeed` does.
        """
        before = await self._kept_behind(saved.names, saved.saves, note)

        def do(unit: Unit) -> tuple[Ended | None, list[Gone]]:
            ended = None
            if saved.is_last:
                fault = grouped.fault(unit, job, saved)
                how = {} if fault is None else {"error": error_to(fault)}
                ended = self._move(unit, job, State.FAILED if how else State.SUCCEEDED, **how)
            else:
                self.ledger.move(unit, job, State.RUNNING)  # which raises where another has taken it over
            return ended, grouped.publish(unit, self.root, job, saved, before)

        return await self._write(do, {of_model(end.name) for end in saved.ends})

    async def _kept_behind(self, names: Sequence[str], saves: Sequence[Saved], note: Note) -> Sequence[int] | None:
        """Bring what was saved to a bucket, under numbers of its own; None where there is none. Waits while it is away.

        Nobody else gets these numbers, also where nothing comes of them. Raises Cancelled.
        """
        if not (names and self.ledger.catalogue.remote.is_there):
            return None
        try:
            return await self._brought(names, saves, note)
        finally:
            note.wait_for(None)

    async def _brought(self, names: Sequence[str], saves: Sequence[Saved], note: Note) -> Sequence[int]:
        numbers: Sequence[int] | None = None
        while True:
            if numbers is None:
                numbers = await self._write(
                    lambda unit: [each.version for each in next_versions(unit, names)],
                    {of_model(name) for name in names},
                )
            remote = self.ledger.catalogue.remote
            try:
                await asyncio.to_thread(remote.create, places(self.root, names, numbers, saves))
            except Taken:
                numbers = None
            except BucketAway:
                if not self.goes_on():
                    raise
                note.wait_for(WAITS_FOR)
                if note.is_unwanted():
                    raise Cancelled from None
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return numbers

    def _move(self, unit: Unit, job: Job, state: State, **values: object) -> Ended:
        over = self.ledger.move(unit, job, state, points=job.points, **values)
        return Ended(over, self._claim(unit) if self.goes_on() else None)

    def _claim(self, unit: Unit) -> Claimed | None:
        return self.ledger.claim(unit, list(self.running))

    async def _free(self, do: Callable[[Unit], T]) -> T:
        """Write what gives back space, or lets it be given back."""
        with self.ledger.catalogue.restoring():
            return await asyncio.to_thread(self.ledger.catalogue.free, do, NOTHING)

    async def _write(self, do: Callable[[Unit], T], about: Collection[str] = NOTHING) -> T:
        return await asyncio.wrap_future(self.ledger.catalogue.write(do, about))
