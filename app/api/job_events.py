"""Events of jobs: their states, their progress and what they learn, as it happens."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent

from app.api.answers import columns_of, inputs_of, members_of, one_or_all, scaler_of
from app.api.job_answers import job_detail, progress, search_detail
from app.api.job_schemas import NetworkEvent, WeightsEvent
from app.errors import StorageError
from app.jobs.job import Job
from app.jobs.jobs import Jobs
from app.jobs.live import Live, LiveReader

LOOK_SECONDS = 0.1
RETRY_MILLISECONDS = 1000
LEAVES = {"detail": "The service is about to end. The training goes on: connect again to follow it."}
MOST_SENT = 4_000  # numbers of several networks at once; of one, all are


async def events(jobs: Jobs, job: Job, after: int, *, shows_weights: bool) -> AsyncIterator[ServerSentEvent]:
    """Tell each state of a job, paused or not, and its progress after an epoch, until it is over or the service drains.

    A state is told again where what the job waits for is another. The id of an event of progress is its epoch. `search`
    tells trials that are over. `shutdown` is the last event of a service that is about to end.
    """
    state, trials, shown = None, 0, _Shown(jobs) if shows_weights else None
    while True:
        if (job.state, job.paused, job.waits_for) != state and not job.is_over:
            state = job.state, job.paused, job.waits_for
            yield ServerSentEvent(event=job.state, data=job_detail(job))
        for event in progress(job, after):
            after = event.epoch
            await asyncio.sleep(0)  # there may be many, and others are to be answered meanwhile
            yield ServerSentEvent(event="progress", id=str(after), data=event)
        if job.search is not None and len(job.search.trials) > trials:
            yield ServerSentEvent(event="search", data=search_detail(job.search, trials))
            trials = len(job.search.trials)
        for told in () if shown is None else await shown.news(job):
            yield told
        if job.is_over or jobs.draining:
            break
        await asyncio.sleep(LOOK_SECONDS)
        try:
            job = await jobs.get(job.id)
        except StorageError:  # whoever follows connects again, and goes on after the last event
            return
    if job.is_over:
        yield ServerSentEvent(event=job.state, data=job_detail(job))
    else:
        yield ServerSentEvent(event="shutdown", data=LEAVES, retry=RETRY_MILLISECONDS)


class _Shown:
    """What somebody has seen of a network while it learns."""

    def __init__(self, jobs: Jobs) -> None:
        self.folder, self.reader = jobs.folder, LiveReader()

    async def news(self, job: Job) -> list[ServerSentEvent]:
        """Tell what a network is, the first time, and how it is, if it was written down again."""
        if job.is_over:
            return []
        live = await asyncio.to_thread(self.reader.read, self.folder.note(job.id, job.attempt).live)
        if live is None:
            return []
        told = [ServerSentEvent(event="network", data=_network(live))] if live.is_other else []
        return [*told, ServerSentEvent(event="weights", data=_weights(live))]


def _network(live: Live) -> NetworkEvent:
    model = live.model
    return NetworkEvent(
        columns=columns_of(model),
        target=one_or_all(model.targets),
        labels=list(model.labels) or None,
        inputs=list(inputs_of(model)),
        scaler=scaler_of(model),
    )


def _weights(live: Live) -> WeightsEvent:
    most = max(1, MOST_SENT // live.model.parameters.shape[1])
    return WeightsEvent(epoch=live.epoch, members=members_of(live.model, most))
