"""Explanations: what each column of a row adds to the answer, against a row in the middle of what was trained on."""

from collections.abc import Sequence
from math import comb

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, Cells, Row, Vector
from app.engine.control import GoOn, go_on_for_ever
from app.models.model import Model

Joined = npt.NDArray[np.bool_]
"""For each set, shape (sets, groups), which groups it has."""
MOST_EXACT = 12  # columns of which all combinations are tried
MOST_ORDERS = 64  # in which more are replaced, every second one the reverse of the one before
MOST_CELLS = 2**23  # of all rows that are answered for one, where that leaves two orders at least
CELLS_AT_ONCE = 2**18
MOST_WORK = 2e10  # multiplications to know what is important
MOST_IMPORTANT, MOST_ANSWERS = 64, 2**18  # rows that tell what is important, and answers that this takes


def evaluations(columns: int) -> int:
    """Tell how many answers it takes to explain one."""
    return 2**columns if columns <= MOST_EXACT else _orders(columns) * (columns + 1)


def _orders(columns: int) -> int:
    return min(MOST_ORDERS, max(2, MOST_CELLS // (2 * columns**2) * 2))


def middle(model: Model) -> Row:
    """Give the row that others are compared with: each number in the middle of its trained range.

    A category is at its most frequent level where that is known, else at its first.
    """
    encoder = model.encoder
    row = (encoder.lowest + encoder.highest) / 2
    frequent = {source.columns[0]: source.frequent for source in model.sources}
    for index, column in enumerate(model.columns):
        if column.levels:
            most = frequent.get(column.name) or ((column.levels[0], 0),)
            row[index] = column.positions.get(most[0][0], 0.0)
    return row


def baseline(model: Model) -> Array:
    """Give the scores of that row, shape (answers,)."""
    scores: Array = model.scores(middle(model)[np.newaxis])[0]
    return scores


def contributions(model: Model, row: Row, groups: Sequence[Sequence[int]], go_on: GoOn = go_on_for_ever) -> Array:
    """Share the difference of a row's scores from those of the middle out among groups of columns.

    These are Shapley values (Shapley 1953; Štrumbelj, Kononenko 2014), exact for few groups, else averaged over some
    orders; either way they add up to the difference. Their shape is (groups, answers).
    Raises BadTable where an answer on the way overflows.
    """
    share_out = _exact if len(groups) <= MOST_EXACT else _in_orders
    return share_out(model, row, middle(model), groups, go_on)


def importance(model: Model, groups: Sequence[Sequence[int]], go_on: GoOn = go_on_for_ever) -> Vector:
    """Tell by how much each group of columns moves an answer, shape (groups,): the mean size of its contributions.

    It is over some of the rows that were learnt from, and over the answers where there are several, in the answers'
    units.
    """
    rows = model.neighbours.rows
    most = int(MOST_WORK / (evaluations(len(groups)) * model.parameters.size))
    count = max(1, min(len(rows), MOST_IMPORTANT, most, MOST_ANSWERS // evaluations(len(groups))))
    chosen = rows[np.linspace(0, len(rows) - 1, count).astype(np.intp)]
    sizes = [np.abs(contributions(model, row, groups, go_on)).mean(axis=1) for row in chosen]
    mean: Vector = np.mean(sizes, axis=0)
    return mean


def _exact(model: Model, row: Row, other: Row, groups: Sequence[Sequence[int]], go_on: GoOn) -> Array:
    """Average over all sets of other groups that a group may join, by how many orders have it join just that one."""
    count = len(groups)
    sets = np.arange(2**count)
    joined = (sets[:, np.newaxis] >> np.arange(count)) % 2 > 0
    scores = model.scores(_mixed(row, other, groups, joined), go_on)
    weights = np.array([1.0 / (count * comb(count - 1, size)) for size in range(count)])
    shares = []
    for group in range(count):
        without = sets[~joined[:, group]]
        weight = weights[joined[without].sum(axis=1)][:, np.newaxis]
        shares.append((weight * (scores[without | 1 << group] - scores[without])).sum(axis=0))
    return np.array(shares)


def _in_orders(model: Model, row: Row, other: Row, groups: Sequence[Sequence[int]], go_on: GoOn) -> Array:
    """Replace group after group, in some orders: what changes with each is its share."""
    count, rng = len(groups), np.random.default_rng(0)
    shares: Array = np.zeros((count, max(len(model.labels), len(model.targets))))
    orders = [rng.permutation(count) for _ in range(_orders(count) // 2)]
    at_once = max(1, CELLS_AT_ONCE // len(row))
    before = model.scores(other[np.newaxis])
    for order in (each for one in orders for each in (one, one[::-1])):
        mixed, last = other.copy(), before
        for start in range(0, count, at_once):
            joining = order[start : start + at_once]
            steps = np.empty((len(joining), len(row)))
            for step, group in enumerate(joining):
                mixed[groups[group]] = row[groups[group]]
                steps[step] = mixed
            scores = model.scores(steps, go_on)
            shares[joining] += np.diff(scores, axis=0, prepend=last)
            last = scores[-1:]
    return shares / (2 * len(orders))


def _mixed(row: Row, other: Row, groups: Sequence[Sequence[int]], joined: Joined) -> Cells:
    """Take the columns of some groups from a row, and those of the others from the other; one row for each set."""
    mixed: Cells = np.tile(other, (len(joined), 1))
    for group, columns in enumerate(groups):
        for column in columns:
            mixed[joined[:, group], column] = row[column]
    return mixed
