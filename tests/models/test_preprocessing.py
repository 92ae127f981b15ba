"""Preprocessing: from the user's columns to the network's inputs, and back."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.engine.arrays import Array
from app.models.preprocessing import EMBEDDING_WIDTH, SCALERS, Encoder, Scaler, Scaling, encode_labels
from app.models.table import UNSEEN, Column
from tests.models.tables import columns as numbers

FINITE = st.floats(-1e6, 1e6)
TABLES = arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=FINITE)

COLUMNS = (
    Column("many", ("a", "b", "c", "d")),
    Column("three", ("x", "y", "z")),
    Column("number"),
    Column("pair", (False, True)),
    Column("sometimes"),
)
X = np.array(
    [
        [0.0, 0.0, -2.0, 0.0, 5.0],
        [1.0, 1.0, 0.0, 1.0, np.nan],
        [2.0, 2.0, 1.0, np.nan, 9.0],
        [3.0, np.nan, 2.0, 1.0, 7.0],
    ]
)
MIXED = Scaling(features="maximum", one_hot=3)


@pytest.mark.parametrize("scaler", SCALERS)
@given(table=TABLES)
@example(table=np.array([[1.0], [2.2e-309], [0.0], [0.0], [0.0]]))
@example(table=np.array([[0.1]] * 7))
def test_scaling_there_and_back_changes_nothing(scaler: str, table: Array) -> None:
    """What goes in scaled comes out as it was, for constant columns too."""
    fitted = Scaler.fit(scaler, table)

    back = fitted.scale_out(fitted.scale_in(table))

    np.testing.assert_allclose(back, table, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(table).max()))


def test_scalers_do_what_their_names_say() -> None:
    """One column, each scaler."""
    column = np.array([[0.0], [1.0], [2.0], [3.0], [14.0]])

    scaled = {name: Scaler.fit(name, column).scale_in(column)[:, 0] for name in SCALERS}

    np.testing.assert_allclose(scaled["maximum"], column[:, 0] / 14)
    np.testing.assert_allclose(scaled["standard"], (column[:, 0] - 4) / np.sqrt(26))
    np.testing.assert_allclose(scaled["minmax"], column[:, 0] / 14)
    np.testing.assert_allclose(scaled["robust"], (column[:, 0] - 2) / 2)


def test_scaling_of_a_constant_column_keeps_its_scale() -> None:
    """The mean of equal numbers may be rounded; that is no spread to divide by."""
    for name in ("standard", "minmax", "robust"):
        assert Scaler.fit(name, np.full((7, 1), 0.1)).scale.tolist() == [1.0]


def test_scaling_by_the_maximum_knows_negative_numbers() -> None:
    """The largest size counts, not the largest number."""
    assert Scaler.fit("maximum", np.array([[-4.0], [2.0]])).scale.tolist() == [4.0]


@pytest.mark.parametrize("spread", [0.0, 1e-12])
def test_robust_scaling_survives_a_column_that_is_mostly_one_value(spread: float) -> None:
    """Where the quartiles as good as coincide, the range is the scale."""
    column = np.array([[0.0], [0.0], [spread], [spread], [8.0]])

    assert Scaler.fit("robust", column).scale == pytest.approx([8.0])


def test_inputs_come_in_their_order() -> None:
    """Numbers, what is missing by column, pairs, levels, codes: each row as it is written down here."""
    encoder = Encoder.fit(COLUMNS, X, MIXED)

    features = encoder.encode(X)

    assert features.tolist() == [
        [-1.0, 5 / 9, 0, 0, 0, -1, 1, 0, 0, 1],
        [0.0, 7 / 9, 0, 0, 1, 1, 0, 1, 0, 2],
        [0.5, 9 / 9, 0, 1, 0, 0, 0, 0, 1, 3],
        [1.0, 7 / 9, 1, 0, 0, 1, 0, 0, 0, 4],
    ]
    assert encoder.dense == 9
    assert encoder.embeddings == ((5, EMBEDDING_WIDTH),)


def test_what_was_not_there_in_training_is_no_level() -> None:
    """Unseen levels are 0 everywhere, as missing ones are; a column that was never missing has no input to say so."""
    encoder = Encoder.fit(COLUMNS, X, MIXED)
    row = np.array([[UNSEEN, UNSEEN, 1.0, UNSEEN, 7.0], [np.nan, np.nan, np.nan, np.nan, np.nan]])

    features = encoder.encode(row)

    assert features.tolist() == [
        [0.5, 7 / 9, 0, 0, 0, 0, 0, 0, 0, 0],
        [0.0, 7 / 9, 1, 1, 1, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("one_hot", [0, 1, 2, 3, 4])
def test_every_category_becomes_an_input_or_a_code(one_hot: int) -> None:
    """Up to `one_hot` levels are inputs; two levels, or one, are never worth an embedding."""
    columns = tuple(Column(str(levels), tuple(range(levels))) for levels in (1, 2, 3, 4))
    table = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 2.0, 3.0]])

    encoder = Encoder.fit(columns, table, Scaling(features="standard", one_hot=one_hot))

    codes = [codes for codes, _ in encoder.embeddings]
    assert codes == [levels + 1 for levels in (3, 4) if levels > one_hot]
    assert encoder.dense == 1 + 1 + sum(levels for levels in (3, 4) if levels <= one_hot)
    assert encoder.encode(table).shape == (4, encoder.dense + len(codes))


def test_extremes_are_clipped_smoothly() -> None:
    """X / √(1 + (x / clip)²): small numbers stay, huge ones end at the clip; order is kept."""
    column = np.array([[-1.0], [0.0], [1.0]])
    encoder = Encoder.fit(numbers("a"), column, Scaling(features="maximum", clip=3.0))

    features = encoder.encode(np.array([[0.01], [4.0], [-1e9]]))[:, 0]

    np.testing.assert_allclose(features, [0.01 / np.sqrt(1 + 1e-4 / 9), 2.4, -3.0], rtol=1e-9)


def test_nothing_is_too_extreme_to_be_clipped() -> None:
    """The largest numbers there are end at the clip too."""
    encoder = Encoder.fit(numbers("a"), np.array([[-1.0], [1.0]]), Scaling(features="maximum", clip=3.0))

    assert encoder.encode(np.array([[-1e200], [1e300]]))[:, 0].tolist() == pytest.approx([-3.0, 3.0])


def test_bins_have_equally_many_rows_and_run_from_minus_one_to_one() -> None:
    """Four bins of a column of squares: each goes up over its own quarter of the rows."""
    column = (np.arange(9.0) ** 2)[:, np.newaxis]
    encoder = Encoder.fit(numbers("a"), column, Scaling(features="maximum", bins=4))

    bins = encoder.encode(np.array([[-5.0], [0.0], [2.0], [4.0], [10.0], [64.0], [99.0]]))[:, 1:]

    assert bins.tolist() == [
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
        [0, -1, -1, -1],
        [1, -1, -1, -1],
        [1, 0, -1, -1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
    ]


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.integers(-4, 4).map(float) | st.floats(-1e3, 1e3)),
    st.integers(2, 8),
)
@example(values=np.array([0.0, 1.0, 2e-311]), bins=2)
def test_bins_rise_with_the_column(values: Array, bins: int) -> None:
    """From -1 at the lowest row to 1 at the highest, whatever rows are equal; a constant column has none."""
    column = np.sort(values)[:, np.newaxis]
    encoder = Encoder.fit(numbers("a"), column, Scaling(features="maximum", bins=bins))

    found = encoder.encode(column)[:, 1:]

    assert (found[0] == -1).all()
    assert (found[-1] == 1).all()
    assert (np.diff(found, axis=0) >= 0).all()
    assert found.shape[1] <= 2 * bins + 1
    if np.ptp(values) == 0:
        assert found.shape[1] == 0
    elif len(set(values.tolist())) > 2 * bins and np.ptp(values) > 1:
        assert found.shape[1] >= 2


def test_bins_are_for_varying_columns_of_numbers_only() -> None:
    """Neither a category nor a constant has any, and each column's come together."""
    columns = (Column("kind", ("a", "b", "c")), Column("first"), Column("constant"), Column("second"))
    table = np.array([[0.0, 1.0, 7.0, 10.0], [1.0, 2.0, 7.0, 20.0], [2.0, 3.0, 7.0, 40.0]])

    encoder = Encoder.fit(columns, table, Scaling(features="maximum", bins=2))

    assert encoder.dense == 3 + 4 + 3
    assert encoder.encode(table)[1, 3:7].tolist() == [1.0, -1.0, 1.0, -1.0]
    assert encoder.encode(np.array([[0.0, 2.5, 7.0, 15.0]]))[0, 3:7].tolist() == [1.0, 0.0, 0.0, -1.0]


def test_a_column_that_is_always_missing_says_nothing() -> None:
    """Its number is 0, and only the mark that it is missing is left."""
    encoder = Encoder.fit(numbers("a"), np.full((3, 1), np.nan), Scaling(features="standard", bins=4))

    assert encoder.encode(np.array([[np.nan], [2.0]])).tolist() == [[0.0, 1.0], [2.0, 0.0]]


@given(
    arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(-1e3, 1e3) | st.just(np.nan)),
    st.lists(st.integers(-1, 3), min_size=12, max_size=12),
)
def test_a_row_is_encoded_to_the_same_bits_alone(table: Array, levels: list[int]) -> None:
    """Whatever is in the other rows, with bins, clipping and categories."""
    columns = (*numbers("a", "b"), Column("pair", (1, 2)), Column("kind", ("a", "b", "c", "d")))
    coded = np.array(levels[: len(table)])[:, np.newaxis] * 1.0
    rows = np.concatenate((table, np.minimum(coded, 1.0), coded), axis=1)
    encoder = Encoder.fit(columns, rows, Scaling(features="robust", bins=3, clip=3.0))

    together = encoder.encode(rows)

    for index, features in enumerate(together):
        assert encoder.encode(rows[index : index + 1]).tobytes() == features.tobytes()


def test_rows_outside_the_trained_ranges_are_known() -> None:
    """The edges are inside; a missing value is, where some were missing in training; an unseen level is not."""
    encoder = Encoder.fit(COLUMNS, X, MIXED)
    inside = [1.0, 1.0, 2.0, 1.0, 5.0]
    rows = np.array([inside] * 6)
    rows[1, 2], rows[2, 4], rows[3, 0], rows[4, 4], rows[5, 2] = 2.1, 4.9, UNSEEN, np.nan, np.nan

    assert encoder.in_range(rows).tolist() == [True, False, False, False, True, False]


def test_levels_stand_at_their_positions() -> None:
    """In the order in which they are listed; a column of numbers has none."""
    assert Column("kind", ("b", "a", 7)).positions == {"b": 0.0, "a": 1.0, 7: 2.0}
    assert Column("number").positions == {}


def test_labels_become_one_column_or_one_each() -> None:
    """Two labels fit in one column; any number in one-hot rows."""
    np.testing.assert_array_equal(encode_labels(["b", "a"], ["a", "b"], one_column=True), [[1.0], [0.0]])
    np.testing.assert_array_equal(encode_labels(["b", "a"], ["a", "b"], one_column=False), [[0.0, 1.0], [1.0, 0.0]])
