"""The groups of jobs in the catalogue: which models they are to become, and what they became."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Row, bindparam, func, insert, or_, select, update

from app.errors import NetletError, UnsuitableTarget
from app.jobs.grouping import SavedGroups
from app.jobs.job import Job
from app.jobs.orders import Groups
from app.store.catalogue import Catalogue, Unit
from app.store.deleting import Gone
from app.store.numbering import next_versions, place_all, taken_before
from app.store.schema import grouped

_PLANNED = insert(grouped)
_OVER = or_(grouped.c.version.is_not(None), grouped.c.error.is_not(None))
_DONE = select(func.count()).select_from(grouped).where(grouped.c.job == bindparam("job"), _OVER)
_MADE = (
    update(grouped)
    .where(grouped.c.job == bindparam("of"), grouped.c.place == bindparam("at"))
    .values({name: bindparam(f"its_{name}") for name in ("version", "metric", "score", "error")})
)
_MODELS = (
    select(func.count()).select_from(grouped).where(grouped.c.job == bindparam("job"), grouped.c.version.is_not(None))
)


def plan(unit: Unit, job_id: str, groups: Groups) -> None:
    """Write down which models a job is to make."""
    planned = zip(groups.names, groups.sizes, strict=True)
    rows = [{"job": job_id, "place": place, "name": name, "rows": size} for place, (name, size) in enumerate(planned)]
    unit.execute(_PLANNED, rows)


def done(unit: Unit, job: Job) -> int | None:
    """Count the groups of a job that are done: the first ones, as they are done in order. None where it has none."""
    return None if job.groups is None else int(unit.connection.scalars(_DONE, {"job": job.id}).one())


def publish(unit: Unit, root: Path, job: Job, saved: SavedGroups, before: Sequence[int] | None) -> list[Gone]:
    """Make what was saved of some groups versions, and tell it of the groups. Comes last: it does not raise.

    They get numbers now, unless they got them `before`.
    """
    names = saved.names
    numbers = (next_versions(unit, names) if before is None else taken_before(unit, names, before)) if names else []
    version = dict(zip(names, numbers, strict=True))
    unit.execute(
        _MADE,
        [
            {
                "of": job.id,
                "at": saved.begin + place,
                "its_version": version[end.name].version if end.name in version else None,
                "its_metric": end.metric,
                "its_score": end.score,
                "its_error": end.error,
            }
            for place, end in enumerate(saved.ends)
        ],
    )
    return place_all(unit, root, names, numbers, saved.saves) if names else []


def fault(unit: Unit, job: Job, saved: SavedGroups) -> NetletError | None:
    """Say why a job fails of whose groups none could be learnt, the last of them neither; None where some were."""
    if saved.saves or unit.connection.scalars(_MODELS, {"job": job.id}).one():
        return None
    last = saved.ends[-1]
    return UnsuitableTarget(f"No group can be learnt, {last.name} for this reason: {last.error}")


def listed(catalogue: Catalogue, job_id: str, *, after: int, limit: int) -> Sequence[Row[tuple[object, ...]]]:
    """List the groups of a job in the order of their places, those that come after one."""
    chosen = select(grouped).where(grouped.c.job == job_id, grouped.c.place > after)
    return catalogue.read(chosen.order_by(grouped.c.place).limit(limit))
