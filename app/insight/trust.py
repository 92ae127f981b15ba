"""Trust: what an answer is worth, row by row."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array, Bounds, Cells, PerRow, Scores
from app.engine.control import GoOn, go_on_for_ever
from app.models.model import Model
from app.models.uncertainty import Sets, label_sets, rows_needed

DISTANCE, DISAGREEMENT = "distance", "disagreement"
LEAST_REACH = 1e-9
Reasons: TypeAlias = list[str | None]


class Outside(NamedTuple):
    """A value beyond what was trained on; None for a category that was not there, and what has no range."""

    column: str
    value: float | None
    lowest: float | None
    highest: float | None


def intervals(model: Model, X: Cells, level: float, go_on: GoOn = go_on_for_ever) -> Bounds | None:
    """Give the lower and the upper end, shape (samples, targets, 2), that truth is between with this probability.

    That holds for rows such as were learnt from. Beyond where any of these was, an interval is the wider the farther
    its row is from all of them, and also holds what each member answers. No end is what the network cannot answer.
    None where nothing tells: `why_no_interval` says why.
    """
    bound = model.misses.bound(level)
    if bound is None:
        return None
    answers, members = model.scores(X, go_on), model.member_scores(X, go_on)
    beyond = model.distances(X, go_on)[:, np.newaxis] / max(model.neighbours.reach, LEAST_REACH)
    with np.errstate(over="ignore"):
        margins = model.misses.margins(answers, bound) * np.maximum(beyond, 1.0)
        lower, upper = answers - margins, answers + margins
    far = beyond > 1.0
    lower = np.where(far, np.minimum(lower, members.min(axis=0)), lower)
    upper = np.where(far, np.maximum(upper, members.max(axis=0)), upper)
    low, high = _reachable(model)
    ends: Bounds = np.nan_to_num(np.stack((np.clip(lower, low, high), np.clip(upper, low, high)), axis=-1))
    return ends


def _reachable(model: Model) -> tuple[Array, Array]:
    """Give the least and the most that each target can be answered with."""
    assert model.target is not None  # noqa: S101 - only numbers have intervals
    low, high = ACTIVATIONS[model.network.output].range
    whole = np.full((1, len(model.target.center)), np.inf)
    least = -whole if low == -np.inf else model.target.scale_out(np.full_like(whole, low))
    return least, whole if high == np.inf else model.target.scale_out(np.full_like(whole, high))


def sets(model: Model, scores: Scores, level: float) -> Sets | None:
    """Tell which labels are too likely to be ruled out, shape (samples, labels), at such a probability to be right.

    For several yes or no, shape (samples, targets, 2): no, and yes. None where nothing tells.
    """
    bound = model.misses.bound(level)
    if bound is None:
        return None
    if model.labels:
        return label_sets(scores, bound)
    each = [
        label_sets(np.stack((1.0 - p, p), axis=1), limit)
        for p, limit in zip(scores.T, bound[:, np.newaxis], strict=True)
    ]
    return np.stack(each, axis=1)


def why_no_interval(model: Model, level: float) -> str:
    """Say what it takes to be sure with this probability."""
    if model.continued_from is not None:
        return f"It went on from {model.continued_from}, which may have learnt the rows that were held out since."
    needed, known = rows_needed(level), len(model.misses.sizes)
    return (
        f"To be right in {level:.4g} of all cases takes {needed} rows that a network had not learnt from; there are "
        f"{known}. Train with more rows, or hold some out (training.validation), or ask for less."
    )


def is_judged_by_new_rows(model: Model) -> bool:
    """Tell whether metrics are of rows that no network that answers has learnt from."""
    return model.report.rows_held_out > 0 and model.continued_from is None


def judged_by(model: Model) -> str:
    """Say of which rows metrics are; it stands behind their number."""
    if not model.report.rows_held_out:
        return "that were learnt from: no row was held out"
    if model.continued_from is not None:
        return f"held out this time, which {model.continued_from} may have learnt, from which this went on"
    return "that the answering networks had not learnt from"


def none_of_these(model: Model, X: Cells, scores: Scores, go_on: GoOn = go_on_for_ever) -> Reasons:
    """Say for each row why it is of none of the classes; None where it is of one.

    It is of none where it is farther from all rows that were learnt from than rows of a class are from each other, or
    where not more than half of the members agree with the answer. How sure the answer looks says nothing: a network is
    sure of much that it has never seen (Hendrycks, Gimpel 2017).
    """
    far = model.distances(X, go_on) > model.neighbours.reach
    votes = model.member_scores(X, go_on).argmax(axis=-1) == scores.argmax(axis=1)
    split = 2 * votes.sum(axis=0) <= len(votes)
    pairs = zip(far.tolist(), split.tolist(), strict=True)
    return [DISTANCE if is_far else DISAGREEMENT if is_split else None for is_far, is_split in pairs]


def outside(model: Model, row: PerRow) -> Iterator[Outside]:
    """Name the columns of a row that lie outside what was trained on."""
    encoder = model.encoder
    beyond = ~((encoder.lowest <= row) & (encoder.highest >= row)) & ~(np.isnan(row) & (encoder.missing > 0))
    for index in np.flatnonzero(beyond).tolist():
        column = model.columns[index]
        value = None if column.levels or np.isnan(row[index]) else float(row[index])
        ends = (None, None) if column.levels else (float(encoder.lowest[index]), float(encoder.highest[index]))
        yield Outside(column.name, value, *ends)
