"""The spans of jobs: one for each job, below that of the request that ordered it, with its attempts and their steps.

The number of a job's span is the job's own. So all servers that see to a job, one after the other, tell parts of the
same, and whoever sees its end tells the whole.
"""

from time import time_ns
from typing import NamedTuple

from app.jobs.folder import JobFolder
from app.jobs.job import Job, State
from app.jobs.steps import steps_in
from app.telemetry.spans import NANOSECONDS, Span, Spans
from app.telemetry.traces import Place, place_in


class _Attempt(NamedTuple):
    job: Job
    began: int


class JobSpans:
    """Those of the jobs that run here."""

    def __init__(self, folder: JobFolder, spans: Spans) -> None:
        self.folder, self.spans = folder, spans
        self.attempts: dict[str, _Attempt] = {}

    def begin(self, job: Job) -> None:
        """Note that an attempt begins; the one before it, if there was one here, has lost its process."""
        self.leave(job.id, "WorkerLost")
        self.attempts[job.id] = _Attempt(job, time_ns())

    def leave(self, job_id: str, error: str | None = None) -> None:
        """Tell the attempt that was made here, if there was one, and its steps."""
        attempt = self.attempts.pop(job_id, None)
        if attempt is None:
            return
        job, steps = attempt.job, steps_in(self.folder.note(job_id, attempt.job.attempt).steps)
        whole = self._place(job)
        part = self.spans.below(whole)
        began = min([attempt.began, *(step.began for step in steps)])  # who trains does not wait for what is noted
        self.spans.tell(Span("attempt", part, whole, began, time_ns(), {"netlet.attempt": job.attempt}, error=error))
        for step in steps:
            place = self.spans.below(part)
            self.spans.tell(Span(step.name, place, part, step.began, step.ended, {}, error=step.error))

    def end(self, job: Job) -> None:
        """Tell a job that is over."""
        error = type(job.error).__name__ if job.error is not None else None
        self.leave(job.id, error)
        told: dict[str, str | int] = {"netlet.job": job.id, "netlet.model": job.name, "netlet.state": job.state}
        told |= {"netlet.attempt": job.attempt, "netlet.rows": job.rows, "netlet.epochs": job.epoch}
        if job.version is not None:
            told["netlet.version"] = job.version
        error = error if job.state == State.FAILED else None
        began, ended = int(job.created * NANOSECONDS), int((job.ended or job.created) * NANOSECONDS)
        self.spans.tell(Span("train", self._place(job), _origin(job), began, ended, told, error=error))

    def _place(self, job: Job) -> Place:
        return self.spans.place("train", _origin(job), trace=int(job.id * 2, 16), span=int(job.id, 16))


def _origin(job: Job) -> Place | None:
    return place_in(job.origin.traceparent, job.origin.tracestate)
