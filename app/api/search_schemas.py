"""What a request for a search holds."""

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict

from app.docstrings import Described
from app.engine.choices import OneOf
from app.models.search import METRICS, MOST_TRIALS, SETTINGS

EXAMPLE = {"trials": 20, "metric": "rmse"}


class Tried(BaseModel):
    """What is tried of a setting: `low` to `high`, or `choices`."""

    model_config = ConfigDict(strict=True, extra="forbid", json_schema_extra=Described())

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    """Whether a factor is as far everywhere between them, rather than a difference."""
    choices: Annotated[list[Any], MinLen(2), MaxLen(50)] | None = None


class SearchRequest(BaseModel):
    """What is searched, and for how long: `trials` or `budget_seconds`."""

    model_config = ConfigDict(strict=True, extra="forbid", json_schema_extra=Described(EXAMPLE))

    trials: Annotated[int, Ge(1), Le(MOST_TRIALS)] | None = None
    """How many trainings are tried; the same number and seed give the same model."""
    budget_seconds: Annotated[float, Gt(0)] | None = None
    """Instead of `trials`: how long it is tried. The training of the model comes after it."""
    metric: Annotated[str, OneOf(METRICS)] | None = None
    """What is to be best on rows held out: a metric of the report, or `loss`; `rmse` for numbers and `log_loss` for
    classes where it is not given."""
    space: Annotated[dict[str, Tried], MinLen(1), MaxLen(len(SETTINGS))] | None = None
    """What is tried, by the names of settings of `network` and `training`; what matters for the table where it is not
    given, without what is set beside it."""
