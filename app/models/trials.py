"""Trials: how trainings went that were tried in a search, as plain data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from app.engine.choices import FINITE

Value: TypeAlias = str | float | int | bool | tuple[int, ...]


class TrialState(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    """Given up, since others had answered rows held out better after as large a share of their epochs."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of a search."""

    __pydantic_config__ = FINITE

    number: int
    """From 0, which is what would be trained without a search."""
    settings: dict[str, Value]
    """What was tried, beside what is set for all."""
    state: TrialState
    value: float | None
    """Of the metric, on rows held out from those that the search sees; of a complete trial."""
    epochs: int
    judged: tuple[tuple[int, float], ...] = ()
    """After how many epochs it was compared with others, and its loss on rows held out then."""
    same_as: int | None = None
    """An earlier trial with the same settings, whose result this is."""
    fault: str | None = None
    """Why it failed."""


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a search came to: all trials, the best of which is the model, trained anew on all rows."""

    __pydantic_config__ = FINITE

    metric: str
    rows: int
    """That the search saw; the metrics of the report are of others, if any are held out."""
    best: int | None
    """The number of the trial with whose settings the model was trained; null for one that was cancelled on its way."""
    trials: tuple[Trial, ...]
