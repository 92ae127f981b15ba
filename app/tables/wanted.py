"""What may be wanted beside the answers, and the answers with it: as lists for JSON, as columns for a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from app.engine.arrays import Bounds, Cells, Scores
from app.engine.control import GoOn, go_on_for_ever
from app.insight.trust import Outside, Reasons, intervals, none_of_these, outside, sets
from app.models.model import Model
from app.models.table import Label
from app.models.uncertainty import Sets
from app.tables.answered import IN_RANGE, class_names, in_columns
from app.tables.arrow import pa, pc
from app.tables.texts import Arrow


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside the answers and whether each is in range."""

    proba: bool = False
    interval: float | None = None
    """The probability at which truth is to be within the interval, or among the labels."""
    applicability: bool = False
    abstain: bool = False

    def numbers(self, model: Model) -> int:
        """Count the numbers in the answer to a row."""
        own = max(1, len(model.labels), len(model.targets))
        return own * (1 if self.interval is None else 3) + (len(model.columns) if self.applicability else 0)


class Answered(NamedTuple):
    """Scores of some rows, whether each lies within what the model was trained on, and what was wanted beside them."""

    scores: Scores
    in_range: list[bool]
    ends: Bounds | None = None
    sets: Sets | None = None
    reasons: Reasons | None = None
    """Why a row is of none of the classes; None where it is of one."""
    distances: list[float] | None = None
    outside: list[list[Outside]] | None = None


def answer(model: Model, X: Cells, wanted: Wanted, go_on: GoOn = go_on_for_ever) -> Answered:
    """Answer rows, shape (samples, columns); raises BadTable where an answer overflows."""
    scores, encoder, level = model.scores(X, go_on), model.encoder, wanted.interval
    is_regression = model.recipe.task == "regression"
    return Answered(
        scores,
        encoder.in_range(X).tolist(),
        ends=intervals(model, X, level, go_on) if level is not None and is_regression else None,
        sets=sets(model, scores, level) if level is not None and not is_regression else None,
        reasons=none_of_these(model, X, scores, go_on) if wanted.abstain else None,
        distances=model.distances(X, go_on).tolist() if wanted.applicability else None,
        outside=[list(outside(model, row)) for row in X] if wanted.applicability else None,
    )


def joined(parts: Sequence[Answered]) -> Answered:
    """Put the answers to some rows after those to others, all with the same beside them."""
    first, *others = parts
    return first if not others else Answered(*(_joined(each) for each in zip(*parts, strict=True)))


def _joined(each: tuple[Any, ...]) -> Any:  # noqa: ANN401 - arrays, lists, or nothing
    if isinstance(each[0], np.ndarray):
        return np.concatenate(each)
    return None if each[0] is None else list(chain.from_iterable(each))


def labels_in(model: Model, kept: Sets) -> list[Any]:
    """Name the labels of each row's set; of several yes or no, false and true for each."""
    if model.labels:
        return [[label for label, is_in in zip(model.labels, row, strict=True) if is_in] for row in kept.tolist()]
    return [[_truths(each) for each in row] for row in kept.tolist()]


def _truths(kept: list[bool]) -> list[Label]:
    return [truth for truth, is_in in zip((False, True), kept, strict=True) if is_in]


def answered(model: Model, X: Cells, wanted: Wanted, go_on: GoOn = go_on_for_ever) -> Arrow:
    """Answer rows, shape (samples, columns), as a table; raises BadTable where an answer overflows.

    It has a column for each target, named like it, and `in_range`; then, as far as it is wanted, `probability_…` of
    each label, `…_lower` and `…_upper` or `…_set` (in JSON) of each target, `none_because`, and `distance`.
    """
    found = answer(model, X, wanted, go_on)
    columns = dict(zip(model.targets, map(pa.array, in_columns(model, found.scores)), strict=True))
    if found.reasons is not None:
        is_none = pa.array([reason is not None for reason in found.reasons])
        columns = {name: pc.if_else(is_none, None, column) for name, column in columns.items()}
    columns[IN_RANGE] = pa.array(found.in_range)
    for name, column in _beside(model, found, wanted):
        columns[_free(name, columns)] = column
    return pa.table(columns)


def _beside(model: Model, found: Answered, wanted: Wanted) -> Iterator[tuple[str, Arrow]]:
    """Give the columns of what is wanted."""
    if wanted.proba:
        for name, share in zip(class_names(model), found.scores.T, strict=True):
            yield f"probability_{name}", pa.array(share)
    if wanted.interval is not None and model.recipe.task == "regression":
        for index, target in enumerate(model.targets):
            for side, name in enumerate(("lower", "upper")):
                ends = None if found.ends is None else found.ends[:, index, side]
                yield f"{target}_{name}", pa.nulls(len(found.scores), pa.float64()) if ends is None else pa.array(ends)
    elif wanted.interval is not None:
        for index, target in enumerate(model.targets):
            yield f"{target}_set", pa.array(_set_texts(model, found, index), pa.string())
    if found.reasons is not None:
        yield "none_because", pa.array(found.reasons, pa.string())
    if found.distances is not None:
        yield "distance", pa.array(found.distances)


def _set_texts(model: Model, found: Answered, target: int) -> list[str | None]:
    if found.sets is None:
        return [None] * len(found.scores)
    named = labels_in(model, found.sets)
    return [to_json(labels if model.labels else labels[target]).decode() for labels in named]


def _free(name: str, taken: dict[str, Arrow]) -> str:
    """Find a name that no column has: a target may be called anything."""
    while name in taken:
        name += "_"
    return name
