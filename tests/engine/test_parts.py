"""The small parts: activations, losses, initializers, scalers, schedules, metrics."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array
from app.engine.initializers import INITIALIZERS
from app.engine.losses import LOSSES
from app.engine.metrics import classification_metrics, regression_metrics
from app.engine.network import Network
from app.engine.preprocessing import SCALERS, Scaler, encode_labels
from app.engine.schedules import SCHEDULES, Clock

FINITE = st.floats(-1e6, 1e6)
TABLES = arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=FINITE)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_stay_finite_and_in_their_range(name: str) -> None:
    """No activation overflows for any z, and none leaves the range it promises."""
    z = np.array([[-1e300, -750.0, -1.2785], [0.0, 750.0, 1e300]])

    a = ACTIVATIONS[name].apply(z)

    assert np.isfinite(a).all()
    low, high = ACTIVATIONS[name].range
    assert a.min() >= low
    assert a.max() <= high


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", 2.0, 0.8807970779778823),
        ("tanh", 1.0, 0.7615941559557649),
        ("relu", -2.0, 0.0),
        ("relu", 2.0, 2.0),
        ("leaky_relu", -2.0, -0.02),
        ("elu", -1.0, -0.6321205588285577),
        ("silu", 1.0, 0.7310585786300049),
        ("softplus", 0.0, 0.6931471805599453),
        ("identity", -3.0, -3.0),
    ],
)
def test_activations_have_their_textbook_values(name: str, z: float, a: float) -> None:
    """Known points of each curve."""
    assert ACTIVATIONS[name].apply(np.array([[z]]))[0, 0] == pytest.approx(a, abs=1e-15)


def test_softmax_is_a_distribution() -> None:
    """Each row sums to 1, and equal inputs share equally."""
    a = ACTIVATIONS["softmax"].apply(np.array([[0.0, 0.0], [1.0, 3.0]]))

    np.testing.assert_allclose(a, [[0.5, 0.5], [0.11920292, 0.88079708]])


@pytest.mark.parametrize(
    ("name", "value"),
    [("mse", 2.5), ("quadratic", 2.5), ("mae", 1.5), ("huber", (0.5 + 1.5) / 2)],
)
def test_losses_of_numbers_have_their_textbook_values(name: str, value: float) -> None:
    """Errors of 1 and 2 on two rows."""
    a, y = np.array([[1.0], [5.0]]), np.array([[2.0], [3.0]])

    assert LOSSES[name].value(a, a, y) == pytest.approx(value)


def test_cross_entropies_have_their_textbook_values() -> None:
    """A coin toss costs ln 2; certainty in the wrong class costs its z, not infinity."""
    even, wrong = np.zeros((1, 1)), np.full((1, 1), 900.0)
    binary, categorical = LOSSES["binary_cross_entropy"], LOSSES["categorical_cross_entropy"]

    assert binary.value(even, even, np.ones((1, 1))) == pytest.approx(np.log(2))
    assert binary.value(wrong, wrong, np.zeros((1, 1))) == pytest.approx(900)
    assert categorical.value(np.zeros((1, 2)), np.zeros((1, 2)), np.eye(2)[:1]) == pytest.approx(np.log(2))
    assert categorical.value(np.array([[0.0, 900.0]]), np.zeros((1, 2)), np.eye(2)[:1]) == pytest.approx(900)


@pytest.mark.parametrize(("name", "deviation"), [("normal", 1.0), ("glorot", 0.1), ("he", 0.14142), ("lecun", 0.1)])
def test_initializers_draw_as_wide_as_their_papers_say(name: str, deviation: float) -> None:
    """A layer from 100 to 100 units; biases start at 0."""
    network = Network((100, 100, 1), "tanh", "identity", bias=True)

    first = network.layers(network.initialize(name, np.random.default_rng(0)))[0]

    assert first.W.std() == pytest.approx(deviation, rel=0.03)
    assert first.b is not None
    assert not first.b.any()
    assert name in INITIALIZERS


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


def test_robust_scaling_survives_a_column_that_is_mostly_one_value() -> None:
    """Where the quartiles coincide, the range is the scale."""
    column = np.array([[0.0], [0.0], [0.0], [0.0], [8.0]])

    assert Scaler.fit("robust", column).scale == pytest.approx([8.0])


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("constant", [1.0, 1.0, 1.0]),
        ("step", [1.0, 0.5, 0.25]),
        ("exponential", [1.0, 0.5, 0.25]),
        ("cosine", [1.0, 0.5, 0.0]),
    ],
)
def test_schedules_follow_their_curves(name: str, rates: list[float]) -> None:
    """After 0, 10 and 20 of 20 epochs, halving every 10."""
    taken = [SCHEDULES[name](1.0, 1.0, Clock(epoch, 20, 0), 0.5, 10) for epoch in (0, 10, 20)]

    assert taken == pytest.approx(rates)


def test_step_schedule_is_flat_between_its_steps() -> None:
    """Between two steps the rate stays, where the exponential one falls."""
    late = Clock(19, 20, 0)

    assert SCHEDULES["step"](1.0, 1.0, late, 0.5, 10) == 0.5
    assert SCHEDULES["exponential"](1.0, 1.0, late, 0.5, 10) < 0.3


def test_plateau_lowers_the_rate_only_where_nothing_improves() -> None:
    """Every third stalled epoch halves the current rate."""
    rates = [SCHEDULES["plateau"](1.0, 0.8, Clock(50, 100, stalled), 0.5, 3) for stalled in (0, 1, 2, 3, 4, 6)]

    assert rates == [0.8, 0.8, 0.8, 0.4, 0.8, 0.4]


def test_regression_metrics_have_their_textbook_values() -> None:
    """Errors of 1, 0 and 2; R² compares with answering the mean."""
    metrics = regression_metrics(np.array([[1.0], [2.0], [5.0]]), np.array([[0.0], [2.0], [7.0]]))

    assert metrics["mse"] == pytest.approx(5 / 3)
    assert metrics["rmse"] == pytest.approx(np.sqrt(5 / 3))
    assert metrics["mae"] == pytest.approx(1.0)
    assert metrics["r2"] == pytest.approx(1 - 5 / 26)


def test_r2_is_the_mean_over_the_outputs() -> None:
    """Each output is compared with its own mean."""
    y = np.array([[0.0, 0.0], [2.0, 100.0]])

    assert regression_metrics(y + np.array([1.0, 0.0]), y)["r2"] == pytest.approx((0 + 1) / 2)


def test_log_loss_of_certainty_in_the_wrong_class_is_finite() -> None:
    """A probability of 0 counts as 1e-15."""
    metrics = classification_metrics(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))

    assert metrics["log_loss"] == pytest.approx(-np.log(1e-15))


def test_r2_of_a_target_that_never_varies_is_unknown() -> None:
    """There is nothing to explain."""
    assert regression_metrics(np.ones((2, 1)), np.ones((2, 1)))["r2"] is None


def test_classification_metrics_have_their_textbook_values() -> None:
    """One right at 0.8, one wrong at 0.25."""
    metrics = classification_metrics(np.array([[0.8, 0.2], [0.75, 0.25]]), np.eye(2))

    assert metrics["accuracy"] == 0.5
    assert metrics["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.25)) / 2)


def test_labels_become_one_column_or_one_each() -> None:
    """Two labels fit in one column; any number in one-hot rows."""
    np.testing.assert_array_equal(encode_labels(["b", "a"], ["a", "b"], one_column=True), [[1.0], [0.0]])
    np.testing.assert_array_equal(encode_labels(["b", "a"], ["a", "b"], one_column=False), [[0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize("sizes", [(2, 3, 1), (7, 33, 5), (30, 64, 64, 3), (1, 1), (3, 20_000, 2)])
@pytest.mark.parametrize("activation", ["silu", "tanh", "softplus"])
def test_a_row_answers_the_same_bits_alone_and_in_any_batch(sizes: tuple[int, ...], activation: str) -> None:
    """For every batch size from 1 to 257, anywhere in the table, in one block or several."""
    rng = np.random.default_rng(sizes[1])
    network = Network(sizes, activation, "softmax" if sizes[-1] > 1 else "identity", bias=True)
    parameters, X = network.initialize("glorot", rng), rng.standard_normal((257, sizes[0]))
    z, a = network.outputs(parameters, X)

    for count in range(1, 258, 1 if sizes[1] < 1000 else 64):
        start = int(rng.integers(0, 258 - count))
        rows = slice(start, start + count)
        assert network.outputs(parameters, X[rows])[1].tobytes() == a[rows].tobytes()

    np.testing.assert_allclose(z, network.forward(parameters, X).z, rtol=1e-9, atol=1e-9)


def test_layers_are_views_of_one_vector() -> None:
    """Writing to a layer writes to the parameters; their number is what the sizes say."""
    network = Network((2, 3, 1), "tanh", "identity", bias=True)
    parameters = np.zeros(network.size)

    network.layers(parameters)[1].W[:] = 7.0

    assert network.size == 2 * 3 + 3 + 3 + 1
    assert parameters.tolist() == [0.0] * 9 + [7.0] * 3 + [0.0]
    assert network.is_weight.tolist() == [1.0] * 6 + [0.0] * 3 + [1.0] * 3 + [0.0]
