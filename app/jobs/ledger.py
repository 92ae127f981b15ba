"""The ledger: every move of every job, each one transaction of the catalogue."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, case, delete, func, insert, select, update

from app.errors import (
    Busy,
    DatasetDamaged,
    DatasetNotFound,
    JobNotFound,
    JobOver,
    KeyReused,
    LeaseLost,
    OrderDamaged,
    QuotaExceeded,
    StorageError,
    Unforeseen,
    WorkerLost,
)
from app.jobs import grouped
from app.jobs.job import BEFORE, NOWHERE, Job, Origin, Point, State, error_from, error_to
from app.jobs.orders import Groups
from app.store import locks
from app.store.api_keys import STORED, Grant, models_beside
from app.store.catalogue import Catalogue, Unit
from app.store.notices import QUEUED
from app.store.schema import datasets, jobs, keys, orders

TRAININGS = "trainings"
EVERYTHING = Grant(frozenset())
NUL = "\0"  # which PostgreSQL does not take
NOBODYS_FAULT = (DatasetDamaged, OrderDamaged, StorageError, Unforeseen, WorkerLost)
UNFINISHED = (State.QUEUED, State.RUNNING)

# Statements that every job needs are put together once: that takes longer than to execute them.
_served = jobs.alias("served")
_last_served = select(func.max(_served.c.started)).where(_served.c.caller == jobs.c.caller).scalar_subquery()
_is_lost = (jobs.c.state == State.RUNNING) & (jobs.c.lease < bindparam("now"))
_is_ready = (jobs.c.state == State.QUEUED) | _is_lost
_order = case((_is_lost, 0), else_=1), jobs.c.priority.desc(), func.coalesce(_last_served, 0.0), jobs.c.created
_CLAIM = (
    select(jobs)
    .where(_is_ready, jobs.c.id.not_in(bindparam("own", expanding=True)))
    .order_by(*_order)
    .limit(1)
    .with_for_update(of=jobs, skip_locked=True)  # which SQLite, where one writes at a time, does without
)
_READY = select(jobs.c.id).where(_is_ready).limit(1)
_QUEUED = select(func.count()).select_from(jobs).where(jobs.c.state == State.QUEUED)
_UNFINISHED = (
    select(func.count())
    .select_from(jobs)
    .where(jobs.c.caller == bindparam("caller"), jobs.c.state.in_((State.QUEUED, State.RUNNING)))
)
_DATASET = select(datasets.c.id).where(datasets.c.id == bindparam("id"))
_JOB = select(jobs).where(jobs.c.id == bindparam("id"))
_HELD = _JOB.with_for_update()  # as above
_NEW = insert(jobs).returning(jobs)
_ORDER = select(orders.c.data).where(orders.c.job == bindparam("job"))
_ORDERED = insert(orders)
_NAMED = insert(keys)
_RENAMED = update(keys).where(keys.c.key == bindparam("which"))
_STANDS_FOR = (
    select(jobs, keys.c.digest.label("digest"))
    .select_from(keys)
    .outerjoin(jobs, keys.c.job == jobs.c.id)
    .where(keys.c.key == bindparam("key"))
)
_DONE = delete(orders).where(orders.c.job == bindparam("which"))
_MOVED = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("which"),
        jobs.c.state.in_(bindparam("origins", expanding=True)),
        jobs.c.attempt == bindparam("attempts"),
        jobs.c.owner.is_not_distinct_from(bindparam("whose", type_=jobs.c.owner.type)),
    )
    .returning(jobs)
)


class Key(NamedTuple):
    """What a client named its request by, so that it is done once however often it is sent."""

    text: str
    digest: str
    """Of the request."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for beside the order itself."""

    caller: str = ""
    """Whom the queue is fair to."""
    grant: Grant = EVERYTHING
    """What the caller's key is for."""
    priority: int = 0
    seconds: float | None = None
    """The longest it may take."""
    key: Key | None = None
    paused: bool = False
    """Whether it pauses before its first epoch."""
    origin: Origin = NOWHERE


class Wished(NamedTuple):
    """What is wished of a job that runs: its end, or a pause after an epoch."""

    wish: str | None
    until: int | None


class Entry(NamedTuple):
    """A new job, as it is written down."""

    name: str
    dataset: str | None
    rows: int
    data: bytes | None
    """The order; None where it is a file already."""
    groups: Groups | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all models that are to come of it."""
        return (self.name,) if self.groups is None else self.groups.names


def about(entry: Entry, request: Request, *, runs: bool) -> set[str]:
    """Say what nobody else may change while a job is submitted: all that `Ledger.submit` counts or looks up."""
    quotas = request.grant.quotas
    found = {
        None if request.key is None else locks.of_key(request.key.text),
        None if entry.dataset is None else locks.of_dataset(entry.dataset),
        None if runs else locks.QUEUE,
        None if quotas.trainings is None else locks.of_caller(request.caller),
        None if quotas.stored is None else locks.QUOTAS,
    }
    return {lock for lock in found if lock is not None}


class Submitted(NamedTuple):
    """A job, and whether it was not there before."""

    job: Job
    is_new: bool


class Claimed(NamedTuple):
    """A job that is to be run now, or that was tried too often, and its order; None where that is a file."""

    job: Job
    data: bytes | None
    group: int | None = None
    """The first one that is not done, where a model of each is made."""


class Ledger:
    """Writes for one owner: a process that runs jobs, and is taken to be alive until its lease ends.

    Whoever runs a job writes under the number of its attempt: nothing is written for one that was taken over.
    """

    def __init__(self, catalogue: Catalogue, *, lease: float, most_attempts: int) -> None:
        self.catalogue = catalogue
        self.owner = secrets.token_hex(8)
        self.lease, self.most_attempts = lease, most_attempts

    def submit(
        self, unit: Unit, job_id: str, entry: Entry, request: Request, *, runs: bool, most_queued: int
    ) -> Submitted:
        """Write a job down, as running or as queued; give the one that the key stands for if there is one.

        Raises KeyReused where the key stands for another request, Busy where too many are queued, QuotaExceeded where
        its caller has as many as it may, DatasetNotFound where what it should learn from is gone.
        """
        found: Sequence[Row[Any]] = ()
        if request.key is not None:
            found = unit.connection.execute(_STANDS_FOR, {"key": request.key.text}).all()
            if standing := _standing(found, request.key):
                return Submitted(Job.of(standing), is_new=False)
        if not runs and unit.connection.scalars(_QUEUED).one() >= most_queued:
            raise Busy(most_queued)
        _require_allowed(unit, entry.names, request)
        if entry.dataset is not None and not unit.connection.execute(_DATASET, {"id": entry.dataset}).all():
            raise DatasetNotFound
        now = time()
        values: dict[str, Any] = {
            "id": job_id,
            "name": entry.name,
            "state": State.QUEUED,
            "priority": request.priority,
            "caller": request.caller,
            "dataset": entry.dataset,
            "created": now,
            "attempt": 0,
            "rows": entry.rows,
            "seconds": request.seconds,
            "until": 0 if request.paused else None,
            "partial": False,
            "origin": request.origin,
            "groups": None if entry.groups is None else len(entry.groups.names),
        }
        if runs:
            values |= self._own(now) | {"state": State.RUNNING}
        row = unit.changed(_NEW, values)
        assert row is not None  # noqa: S101 - it has just been inserted
        unit.execute(_ORDERED, {"job": job_id, "data": entry.data})
        if entry.groups is not None:
            grouped.plan(unit, job_id, entry.groups)
        if request.key is not None:
            _name(unit, found, request.key, job_id)
        if not runs:
            unit.channels.add(QUEUED)
        return Submitted(Job.of(row), is_new=True)

    def find(self, key: Key) -> Job | None:
        """Find the job that a key stands for; raise KeyReused where it is that of another request."""
        standing = _standing(self.catalogue.read(_STANDS_FOR, {"key": key.text}), key)
        return None if standing is None else Job.of(standing)

    def is_reserved(self, key: Key) -> bool:
        """Tell whether a key stands for a request already; raise KeyReused where it is that of another."""
        return _standing(self.catalogue.read(_STANDS_FOR, {"key": key.text}), key) is not None

    def reserve(self, unit: Unit, key: Key) -> None:
        """Let a key stand for a request of which no job comes; raise KeyReused where it stands for another."""
        found = unit.connection.execute(_STANDS_FOR, {"key": key.text}).all()
        if _standing(found, key) is None:
            _name(unit, found, key, None)

    def claim(self, unit: Unit, running: Sequence[str] = ()) -> Claimed | None:
        """Take over the next job: one whose owner died, else of the highest priority, of who was served longest ago.

        One that was tried too often is given as one that failed. Those that are `running` here are not lost, though
        nobody could be told.
        """
        now = time()
        row = unit.connection.execute(_CLAIM, {"now": now, "own": running}).first()
        if row is None:
            return None
        job = Job.of(row)
        if job.state == State.RUNNING and job.owner is not None and job.attempt >= self.most_attempts:
            return Claimed(self.move(unit, job, State.FAILED, error=error_to(WorkerLost())), None)
        attempt = job.attempt + (job.owner is not None or job.state == State.QUEUED)
        own = self._own(now) | {"attempt": attempt, "started": job.started or now}
        data = unit.connection.scalar(_ORDER, {"job": job.id})
        return Claimed(self.move(unit, job, State.RUNNING, **own), data, grouped.done(unit, job))

    def has_claims(self) -> bool:
        """Whether there is anything to claim, as far as can be told without keeping others from writing."""
        return bool(self.catalogue.read(_READY, {"now": time()}))

    def move(self, unit: Unit, job: Job, state: State, **values: Any) -> Job:  # noqa: ANN401 - columns
        """Bring a job to a state, and write columns with it; raise LeaseLost if it has moved on meanwhile."""
        if state not in UNFINISHED:
            values |= {"ended": time(), "lease": None}
        still = {"which": job.id, "origins": BEFORE[state], "attempts": job.attempt, "whose": job.owner}
        row = unit.changed(_MOVED, {"state": state} | values | still)
        if row is None:
            raise LeaseLost
        if state not in UNFINISHED:
            unit.execute(_DONE, {"which": job.id})
        return Job.of(row)

    def retry(self, unit: Unit, job: Job) -> Job:
        """Begin another attempt at a job whose process was lost; fail it if there were too many."""
        if job.attempt >= self.most_attempts:
            return self.move(unit, job, State.FAILED, error=error_to(WorkerLost()))
        return self.move(unit, job, State.RUNNING, attempt=job.attempt + 1, lease=time() + self.lease)

    def beat(self, unit: Unit, running: Sequence[str]) -> dict[str, Wished]:
        """Tell that jobs are still being run; give what is wished of those that this owner still has."""
        own = jobs.c.owner == self.owner, jobs.c.state == State.RUNNING, jobs.c.id.in_(running)
        unit.execute(update(jobs).where(*own).values(lease=time() + self.lease))
        wished = select(jobs.c.id, jobs.c.wish, jobs.c.until).where(*own)
        return {row.id: Wished(row.wish, row.until) for row in unit.connection.execute(wished)}

    def tell(self, unit: Unit, job_id: str, points: Sequence[Point]) -> None:
        """Write down how far a job is that this owner runs."""
        own = jobs.c.id == job_id, jobs.c.owner == self.owner, jobs.c.state == State.RUNNING
        unit.execute(update(jobs).where(*own).values(points=points))

    def release(self, unit: Unit, job_id: str | None = None, *, after: float | None = None) -> None:
        """Leave one of this owner's jobs, or all, to others, to go on with at once, or after so many seconds."""
        own = jobs.c.owner == self.owner, jobs.c.state == State.RUNNING
        chosen = own if job_id is None else (*own, jobs.c.id == job_id)
        unit.execute(update(jobs).where(*chosen).values(owner=None, lease=0.0 if after is None else time() + after))
        unit.channels.add(QUEUED)

    def ask(self, unit: Unit, job_id: str, wish: str) -> Job:
        """Cancel a job that waits; let the owner of a running one know that it should end. Raises JobNotFound.

        Who wanted to keep the best may still want nothing.
        """
        job = _read(unit, job_id)
        if job.state == State.QUEUED:
            return self.move(unit, job, State.CANCELLED)
        if job.state == State.RUNNING and job.wish != "cancel":
            unit.execute(update(jobs).where(jobs.c.id == job_id).values(wish=wish))
        return _read(unit, job_id)

    def hold(self, unit: Unit, job_id: str, until: Callable[[Job], int | None]) -> Job:
        """Let a job pause after the epoch that `until` tells, or not; raise JobNotFound, JobOver and what that does."""
        job = _read(unit, job_id)
        if job.is_over:
            raise JobOver(job.state)
        unit.execute(update(jobs).where(jobs.c.id == job_id).values(until=until(job)))
        return _read(unit, job_id)

    def end_leases_ahead(self, unit: Unit) -> None:
        """End leases that no clock gives now: whoever took them is gone, and it was set back since."""
        ahead = jobs.c.state == State.RUNNING, jobs.c.lease > time() + self.lease
        unit.execute(update(jobs).where(*ahead).values(lease=0.0))

    def unfinished(self) -> set[str]:
        """List the jobs that are not over."""
        return {row.id for row in self.catalogue.read(select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED)))}

    def get(self, job_id: str) -> Job:
        """Read a job; raise JobNotFound."""
        rows = [] if NUL in job_id else self.catalogue.read(_JOB, {"id": job_id})
        if not rows:
            raise JobNotFound(job_id)
        return Job.of(rows[0])

    def newest(self, limit: int, state: State | None = None, caller: str | None = None) -> list[Job]:
        """List jobs, the newest first, all or those in a state or of a caller."""
        chosen = select(jobs).order_by(jobs.c.created.desc(), jobs.c.id).limit(limit)
        if state is not None:
            chosen = chosen.where(jobs.c.state == state)
        if caller is not None:
            chosen = chosen.where(jobs.c.caller == caller)
        return [Job.of(row) for row in self.catalogue.read(chosen)]

    def counts(self) -> dict[State, int]:
        """Count the jobs in each state."""
        counted = self.catalogue.read(select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state))
        return dict.fromkeys(State, 0) | {State(row.state): int(row.jobs) for row in counted}

    def _own(self, now: float) -> dict[str, object]:
        return {"owner": self.owner, "lease": now + self.lease, "started": now, "attempt": 1}


def _require_allowed(unit: Unit, names: Sequence[str], request: Request) -> None:
    """Raise QuotaExceeded where a key has as many trainings or models, with those that are coming, as it may."""
    quotas = request.grant.quotas
    if quotas.trainings is not None:
        unfinished = unit.connection.scalars(_UNFINISHED, {"caller": request.caller}).one()
        if unfinished >= quotas.trainings:
            raise QuotaExceeded(TRAININGS, quotas.trainings)
    if quotas.stored is None:
        return
    if unit.connection.scalars(models_beside(request.grant, names)).one() + len(names) > quotas.stored:
        raise QuotaExceeded(STORED, quotas.stored)


def _standing(found: Sequence[Row[Any]], key: Key) -> Row[Any] | None:
    """Give the row of a key that stands for a request.

    None where it is free: nobody named it yet, or what it was named for failed for no fault of the request. Raises
    KeyReused where it stands for another request.
    """
    for row in found:
        if row.error and isinstance(error_from(row.error), NOBODYS_FAULT):
            return None
        if row.digest != key.digest:
            raise KeyReused
        return row
    return None


def _name(unit: Unit, found: Sequence[Row[Any]], key: Key, job_id: str | None) -> None:
    """Let a free key stand for a request, whatever it stood for."""
    if found:
        unit.execute(_RENAMED, {"which": key.text, "digest": key.digest, "job": job_id})
    else:
        unit.execute(_NAMED, {"key": key.text, "digest": key.digest, "job": job_id})


def _read(unit: Unit, job_id: str) -> Job:
    """Read a job that nobody else moves before this transaction is over; raise JobNotFound."""
    row = None if NUL in job_id else unit.connection.execute(_HELD, {"id": job_id}).first()
    if row is None:
        raise JobNotFound(job_id)
    return Job.of(row)
