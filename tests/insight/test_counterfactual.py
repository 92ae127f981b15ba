"""Counterfactuals: the nearest row that is answered as somebody wants, and what moves answers most."""

import tracemalloc

import numpy as np
import pytest

from app.insight.counterfactual import Wish, nearest
from app.insight.explain import importance
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.tables import EXAM, blobs, columns, ensemble, mixed, recipe, saddle


def plane(slopes: tuple[float, ...]) -> TrainingRows:
    """Learn a plane over columns from -1 to 1."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (80, len(slopes)))
    X[:2] = [[-1] * len(slopes), [1] * len(slopes)]
    return TrainingRows(columns(*(f"x{n}" for n in range(len(slopes)))), ("y",), X, (X @ np.array(slopes))[:, None])


def test_on_a_plane_it_is_the_foot_of_the_perpendicular() -> None:
    """Known in closed form, in units of each column's deviation."""
    rows = plane((1.0, 2.0))
    model = learn(rows, recipe(hidden=(), optimizer="lbfgs", epochs=200, l2=0.0))
    start, unit = np.array([-0.2, -0.1]), model.neighbours.scale

    found = nearest(model, start, Wish(0, 0.8))

    assert found is not None
    slope = np.array([1.0, 2.0]) * unit
    foot = start + unit * slope * (0.8 - start @ [1.0, 2.0]) / (slope @ slope)
    np.testing.assert_allclose(found.row, foot, atol=1e-4)
    away = np.linalg.norm((foot - start) / unit) / model.neighbours.near
    assert found.distance == pytest.approx(away, rel=1e-4)


@pytest.mark.parametrize("wanted", [87.0, 90.0, 91.9])
def test_the_answer_is_what_was_wanted_and_the_row_within_the_table(wanted: float) -> None:
    """Whatever was asked about, even what lies outside."""
    model = learn(EXAM, Recipe())
    for row in ([1.0, 5.0], [4.0, 8.0], [2.0, 9.0]):
        found = nearest(model, np.array(row), Wish(0, wanted))

        assert found is not None
        assert model.scores(found.row[None])[0, 0] == pytest.approx(wanted, abs=1e-4)
        assert model.encoder.in_range(found.row[None]).all()


def test_no_row_on_a_grid_is_nearer() -> None:
    """All rows of a fine grid that are answered as wanted, or beyond, are as far or farther."""
    model = learn(saddle(), ensemble(epochs=40, precision="float64"))
    ends = np.linspace(-0.97, 0.97, 120)
    grid = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2)
    scores = model.scores(grid)[:, 0]
    for start in ([0.5, 0.5], [-0.7, 0.2], [0.9, -0.9]):
        row = np.array(start)
        wanted = 0.5 * float(model.scores(row[None])[0, 0])
        found = nearest(model, row, Wish(0, wanted))
        assert found is not None
        there = grid[(scores <= wanted) == (model.scores(row[None])[0, 0] > wanted)]
        distances = np.linalg.norm((there - row) / model.neighbours.scale, axis=1) / model.neighbours.near
        assert found.distance <= distances.min() * 1.02


def test_a_label_is_reached_as_soon_as_it_is_the_likeliest() -> None:
    """The nearest row of another class lies on the border between both."""
    rows = blobs(3, 150)
    model = learn(rows, ensemble(epochs=30))
    for row in rows.X[:6]:
        answer = int(model.scores(row[None]).argmax())
        wanted = (answer + 1) % 3
        found = nearest(model, row, Wish(wanted, None))

        assert found is not None
        scores = model.scores(found.row[None])[0]
        assert scores.argmax() == wanted
        assert scores[wanted] - scores[answer] < 0.05


def test_what_is_answered_so_already_stays_as_it_is() -> None:
    """Distance 0."""
    rows = blobs(2)
    model = learn(rows, recipe(epochs=50))
    answer = int(model.scores(rows.X[:1]).argmax())

    found = nearest(model, rows.X[0], Wish(answer, None))

    assert found is not None
    assert (found.row.tolist(), found.distance) == (rows.X[0].tolist(), 0.0)


def test_fixed_columns_and_missing_values_stay() -> None:
    """To the last bit; a category is only another of its levels."""
    rows = mixed(120)
    model = learn(rows, ensemble(epochs=40))
    for row in rows.X[:10]:
        for fixed in ((), (3,), (0, 1)):
            found = nearest(model, row, Wish(0, 2.5), fixed)
            if found is None:
                continue
            assert all(found.row[column] == row[column] for column in fixed if not np.isnan(row[column]))
            assert np.isnan(found.row[0]) == np.isnan(row[0])
            assert found.row[3] in range(9)
            assert model.scores(found.row[None])[0, 0] == pytest.approx(2.5, abs=1e-4)


def test_a_category_changes_where_a_number_cannot() -> None:
    """With the number fixed and an answer that another level has, that level is found."""
    rows = mixed(120)
    model = learn(rows, ensemble(epochs=40))
    row = rows.X[1]
    others = np.tile(row, (3, 1))
    others[:, 2] = [0, 1, 2]
    wanted = next(float(score) for level, score in enumerate(model.scores(others)[:, 0]) if level != row[2])

    found = nearest(model, row, Wish(0, wanted), fixed=(0, 1, 3))

    assert found is not None
    assert found.row[2] != row[2]


def test_what_no_row_is_answered_with_is_not_found() -> None:
    """Beyond all answers within the table, and where nothing may change."""
    model = learn(EXAM, Recipe())

    assert nearest(model, np.array([1.0, 5.0]), Wish(0, 1000.0)) is None
    assert nearest(model, np.array([1.0, 5.0]), Wish(0, 90.0), fixed=(0, 1)) is None


def test_many_columns_take_no_more_memory_than_few_at_a_time() -> None:
    """Rows to try are made some columns after others."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (12, 1500))
    names = columns(*(f"x{n}" for n in range(1500)))
    model = learn(TrainingRows(names, ("y",), X, X[:, :1]), recipe(hidden=(2,), epochs=2))
    wanted = float(model.scores(X).mean())
    tracemalloc.start()

    found = nearest(model, X[0], Wish(0, wanted))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert peak < 200 * 2**20


def test_columns_that_move_answers_more_are_more_important() -> None:
    """By as much as they move them; one that does nothing hardly is; two that are one group have one share."""
    rows = plane((3.0, 1.0, 0.0))
    model = learn(rows, recipe(hidden=(), optimizer="lbfgs", epochs=200, l2=0.0))

    three, one, nothing = importance(model, [[0], [1], [2]])

    assert three / one == pytest.approx(3.0, rel=0.2)
    assert nothing < 0.01 * one
    assert importance(model, [[0, 1, 2]]).shape == (1,)
