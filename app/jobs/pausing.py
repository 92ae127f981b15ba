"""Pausing: a training waits after an epoch, is stepped epoch by epoch, and goes on, in whatever process it runs.

What is wished is in the catalogue, and so it is heeded by whoever takes the job over, from its last checkpoint.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from app.errors import NotPaused
from app.jobs.job import Job, State
from app.jobs.jobs import Jobs
from app.store.locks import NOTHING

STEP_SECONDS = 5.0  # that a step is waited for
LOOK_SECONDS = 0.01


async def pause(jobs: Jobs, job_id: str) -> Job:
    """Let a job wait after the epoch that is under way; raise JobNotFound or JobOver."""
    return await _hold(jobs, job_id, lambda _job: 0)


async def resume(jobs: Jobs, job_id: str) -> Job:
    """Let a job that is paused go on; raise JobNotFound, JobOver or NotPaused."""
    return await _hold(jobs, job_id, _go_on)


async def step(jobs: Jobs, job_id: str, epochs: int) -> Job:
    """Let a job that is paused take so many epochs, and give it once it has, or after a while; raise as `resume`."""
    await _once(jobs, job_id, lambda job: _is_held(jobs, job))  # it may still be on its way to where it pauses
    here = (await jobs.get(job_id)).epoch  # asked only now: what was told before it waited may be too little
    job = await _hold(jobs, job_id, lambda job: max(_require_paused(job), here) + epochs)
    return await _once(jobs, job_id, lambda now: now.epoch >= (job.until or 0))


async def _once(jobs: Jobs, job_id: str, done: Callable[[Job], bool]) -> Job:
    """Give a job once something is true of it, it is not paused at all, or after a while."""
    deadline = monotonic() + STEP_SECONDS
    while True:
        job = await jobs.get(job_id)
        if not job.paused or done(job) or jobs.stopping or monotonic() >= deadline:
            return job
        await asyncio.sleep(LOOK_SECONDS)


def _is_held(jobs: Jobs, job: Job) -> bool:
    """Tell whether a job has come to where it pauses, or has not begun."""
    return job.state == State.QUEUED or jobs.folder.note(job.id, job.attempt).is_held()


def _go_on(job: Job) -> None:
    """Let no epoch be the last; raise NotPaused."""
    _require_paused(job)


def _require_paused(job: Job) -> int:
    """Give the epoch after which a job pauses; raise NotPaused."""
    if job.until is None:
        raise NotPaused
    return job.until


async def _hold(jobs: Jobs, job_id: str, until: Callable[[Job], int | None]) -> Job:
    """Write down after which epoch a job pauses, and let its process know."""
    job = await asyncio.wrap_future(jobs.catalogue.write(lambda unit: jobs.ledger.hold(unit, job_id, until), NOTHING))
    if job.state == State.RUNNING:
        jobs.folder.note(job.id, job.attempt).hold(job.until)
    return await jobs.get(job_id)
