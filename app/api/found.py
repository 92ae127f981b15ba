"""What a process finds when it begins to serve."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from app.docstrings import Described
from app.jobs.jobs import Jobs
from app.store.schema import versions
from app.store.store import ModelStore


class Found(BaseModel):
    """What the process that answers found when it began."""

    model_config = ConfigDict(json_schema_extra=Described())

    at: datetime
    alone: bool
    """Whether no other process had the store open, so that what others had left behind was cleared."""
    models: int
    versions: int
    unfinished_jobs: int


def found_in(store: ModelStore, jobs: Jobs) -> Found:
    """Look at a store that was just opened; raise StorageError."""
    counted = select(func.count(versions.c.name.distinct()).label("models"), func.count().label("versions"))
    (row,) = store.catalogue.read(counted)
    return Found(
        at=datetime.now(UTC),
        alone=store.is_alone,
        models=row.models,
        versions=row.versions,
        unfinished_jobs=len(jobs.ledger.unfinished()),
    )
