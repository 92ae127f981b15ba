"""What is known of jobs, whichever process runs them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.jobs.folder import JobFolder
from app.jobs.job import Job, Point, State
from app.jobs.ledger import Key, Ledger
from app.jobs.running import Running


class KnownJobs:
    """Reads jobs: what is written down of them, and how far they are."""

    def __init__(self, ledger: Ledger, folder: JobFolder) -> None:
        self.ledger, self.folder = ledger, folder

    async def find(self, key: Key) -> Job | None:
        """Find the job that a key stands for; raise KeyReused where it is that of another request."""
        return await asyncio.to_thread(self.ledger.find, key)

    async def is_reserved(self, key: Key) -> bool:
        """Tell whether a key stands for a request already; raise KeyReused where it is that of another."""
        return await asyncio.to_thread(self.ledger.is_reserved, key)

    async def get(self, job_id: str) -> Job:
        """Read a job, and how far it is; raise JobNotFound."""
        return await asyncio.to_thread(self._get, job_id)

    async def newest(self, limit: int, state: State | None, caller: str | None = None) -> list[Job]:
        """List jobs, the newest first, all or those in a state or of a caller, and how far they are."""
        listed = await asyncio.to_thread(self.ledger.newest, limit, state, caller)
        return [self._followed(job) for job in listed]

    def _get(self, job_id: str) -> Job:
        return self._followed(self.ledger.get(job_id))

    def _followed(self, job: Job) -> Job:
        if job.is_over or (self.folder.remote.is_there and job.owner != self.ledger.owner):
            return job  # with what its owner has told
        waits = self.folder.note(job.id, job.attempt).waits()
        return replace(job, points=self.folder.points(job), search=self.folder.trials(job), waits_for=waits)

    def _told(self, running: Mapping[str, Running]) -> dict[str, Sequence[Point]]:
        """Say how far jobs are, where other servers do not see it in the folder."""
        return {job_id: self.folder.points(each.job) for job_id, each in running.items() if self.folder.remote.is_there}
