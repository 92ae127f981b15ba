"""A job: one training as the catalogue knows it, and the states that it goes through.

queued ──→ running ──→ succeeded
   │          ├──────→ failed
   └──────────┴──────→ cancelled
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from app import errors
from app.errors import NetletError, Unforeseen, rebuild
from app.faults import Fault
from app.jobs.leaderboard import Leaderboard

if TYPE_CHECKING:  # training processes need no catalogue
    from sqlalchemy import Row

PLAIN = (str, int, float, bool, type(None))


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


BEFORE: dict[State, tuple[State, ...]] = {
    State.RUNNING: (State.QUEUED, State.RUNNING),  # the latter where its owner died
    State.SUCCEEDED: (State.RUNNING,),
    State.FAILED: (State.RUNNING,),
    State.CANCELLED: (State.QUEUED, State.RUNNING),
}
"""From where a job can come to a state."""
ENDS = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Point(NamedTuple):
    """Where a training stood after an epoch, so many seconds after it began."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    seconds: float


class Origin(NamedTuple):
    """The request that a job comes from, and the trace that this is part of, as W3C has it."""

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""

    @property
    def trace_id(self) -> str:
        """What all that is part of the trace has in common; empty where there is none."""
        return self.traceparent.partition("-")[2].partition("-")[0]


NOWHERE = Origin()


@dataclass(frozen=True)
class Job:
    """One training, as it stood when the catalogue was read. Times are seconds since 1970."""

    id: str
    name: str
    state: State
    priority: int
    caller: str
    dataset: str | None
    created: float
    started: float | None
    ended: float | None
    owner: str | None
    attempt: int
    rows: int
    wish: str | None
    seconds: float | None
    until: int | None
    """The epoch after which it pauses."""
    version: int | None
    partial: bool
    error: NetletError | None
    points: tuple[Point, ...]
    origin: Origin
    groups: int | None
    """How many models it makes, each of a group of the rows; None where it makes one. Its epochs are groups then."""
    search: Leaderboard | None = None
    """How far its search is, while it goes on."""
    waits_for: str | None = None
    """What keeps it from beginning though it runs, such as others who have all there is of a cluster."""

    @classmethod
    def of(cls, row: "Row[Any]") -> "Job":
        """Read a row of the catalogue."""
        data = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        return cls(
            **{name: data[name] for name in cls.__annotations__ if name in data}
            | {
                "state": State(row.state),
                "error": row.error and error_from(row.error),
                "points": tuple(Point(*point) for point in row.points or ()),
                "origin": Origin(*row.origin) if row.origin else NOWHERE,
            }
        )

    def facts(self) -> dict[str, str]:
        """Give what every line of the log tells that is about the job."""
        return facts_of(self.id, self.name, self.origin)

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDS

    @property
    def paused(self) -> bool:
        """Whether it stays where it is after an epoch, until somebody wishes otherwise."""
        return self.until is not None and not self.is_over

    @property
    def epoch(self) -> int:
        """How far it is, as far as is known."""
        return self.points[-1].epoch if self.points else 0


def facts_of(job_id: str, name: str, origin: Origin) -> dict[str, str]:
    """Give what every line of the log tells that is about a job; its own number is that of its span."""
    told = {"job": job_id, "model": name, "request_id": origin.request_id, "trace_id": origin.trace_id}
    told["span_id"] = job_id if origin.trace_id else ""
    return {name: value for name, value in told.items() if value}


def error_to(error: NetletError) -> dict[str, Any]:
    """Write an error as JSON."""
    data = {name: value for name, value in vars(error).items() if isinstance(value, PLAIN)}
    faults = [asdict(fault) for fault in getattr(error, "faults", ())]
    return {"kind": type(error).__name__, "message": str(error), "faults": faults, "data": data}


def error_from(written: Mapping[str, Any]) -> NetletError:
    """Read what `error_to` wrote."""
    kind = getattr(errors, written["kind"], Unforeseen)
    return rebuild(
        kind, (written["message"],), written["data"] | {"faults": tuple(Fault(**fault) for fault in written["faults"])}
    )
