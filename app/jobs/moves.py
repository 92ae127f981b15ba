"""Moves: what becomes of jobs, a line of the log each, and counted."""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from app.jobs.folder import JobFolder
from app.jobs.job import ENDS, Job, State
from app.jobs.running import Running
from app.telemetry.durations import Durations
from app.telemetry.metrics import METRICS, Figure

if TYPE_CHECKING:  # only who tells them has what it takes
    from app.jobs.spans import JobSpans

TIME = "netlet_training_seconds"

log = logging.getLogger("netlet.jobs")


class Moves:
    """Those that are made in this process."""

    def __init__(self, folder: JobFolder, running: Mapping[str, Running]) -> None:
        self.folder, self.running = folder, running
        self.spans: JobSpans | None = None
        """What tells them as spans, where anybody takes those."""
        self.ended = dict.fromkeys(ENDS, 0)
        self.durations = Durations(METRICS[TIME].bounds)
        self.epochs = self.rows = 0
        self.counted: dict[str, int] = {}
        """Up to which epoch those of each job are."""

    def tell(self, job: Job) -> None:
        """Tell where a job has come to."""
        told = job.facts() | {"state": job.state, "attempt": job.attempt, "rows": job.rows}
        if job.state == State.RUNNING and job.id not in self.counted:  # what there is already was learnt by others
            self.counted[job.id] = self._epoch(job) if job.attempt > 1 else 0
        if job.is_over:
            told |= {"version": job.version, "epochs": job.epoch, "seconds": self._end(job)}
        if job.error is not None:  # whose words may repeat what was sent
            told |= {"error": type(job.error).__name__}
        level = logging.WARNING if job.state == State.FAILED else logging.INFO
        log.log(level, "job %s of %s: %s", job.id, job.name, job.state, extra=told)
        if self.spans is not None and job.is_over:
            self.spans.end(job)
        elif self.spans is not None and job.state == State.RUNNING:
            self.spans.begin(job)

    def leave(self, job: Job) -> None:
        """Note that a job which is not over, as far as is known, is left to others."""
        if self.spans is not None:
            self.spans.leave(job.id)

    def figures(self) -> Iterator[Figure]:
        """Tell how often trainings came to which end, and how much was learnt by those and by the ones that run."""
        for running in self.running.values():
            self._learn(running.job, self._epoch(running.job))
        for state, count in self.ended.items():
            yield Figure("netlet_trainings_total", (state,), [count])
        yield Figure(TIME, (), self.durations.numbers)
        yield Figure("netlet_training_epochs_total", (), [self.epochs])
        yield Figure("netlet_training_rows_total", (), [self.rows])

    def _end(self, job: Job) -> float | None:
        """Count the end of a job; give how many seconds it took, if it began."""
        self._learn(job, job.epoch)
        self.counted.pop(job.id, None)
        self.ended[job.state] += 1
        if job.started is None or job.ended is None:
            return None
        seconds = max(0.0, job.ended - job.started)  # a clock may be set back
        self.durations.add(seconds)
        return round(seconds, 3)

    def _learn(self, job: Job, epoch: int) -> None:
        """Count the epochs of a job that are new, and the rows that were learnt from in each."""
        more = epoch - self.counted.get(job.id, 0)
        if more > 0:
            self.epochs += more
            self.rows += more * job.rows
            self.counted[job.id] = epoch

    def _epoch(self, job: Job) -> int:
        points = self.folder.points(job)
        return points[-1].epoch if points else 0
