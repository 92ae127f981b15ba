"""What is asked of a training beside its settings, and what is told of a job."""

from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict

from app.api.schemas import Column, InputAnswer, MemberAnswer, ScalerAnswer
from app.docstrings import Described
from app.jobs.job import State
from app.models.table import Label
from app.models.trials import Trial

MOST_EPOCHS = 10_000_000
LOOSE = ConfigDict(json_schema_extra=Described())
IN_ADDRESS = ConfigDict(use_attribute_docstrings=True)  # FastAPI reads what the fields are, not the schema


class Asked(BaseModel):
    """How a training is run and waited for, in the address."""

    model_config = IN_ADDRESS

    wait: Annotated[float, Ge(0), Le(3600)] = 30
    """Seconds to wait for the model before the job is answered instead."""
    priority: Annotated[int, Ge(-100), Le(100)] = 0
    """Jobs of a higher one run first; among equals, those of the caller who was served longest ago."""
    timeout_seconds: Annotated[float, Gt(0)] | None = None
    """The longest that the training may take, if the service allows as much."""
    max_epochs: Annotated[int, Ge(1), Le(MOST_EPOCHS)] | None = None
    """The most epochs before the training ends with what it has learnt, on the schedule that its `epochs` set."""
    paused: bool = False
    """Whether the training pauses before its first epoch, to be stepped or resumed; the answer is its job, at once."""
    cancel_on_disconnect: bool = False
    """Whether the training is cancelled if the caller goes away while it waits."""


class Ending(BaseModel):
    """How a training is ended, in the address."""

    model_config = ConfigDict(**IN_ADDRESS, extra="forbid")

    keep_best: bool = False
    """Whether the best so far is kept, as a version that is marked partial."""


class Following(BaseModel):
    """What is told of a training as it happens, in the address."""

    model_config = ConfigDict(**IN_ADDRESS, extra="forbid")

    weights: bool = False
    """Whether events `network` and `weights` show the network now and then while it learns, if it is small."""


class Steps(BaseModel):
    """How far a training that is paused goes on, in the address."""

    model_config = ConfigDict(**IN_ADDRESS, extra="forbid")

    epochs: Annotated[int, Ge(1), Le(MOST_EPOCHS)] = 1
    """As many, and it pauses again."""


class Curves(BaseModel):
    """The losses after some epochs, as far as the training is."""

    model_config = LOOSE

    epochs: list[int]
    loss: list[float]
    validation_loss: list[float] | None


class SearchDetail(BaseModel):
    """How far a search is."""

    model_config = LOOSE

    metric: str
    done: int
    """Trials that are over."""
    most: int | None
    """How many there will be; null where seconds are counted."""
    budget_seconds: float | None
    best: Trial | None
    """The best that is complete."""
    trials: list[Trial] | None = None
    """In the answer for one job, all that are over; in an event, those that were not told before."""


class JobDetail(BaseModel):
    """A training: `queued` or `running`, then `succeeded`, `failed` or `cancelled` for ever."""

    model_config = LOOSE

    job: str
    status: State
    model: str
    paused: bool
    """Whether it waits, or will after the epoch that is under way, to be resumed or stepped."""
    version: int | None
    """Once it succeeded, or was cancelled with `keep_best`."""
    partial: bool
    """Whether that version is what there was when it was cancelled."""
    priority: int
    attempt: int
    """Counts the processes that were at it: more than 1 where one was lost."""
    waits_for: str | None
    """What keeps a running one from beginning, such as a cluster that has no room for it yet, or one that has learnt
    from being kept, as a bucket that is away; null where nothing does."""
    request_id: str | None
    """Of the request that it comes from."""
    groups: int | None
    """How many models it makes, each of a group of the rows, where that was asked for; epochs are groups then."""
    epoch: int | None
    epochs: int | None
    """The most there will be."""
    loss: float | None
    validation_loss: float | None
    rows_per_second: float | None
    eta_seconds: float | None
    """How long the remaining epochs would take; fewer may be needed."""
    history: Curves | None = None
    """In the answer for one job."""
    search: SearchDetail | None = None
    """While a search goes on; afterwards the model's `report.search` tells of it."""
    error: str | None
    """Why it failed."""
    created: datetime
    started: datetime | None
    ended: datetime | None


class GroupAnswer(BaseModel):
    """What became of a group, or of the rows of a training without groups."""

    model_config = LOOSE

    group: str | None
    """What the column said; null where there are no groups."""
    model: str
    version: int | None
    """Null until there is one, and where there is an error."""
    rows: int
    validation: dict[str, float] | None
    """How far answers to rows held out are off: `rmse`, in the target's units, or `log_loss`. Null where none were."""
    error: str | None
    """Why it has no model, and will have none."""


class GroupsAnswer(BaseModel):
    """The models of a training, those of groups of like size together."""

    model_config = LOOSE

    job: str
    name: str
    """What stands before the dot in the models' names."""
    models: list[GroupAnswer]
    next: int | None
    """Send as `after` to get the following page; null on the last."""


class Paged(BaseModel):
    """Which of many models are listed, in the address."""

    model_config = ConfigDict(**IN_ADDRESS, extra="forbid")

    after: Annotated[int, Ge(-1), Le(MOST_EPOCHS)] = -1
    """The `next` of the page before."""
    limit: Annotated[int, Ge(1), Le(10_000)] = 10_000


class JobList(BaseModel):
    """The newest jobs."""

    jobs: list[JobDetail]


class ProgressEvent(BaseModel):
    """Where a training stands after an epoch."""

    model_config = LOOSE

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    rows_per_second: float | None
    eta_seconds: float | None


class NetworkEvent(BaseModel):
    """What learns: how its inputs are made of columns, and how its answers become those of the target."""

    model_config = LOOSE

    columns: list[Column]
    target: str | list[str]
    labels: list[Label] | None
    inputs: list[InputAnswer]
    scaler: ScalerAnswer | None
    """Null for classes."""


class WeightsEvent(BaseModel):
    """The weights after an epoch: of as many of the networks as are short enough to be sent often."""

    model_config = LOOSE

    epoch: int
    members: list[MemberAnswer]
