"""Ensembles: which rows each member learns from, and what judges them together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.arrays import Array
from app.models.ensemble import all_judge, deal, learnt_copies, unseen


@given(rows=st.integers(2, 60), members=st.integers(1, 9), share=st.floats(0.01, 0.9), seed=st.integers(0, 99))
def test_every_row_is_held_out_once_before_any_is_twice(rows: int, members: int, share: float, seed: int) -> None:
    """Members hold out equally many rows, learn from all others in their old order, and take turns."""
    held_out = min(max(1, round(rows * share)), rows - 1)
    rng = np.random.default_rng(seed)

    folds = deal(rng.integers(0, 3, rows) * 1.0, members, held_out, rng)

    assert folds.judged.shape == (members, held_out)
    assert folds.learnt.shape == (members, rows - held_out)
    for learnt, judged in zip(folds.learnt, folds.judged, strict=True):
        assert sorted([*learnt, *judged]) == list(range(rows))
        assert sorted(learnt) == learnt.tolist()
        assert sorted(judged) == judged.tolist()
    times = np.bincount(folds.judged.ravel(), minlength=rows)
    assert times.max() - times.min() <= 1


def test_without_rows_held_out_members_learn_from_all() -> None:
    """And nothing is drawn."""
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)

    folds = deal(np.arange(4.0), 3, 0, rng)

    assert folds.learnt.tolist() == [[0, 1, 2, 3]] * 3
    assert folds.judged.shape == (3, 0)
    assert rng.uniform() == untouched.uniform()


@pytest.mark.parametrize("seed", range(5))
def test_strata_are_held_out_evenly(seed: int) -> None:
    """Of a class with a quarter of the rows, each member holds out a quarter; sizes of a target are spread alike."""
    strata = np.repeat([0.0, 1.0], [60, 20])

    classes = deal(strata, 4, 20, np.random.default_rng(seed)).judged
    sizes = deal(np.arange(80.0), 4, 20, np.random.default_rng(seed)).judged

    assert [int((strata[judged] == 1).sum()) for judged in classes] == [5] * 4
    for judged in sizes:
        assert np.diff(judged).max() <= 7


@pytest.mark.parametrize("held_out", [9, 30, 45, 70])
def test_strata_are_held_out_evenly_for_any_share(held_out: int) -> None:
    """Also where the rows are no multiple of what is held out, members hold out nearly the same share of a class."""
    strata = np.repeat([0.0, 1.0], [70, 30])

    for seed in range(5):
        for judged in deal(strata, 3, held_out, np.random.default_rng(seed)).judged:
            assert (strata[judged] == 1).sum() == pytest.approx(0.3 * held_out, abs=5)
        averages = [judged.mean() for judged in deal(np.arange(100.0), 3, held_out, np.random.default_rng(seed)).judged]
        assert averages == pytest.approx([49.5] * 3, abs=6)


def test_rows_are_copies_only_of_others() -> None:
    """Where members learn from rows that are not at hand, those at hand that have no copy count."""
    assert learnt_copies(np.array([0, 1, 1, 2]), all_judge(4, 3)).tolist() == [False, True, True, False]


@pytest.mark.parametrize("strata", [np.zeros(30), np.arange(30.0)], ids=["equal", "numbers"])
def test_who_is_held_out_follows_the_seed(strata: Array) -> None:
    """Rows of one stratum, and neighbours, are dealt at random, not in their order."""
    first, again, other = (deal(strata, 3, 10, np.random.default_rng(seed)).judged for seed in (1, 1, 2))

    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_row_is_answered_by_the_members_that_have_not_seen_it() -> None:
    """By their mean where there are several; rows that all have seen are left out."""
    scores = np.arange(2 * 4 * 2).reshape(2, 4, 2) * 1.0

    answers, rows = unseen(scores, np.array([[0, 2], [2, 3]]))

    assert rows.tolist() == [0, 2, 3]
    assert answers.tolist() == [scores[0, 0].tolist(), scores[:, 2].mean(axis=0).tolist(), scores[1, 3].tolist()]
