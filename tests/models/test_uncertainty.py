"""Uncertainty: intervals and sets that truth is in as often as they say, and temperatures that are worth having."""

from dataclasses import replace

import numpy as np
import pytest

from app.engine.arrays import Scores
from app.insight.trust import intervals, sets, why_no_interval
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.models.uncertainty import MOST_MISSES, Misses, label_sets, rows_needed, temperature_of
from tests.models.tables import EXAM, columns, ensemble, recipe, saddle, wave


def noisy(rows: int, seed: int, *, growing: bool = False) -> tuple[Scores, Scores]:
    """Answers from 0 to 10, and truths around them, the farther off the larger they are if they are to."""
    rng = np.random.default_rng(seed)
    answers = rng.uniform(0, 10, (rows, 1))
    return answers, answers + rng.standard_normal((rows, 1)) * (0.1 + answers if growing else 1.0)


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("rows", [20, 200, 5000])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_truth_is_in_the_interval_as_often_as_it_says(*, rows: int, level: float, growing: bool) -> None:
    """On average over tables of few rows and of many, whatever the noise is like."""
    covered = []
    for seed in range(200 if rows < 1000 else 5):
        misses = Misses.of_numbers(*noisy(rows, seed, growing=growing))
        answers, truth = noisy(500, seed + 1000, growing=growing)
        bound = misses.bound(level)
        assert bound is not None
        covered.append(np.mean(np.abs(answers - truth) <= misses.margins(answers, bound)))

    assert level - 0.02 <= np.mean(covered) <= level + 0.06


def test_where_answers_are_off_more_intervals_are_wider() -> None:
    """As wide as the noise there, and everywhere the same where the noise is."""
    ends = np.array([[1.0], [9.0]])
    growing, even = (Misses.of_numbers(*noisy(2000, 0, growing=growing)) for growing in (True, False))

    narrow, wide = growing.margins(ends, np.ones(1))[:, 0]
    same = even.margins(ends, np.ones(1))[:, 0]

    assert wide / narrow == pytest.approx(9.1 / 1.1, rel=0.2)
    assert same[1] / same[0] == pytest.approx(1.0, rel=0.1)


def test_answers_that_tell_nothing_of_their_misses_are_taken_alike() -> None:
    """A few rows of even noise would seem to differ by chance: then one width is for all."""
    answers, truth = noisy(30, 3)

    usual = Misses.of_numbers(answers, truth).usual

    assert np.unique(usual).size == 1


def test_members_that_nothing_was_chosen_by_are_better_together() -> None:
    """By what they differ: the interval of all is narrower, but never less than half as wide."""
    answers, truth = noisy(500, 0)
    alone = Misses.of_numbers(answers, truth)

    together = Misses.of_numbers(answers, truth, np.full_like(answers, 0.5))
    at_most = Misses.of_numbers(answers, truth, np.full_like(answers, 99.0))

    assert np.mean(together.usual / alone.usual) == pytest.approx(0.5**0.5, abs=0.05)
    assert at_most.usual == pytest.approx(alone.usual / 2)


def test_answers_that_are_never_off_have_intervals_without_width() -> None:
    """Zero misses are no division by zero."""
    answers = np.arange(12.0)[:, np.newaxis]

    misses = Misses.of_numbers(answers, answers, np.ones_like(answers))

    assert misses.bound(0.9) == 0.0
    assert np.isfinite(misses.usual).all()
    assert (misses.usual > 0).all()


def test_answers_that_are_all_the_same_have_one_width() -> None:
    """Knots that coincide are one."""
    answers, truth = np.zeros((50, 1)), np.random.default_rng(0).standard_normal((50, 1))
    misses = Misses.of_numbers(answers, truth)

    margins = misses.margins(np.array([[-1.0], [0.0], [1.0]]), np.ones(1))

    assert np.isfinite(margins).all()
    assert (margins > 0).all()


def test_nine_rows_are_enough_for_nine_in_ten() -> None:
    """The largest miss of nine bounds a tenth; of eight, none does."""
    nine, eight = (Misses.of_classes(np.linspace(0.1, 0.9, rows)[:, None], np.ones((rows, 1))) for rows in (9, 8))

    assert nine.bound(0.9) == nine.sizes[-1]
    assert eight.bound(0.9) is None
    assert [rows_needed(level) for level in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


def test_of_many_misses_those_kept_bound_as_many() -> None:
    """Those left out are below one that is kept, so that a bound never falls."""
    sizes = np.random.default_rng(0).exponential(size=(123_456, 1))

    misses = Misses.of_classes(1.0 - sizes / sizes.max(), np.ones_like(sizes))

    assert len(misses.sizes) == MOST_MISSES
    for level in (0.1, 0.5, 0.9, 0.99):
        bound = misses.bound(level)
        assert bound is not None
        assert level <= np.mean(sizes / sizes.max() <= bound) <= level + 0.002


def test_sets_hold_the_likeliest_label_and_all_that_cannot_be_ruled_out() -> None:
    """Above 1 less the bound."""
    kept = label_sets(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.3, 0.5]]), np.array([0.71]))

    assert kept.tolist() == [[True, True, False], [False, False, True], [False, True, True]]
    assert label_sets(np.array([[0.4, 0.35, 0.25]]), np.array([0.1])).tolist() == [[True, False, False]]


def test_truth_is_in_the_set_as_often_as_it_says() -> None:
    """Of classes that overlap."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4000, 3)) * 1.5
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > rng.uniform(size=(4000, 1))).argmax(axis=1)
    likelihood = p[np.arange(4000), truth][:, np.newaxis]
    bound = Misses.of_classes(likelihood[:2000], np.ones((2000, 1))).bound(0.9)
    assert bound is not None

    kept = label_sets(p[2000:], bound)

    assert np.mean(kept[np.arange(2000), truth[2000:]]) == pytest.approx(0.9, abs=0.02)
    assert 1.0 < kept.sum(axis=1).mean() < 3.0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_temperature_that_was_put_in_is_found(temperature: float) -> None:
    """Logits that are too large by a factor are divided by it; those that are right stay, to the last bit."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((3000, 4)) * 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    truth = np.eye(4)[(p.cumsum(axis=1) > rng.uniform(size=(3000, 1))).argmax(axis=1)]

    found = temperature_of(z * temperature, truth)

    assert found == (1.0 if temperature == 1.0 else pytest.approx(temperature, rel=0.1))


def test_a_network_that_is_too_sure_learns_to_be_less() -> None:
    """Of rows that it has learnt by heart it is not so sure any more, and answers the same labels as before."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 10))
    y = tuple("yes" if truth else "no" for truth in X[:, 0] + rng.standard_normal(200) > 0)
    names = columns(*(f"x{number}" for number in range(10)))

    model = learn(TrainingRows(names, ("y",), X, y), recipe(epochs=300, validation=0.3, keep_best=False))

    sure = replace(model, temperature=1.0).scores(X)
    assert model.temperature > 2
    assert (model.scores(X).argmax(axis=1) == sure.argmax(axis=1)).all()
    assert (model.report.metrics["validation"]["log_loss"] or 9.9) < 1.0
    assert model.scores(X).max(axis=1).mean() < sure.max(axis=1).mean() - 0.01


def test_three_rows_tell_nothing_and_are_said_to() -> None:
    """No interval, and what it would take."""
    model = learn(EXAM, recipe(epochs=5))

    assert intervals(model, EXAM.X, 0.9) is None
    assert "9 rows" in why_no_interval(model, 0.9)
    assert "there are 0" in why_no_interval(model, 0.9)


def test_intervals_are_wider_the_farther_from_all_rows() -> None:
    """Beyond them each member's answer is inside."""
    model = learn(saddle(noise=0.1), ensemble(epochs=20))
    away = np.array([[0.0, 0.0], [2.0, 2.0], [5.0, 5.0], [50.0, 50.0]])

    ends = intervals(model, away, 0.9)

    assert ends is not None
    widths = (ends[..., 1] - ends[..., 0])[:, 0]
    assert (np.diff(widths) > 0).all()
    members = model.member_scores(away)[..., 0]
    assert (ends[1:, 0, 0] <= members.min(axis=0)[1:]).all()
    assert (ends[1:, 0, 1] >= members.max(axis=0)[1:]).all()


def test_no_interval_reaches_what_cannot_be_answered() -> None:
    """A sigmoid's answers lie between the least and the largest target, and so do the ends."""
    rows = wave(noise=1.0)
    how = ensemble(epochs=5)
    model = learn(rows, replace(how, network=replace(how.network, output_activation="sigmoid")))

    ends = intervals(model, rows.X * 3, 0.99)

    assert ends is not None
    assert not isinstance(rows.y, tuple)
    assert rows.y.min() - 1e-9 <= ends.min() <= ends.max() <= rows.y.max() + 1e-9


def test_an_interval_is_the_same_alone_and_among_others() -> None:
    """To the last bit, as answers are."""
    rows = saddle(noise=0.1)
    model = learn(rows, ensemble(epochs=5))

    together = intervals(model, rows.X, 0.8)

    assert together is not None
    for row in range(0, len(rows.X), 7):
        alone = intervals(model, rows.X[[row]], 0.8)
        assert alone is not None
        assert alone.tobytes() == together[[row]].tobytes()


def test_several_yes_or_no_have_a_set_each() -> None:
    """No and yes for each target, the likelier of them always."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 2))
    y = (X + 0.5 * rng.standard_normal(X.shape) > 0) * 1.0
    rows = TrainingRows(EXAM.columns, ("a", "b"), X, y, multilabel=True)
    model = learn(rows, ensemble(epochs=10))
    scores = model.scores(X)

    kept = sets(model, scores, 0.9)

    assert kept is not None
    assert kept.shape == (120, 2, 2)
    assert np.take_along_axis(kept, (scores > 0.5)[..., np.newaxis].astype(int), axis=2).all()
    truth = kept[np.arange(120)[:, None], np.arange(2), y.astype(int)]
    assert truth.mean() > 0.85


def test_rows_of_classes_are_no_copies_of_each_other() -> None:
    """Nor are those of several yes or no: new rows will have the same few levels and answers."""
    X, yes = np.zeros((8, 1)), np.ones((8, 2))
    several = TrainingRows(columns("a"), ("b", "c"), X, yes, multilabel=True)

    assert TrainingRows(columns("a"), ("b",), X, ("x",) * 8).copies.tolist() == list(range(8))
    assert several.copies.tolist() == list(range(8))
    assert replace(several, multilabel=False).copies.tolist() == [0] * 8


def test_copies_of_a_single_network_are_counted_whether_or_not_they_judge_it() -> None:
    """What is told is how many rows of the table are there more than once."""
    half = saddle(40).part(np.r_[np.arange(40), np.arange(20)])

    assert "40 of 60 rows are there more than once" in learn(half, recipe(epochs=2, validation=0.25)).report.warnings[0]


def test_copies_of_rows_tell_nothing_of_new_ones() -> None:
    """Who held one out had learnt the other: with each row five times nothing is known, and metrics look too good."""
    everywhere = saddle(60, noise=0.3).part(np.repeat(np.arange(60), 5))

    model = learn(everywhere, recipe(epochs=2, members=4, validation=0.25))

    assert len(model.misses.sizes) == 0
    assert "300 of 300 rows are there more than once" in model.report.warnings[0]


def test_rows_with_other_answers_to_the_same_cells_are_no_copies() -> None:
    """Nobody knows what is true of a row by having learnt one whose answer is that of few with its cells."""
    X, y = np.array([[1, 1, 1, 2, 2, 2, 3]]).T * 1.0, np.array([[5, 5, 6, 5, 6, 7, 5]]).T * 1.0

    copies = TrainingRows(columns("a"), ("b",), X, y).copies

    assert copies[0] == copies[1]
    assert len(set(copies.tolist())) == 6


def test_a_few_copies_tell_nothing_and_many_are_warned_of() -> None:
    """Who held one out had learnt the other; the rest counts."""
    rows = saddle(60)
    few, several = (rows.part(np.r_[np.arange(60 - many), np.arange(many)]) for many in (2, 8))
    settings = recipe(epochs=20, members=4, validation=0.25)

    ever, warned = (learn(table, settings) for table in (few, several))

    assert len(ever.misses.sizes) == 56
    assert ever.report.warnings == ()
    assert len(warned.misses.sizes) == 44
    assert "16 of 60 rows are there more than once" in warned.report.warnings[0]


@pytest.mark.parametrize("constant", [3.0, 0.0, -2e6])
def test_a_target_that_never_varies_is_within_its_intervals(constant: float) -> None:
    """What is left is of rounding, and no interval is narrower than that."""
    rows = saddle(80)
    model = learn(replace(rows, y=np.full_like(rows.y, constant)), Recipe())

    ends = intervals(model, saddle(200).X, 0.9)

    assert ends is not None
    inside = (ends[..., 0] <= constant) & (constant <= ends[..., 1])
    assert inside.mean() >= 0.85
    assert (ends[..., 1] - ends[..., 0]).max() < 1e-3


@pytest.mark.parametrize("stamp", [1.7e18, 1e16, 1e100, -1e60])
def test_rows_that_differ_are_no_copies_of_each_other(stamp: float) -> None:
    """However small the column in which they do is beside another; gaps are the same in copies."""
    rows = saddle(40)
    stamps = stamp * (1 + np.arange(40)[:, np.newaxis] % 3)
    wide = TrainingRows(columns("a", "b", "t"), rows.targets, np.hstack([rows.X, stamps]), rows.y)
    gaps = replace(wide, X=np.where(np.arange(40)[:, np.newaxis] < 2, np.nan, wide.X), y=np.zeros((40, 1)))

    assert len(np.unique(wide.copies)) == 40
    assert np.flatnonzero(np.bincount(gaps.copies)[gaps.copies] > 1).tolist() == [0, 1]
