"""Networks: layers, embeddings, first weights, and the same bits for a row in any company."""

from itertools import pairwise

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array
from app.engine.initializers import INITIALIZERS
from app.engine.network import BIAS_RATE, Network
from app.models.model import tiled_outputs

EMBEDDED = Network((1 + 2 + 3, 4, 2), "tanh", "identity", bias=True, embeddings=((3, 2), (2, 3)))


def test_layers_and_embeddings_are_views_of_one_vector_for_each_member() -> None:
    """Writing to one writes to the parameters; their number is what the sizes say."""
    network = Network((2, 3, 1), "tanh", "identity", bias=True, embeddings=((2, 1),))
    parameters = np.zeros((2, network.size))

    network.layers(parameters)[1].W[1] = 7.0
    network.tables(parameters)[0][0, 1] = 5.0

    assert network.size == 2 * 3 + 3 + 3 + 1 + 2
    assert parameters.tolist() == [[0.0] * 13 + [0.0, 5.0], [0.0] * 9 + [7.0] * 3 + [0.0] * 3]
    assert network.is_weight(parameters).tolist() == [[1.0] * 6 + [0.0] * 3 + [1.0] * 3 + [0.0] + [1.0] * 2] * 2


def test_rates_fall_with_the_inputs_of_a_layer() -> None:
    """By their square root for weights, to a tenth for biases, and not for embeddings."""
    network = Network((4, 2, 1), "tanh", "identity", bias=True, embeddings=((2, 1),))
    plain = Network((4, 2, 1), "tanh", "identity", bias=False)

    rates = network.ntk_rates(np.zeros((1, network.size)))[0].tolist()

    assert rates == pytest.approx([0.5] * 8 + [BIAS_RATE] * 2 + [2**-0.5] * 2 + [BIAS_RATE] + [1.0] * 2)
    assert plain.ntk_rates(np.zeros((1, plain.size)))[0].tolist() == pytest.approx([0.5] * 8 + [2**-0.5] * 2)


def by_hand(network: Network, parameters: Array, X: Array) -> tuple[Array, Array]:
    """One member's z and a of the output layer, with the matrix product and nothing else."""
    a, z, start = X, X, 0
    for index, (fan_in, fan_out) in enumerate(pairwise(network.sizes)):
        z = a @ parameters[start : start + fan_in * fan_out].reshape(fan_in, fan_out)
        start += fan_in * fan_out
        if network.bias:
            z = z + parameters[start : start + fan_out]
            start += fan_out
        a = z.copy()
        last = index == len(network.sizes) - 2
        ACTIVATIONS[network.output if last else network.hidden].apply(a, np.empty_like(a))
    return z, a


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 4, 2)])
def test_every_member_is_the_network_of_the_textbook(sizes: tuple[int, ...], bias: bool) -> None:
    """Rows for all, rows for each, and rows in tiles, give each member's answers."""
    rng = np.random.default_rng(1)
    network = Network(sizes, "tanh", "sigmoid", bias)
    parameters, X = rng.standard_normal((2, network.size)), rng.standard_normal((6, 3))
    wanted = [by_hand(network, own, X) for own in parameters]

    alike = network.outputs(parameters, X)
    each = network.outputs(parameters, np.stack((X, X)))
    tiled = network.outputs(parameters, X.reshape(3, 1, 2, 3))

    for part in range(2):
        for member in range(2):
            np.testing.assert_allclose(alike[part][member], wanted[member][part], rtol=1e-12)
            np.testing.assert_allclose(each[part][member], wanted[member][part], rtol=1e-12)
            np.testing.assert_allclose(tiled[part][:, member].reshape(6, 2), wanted[member][part], rtol=1e-12)


def test_codes_stand_for_their_vectors() -> None:
    """Behind the other inputs, in their order, for each member its own."""
    rng = np.random.default_rng(2)
    parameters = rng.standard_normal((2, EMBEDDED.size))
    first, second = EMBEDDED.tables(parameters)
    X = np.array([[0.5, 2.0, 1.0], [-0.5, 0.0, 0.0]])
    wanted = np.array([[[x, *first[m, int(a)], *second[m, int(b)]] for x, a, b in X] for m in range(2)])

    np.testing.assert_array_equal(EMBEDDED.enter(parameters, X), wanted)
    np.testing.assert_array_equal(EMBEDDED.enter(parameters, np.stack((X, X[::-1]))), [wanted[0], wanted[1, ::-1]])
    tiles = EMBEDDED.enter(parameters, X.reshape(2, 1, 1, 3))
    np.testing.assert_array_equal(tiles[:, :, 0], wanted.swapaxes(0, 1))
    assert Network((3, 1), "tanh", "identity", bias=True).enter(parameters, X) is X


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("normal", 1.0), ("glorot", 50**-0.5 / 1.5**0.5 / 1), ("he", 50**-0.5), ("lecun", 0.1), ("data", 0.1)],
)
def test_initializers_draw_as_wide_as_their_papers_say(name: str, deviation: float) -> None:
    """A layer from 100 to 50 units; biases start at 0, but for those of units that bend at rows."""
    rng = np.random.default_rng(0)
    network = Network((100, 50, 1), "tanh", "identity", bias=True)
    rows = rng.standard_normal((3, 100))

    first, second = network.layers(network.initialize(name, 3, rng, rows))

    assert first.W.std() == pytest.approx(deviation, rel=0.03)
    assert second.W.std() == pytest.approx(
        {"normal": 1.0, "glorot": (2 / 51) ** 0.5, "he": 0.2}.get(name, 50**-0.5), rel=0.2
    )
    assert first.b is not None
    assert second.b is not None
    assert first.b.any() == (name == "data")
    assert not second.b.any()
    assert len(INITIALIZERS) == 5


def test_members_start_one_after_the_other_from_one_stream() -> None:
    """The first of several is what it would be alone; the second is another."""
    X = np.random.default_rng(3).standard_normal((4, 1 + 2))
    X[:, 1:] = 0.0

    one, two = (EMBEDDED.initialize("glorot", members, np.random.default_rng(0), X) for members in (1, 2))

    assert two[0].tobytes() == one[0].tobytes()
    assert two[1].tobytes() != two[0].tobytes()


def test_vectors_of_codes_are_drawn_and_no_level_is_nothing() -> None:
    """Code 0, which no row of the training has, starts at 0."""
    parameters = EMBEDDED.initialize("glorot", 2, np.random.default_rng(0), np.zeros((1, 3)))

    for table in EMBEDDED.tables(parameters):
        assert not table[:, 0].any()
        assert table[:, 1:].all()


def test_units_of_the_first_layer_bend_at_rows() -> None:
    """With the initializer data each of them, for each member, is 0 at one of the rows, and not always the same."""
    rng = np.random.default_rng(4)
    X: Array = np.concatenate(
        (rng.standard_normal((30, 1)), rng.integers(0, 3, (30, 1)), rng.integers(0, 2, (30, 1))), axis=1
    )
    parameters = EMBEDDED.initialize("data", 3, rng, X)
    first = EMBEDDED.layers(parameters)[0]
    assert first.b is not None

    distance = np.abs(EMBEDDED.enter(parameters, X) @ first.W + first.b)

    assert (distance.min(axis=1) < 1e-12).all()
    assert len(set(distance.argmin(axis=1).ravel().tolist())) > 3
    bare = Network((3, 4, 1), "tanh", "identity", bias=False)
    assert np.isfinite(bare.initialize("data", 1, rng, X)).all()


@pytest.mark.parametrize(
    ("sizes", "members", "dtype"),
    [
        ((2, 3, 1), 1, np.float64),
        ((7, 33, 5), 1, np.float64),
        ((30, 64, 64, 3), 8, np.float32),
        ((1, 1), 2, np.float64),
        ((3, 20_000, 2), 1, np.float32),
    ],
)
@pytest.mark.parametrize("activation", ["silu", "tanh", "softplus"])
def test_a_row_answers_the_same_bits_alone_and_in_any_batch(
    sizes: tuple[int, ...], members: int, dtype: type, activation: str
) -> None:
    """For batches of 1 to 257 rows, anywhere in the table, in one block or several."""
    rng = np.random.default_rng(sizes[1])
    network = Network(sizes, activation, "softmax" if sizes[-1] > 1 else "identity", bias=True)
    X: Array = rng.standard_normal((257, sizes[0])).astype(dtype)
    parameters: Array = network.initialize("glorot", members, rng, X).astype(dtype)
    a = tiled_outputs(network, parameters, X.astype(np.float64))

    for count in (*range(1, 258, 1 if sizes[1] < 50 else 16), 257):
        start = int(rng.integers(0, 258 - count))
        rows = slice(start, start + count)
        assert tiled_outputs(network, parameters, X[rows].astype(np.float64)).tobytes() == a[:, rows].tobytes()

    plain = network.outputs(parameters, X)[1]
    np.testing.assert_allclose(
        a, plain, rtol=1e-9 if dtype is np.float64 else 1e-3, atol=1e-3 if dtype is np.float32 else 1e-9
    )
