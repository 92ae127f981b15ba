"""Ensembles: several networks that learn from the same rows, each with another part of them held out.

What a member has not seen judges it: when to stop, which weights to keep, and how good the answers will be.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, HeldOut, Index, Indices, Outputs, Randomness, Vector

Known: TypeAlias = npt.NDArray[np.bool_]


class Folds(NamedTuple):
    """Which rows each member learns from and which judge it, in their old order; equally many for all members."""

    learnt: Indices
    judged: HeldOut

    def among(self, judges: Index, rows: int) -> "Folds":
        """Take these for folds of the `judges` alone, of so many rows: all others are learnt by everybody."""
        return _judged_by(judges[self.judged], rows)


def deal(strata: Vector, members: int, held_out: int, rng: Randomness) -> Folds:
    """Hold out so many rows for each member, evenly over the strata (a class, or the size of a target).

    Members hold out rows in turn, so that none is held out twice before all were once.
    """
    rows = len(strata)
    if not held_out:
        return Folds(np.tile(np.arange(rows), (members, 1)), np.empty((members, 0), dtype=np.intp))
    shuffled = rng.permutation(rows)
    ranked = shuffled[np.argsort(strata[shuffled], kind="stable")]
    neighbours = np.arange(rows) * held_out // rows  # one of whom is held out; which one, chance decides
    ranked = ranked[np.lexsort((rng.permutation(rows), neighbours))]
    turns = (np.arange(members)[:, np.newaxis] + 0.5) / members
    places = (np.arange(held_out) + turns) * (rows / held_out)
    return _judged_by(np.sort(ranked[places.astype(np.intp)], axis=1), rows)


def _judged_by(judged: HeldOut, rows: int) -> Folds:
    """Let some of so many rows judge each member, which learns from all others."""
    is_learnt = np.ones((len(judged), rows), dtype=bool)
    np.put_along_axis(is_learnt, judged, values=False, axis=1)
    return Folds(is_learnt.nonzero()[1].reshape(len(judged), -1), judged)


def learnt_copies(copies: Index, folds: Folds) -> Known:
    """Tell which rows judged somebody who had learnt a copy of them.

    Where members learn from rows that are not at hand, one with a copy at hand may have others there.
    """
    found = np.zeros(len(copies), dtype=bool)
    if (copies == np.arange(len(copies))).all():  # there are none, and nobody learns a row twice
        return found
    for learnt, judged in zip(*folds, strict=True):
        times = np.bincount(copies[learnt], minlength=len(copies))
        found[judged] |= times[copies[judged]] > np.isin(judged, learnt)
    return found


def all_judge(rows: int, members: int) -> Folds:
    """Judge every member by all rows; as none of them is learnt from, they also say what each has come to."""
    return Folds(*np.tile(np.arange(rows), (2, members, 1)))


def unseen(scores: Outputs, judged: HeldOut) -> tuple[Array, Index]:
    """Average each row's answers, shape (members, samples, answers), over the members that it was held out from.

    Gives them with the rows that were held out at all.
    """
    total = np.zeros(scores.shape[1:])
    times = np.zeros(scores.shape[1])
    for member, rows in enumerate(judged):
        total[rows] += scores[member, rows]
        times[rows] += 1
    rows = np.flatnonzero(times)
    return total[rows] / times[rows, np.newaxis], rows
