"""What is asked of a model, and what it answers."""

from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Gt, Le
from pydantic import BaseModel

from app.api.schemas import LOOSE, strict
from app.tables.answered import Answer

PREDICT_EXAMPLE = {"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8}]}
HIGHEST_LEVEL = 0.999  # of so many misses at most are kept that nothing tells of more

Interval: TypeAlias = list[float]
Named: TypeAlias = float | dict[str, float]
"""A number, or one for each label or target by its name."""


class OutsideAnswer(BaseModel):
    """A column whose value lies outside what the model was trained on."""

    model_config = LOOSE

    column: str
    value: float | None = None
    """Left out for a category that was not there in training."""
    lowest: float | None = None
    """What numbers ran from and to in training."""
    highest: float | None = None


class Applicability(BaseModel):
    """Whether a model is the right one to ask about a row."""

    model_config = LOOSE

    in_range: bool
    outside: list[OutsideAnswer]
    distance: float
    """From the nearest row of a sample of those that were learnt from, where 95 of 100 of these are nearer than 1 to
    another; 0 is one of them."""


class Explanation(BaseModel):
    """What each column adds to an answer, against a row in the middle of what was trained on."""

    model_config = LOOSE

    baseline: Named
    """The answer to that row. With all contributions it is the answer; for classes, the probability of each."""
    contributions: dict[str, Named]


class PredictRequest(BaseModel):
    """Rows to answer."""

    model_config = strict(PREDICT_EXAMPLE)

    model: str | None = None
    """Which model: `exam` (its alias `live`, else its newest version), `exam/1` or `exam@champion`. Left out where the
    path names it."""
    rows: list[Any] | None = None
    """Objects by column, or lists in the order of `columns`."""
    columns: list[str] | None = None
    """Names of the columns of rows that are lists; the model's own order where it is not given."""
    X: list[Any] | None = None
    """Instead of `rows`: lists of values in the model's column order; one bare list is one row."""
    ignore_extra: bool = False
    """Whether columns that the model does not know are left out, instead of refused."""
    proba: bool = False
    """For classes: also give the probability of each (with several targets, of each being true)."""
    interval: Annotated[float, Gt(0), Le(HIGHEST_LEVEL)] | None = None
    """A probability, 0.9 say: for numbers, also give an interval that truth is in as often; for classes, the set of
    labels that it is among."""
    applicability: bool = False
    """Also say which columns lie outside what the model was trained on, and how far the row is from all that it learnt
    from."""
    abstain: bool = False
    """For classes: answer null where a row is of none of them, and say why."""
    explain: bool = False
    """Also say what each column adds to the answer (in JSON)."""
    timeout: Annotated[float, Gt(0), Le(86_400)] | None = None
    """Seconds that the answer may take; after them it is given up, as it is where nobody waits any more."""


class Predictions(BaseModel):
    """Answers in the order of the rows."""

    model_config = LOOSE

    model: str
    version: int
    predictions: list[Answer | None]
    """One entry a row: a number, a list of numbers (several targets), a label, or a list of true and false. Null where
    it abstains."""
    in_range: list[bool]
    """For each row, whether every column lies within what the model was trained on."""
    probabilities: list[dict[str, float]] | None = None
    """For each row, the probability of each label, if asked for."""
    intervals: list[Interval | list[Interval] | None] | None = None
    """For each row, the lower and the upper end; a list of such with several targets. Null where nothing tells."""
    label_sets: list[list[Any] | None] | None = None
    """For each row, the labels that cannot be ruled out; for yes or no of each target, a list of such."""
    interval_reason: str | None = None
    """Why there are no intervals or sets, if there are none."""
    none_because: list[Literal["distance", "disagreement"] | None] | None = None
    """For each row that is of none of the classes, why: it is far from all rows that were learnt from, or the networks
    do not agree."""
    applicability: list[Applicability] | None = None
    explanations: list[Explanation] | None = None
