"""Traces: the numbers of the tutorial's steps, and derivatives that two ways agree on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.backpropagation import Backpropagation
from app.engine.losses import LOSSES
from app.insight.trace import check_gradient, name_of, trace
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.engine.test_tutorial import tutorial_model
from tests.models.letters import LETTERS
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe, wave

ONE = np.array([0])


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def test_the_tutorials_steps_are_those_of_its_program() -> None:
    """Forward, then (1) to (5) as its sixty lines compute them, but for the sign: they go up what we go down."""
    model = tutorial_model()
    W1, W2 = (layer.W[0] for layer in model.network.layers(model.parameters))
    X, y = np.array([[2 / 3, 9 / 9]]), np.array([[0.92]])

    z2 = sigmoid(X @ W1)
    o = sigmoid(z2 @ W2)
    o_error = y - o
    o_delta = o_error * o * (1 - o)
    z2_error = o_delta @ W2.T
    z2_delta = z2_error * z2 * (1 - z2)

    found = trace(model, EXAM.part(ONE), is_labelled=True)

    first, second = found.layers
    assert first.delta is not None
    assert second.delta is not None
    for ours, theirs in (
        (found.inputs[0], X),
        (first.z[0], X @ W1),
        (first.a[0], z2),
        (second.z[0], z2 @ W2),
        (second.a[0], o),
        (-second.delta[0], o_delta),
        (-first.delta[0], z2_delta),
        (-second.slope_W[0], z2.T @ o_delta),  # type: ignore[index]
        (-first.slope_W[0], X.T @ z2_delta),  # type: ignore[index]
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert (first.slope_b, second.slope_b) == (None, None)


MODELS = {
    "exam": (EXAM, recipe(epochs=3)),
    "mixed": (mixed(), ensemble()),
    "pair": (blobs(2), recipe(epochs=3)),
    "labels": (blobs(3), recipe(epochs=3)),
    "several": (wave(outputs=2), ensemble()),
    "letters": (LETTERS, Recipe()),
    "variance": (wave(), recipe(epochs=3, loss="gaussian_nll")),
    "quantile": (wave(), recipe(epochs=3, loss="quantile", quantile=0.8)),
    "deep": (wave(), recipe(epochs=3, hidden=(4, 3, 2))),
    "linear": (wave(), recipe(epochs=3, hidden=())),
}


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_traced_is_what_is_answered(kind: str) -> None:
    """The last activations, put into the user's units, are the members' answers; without a truth no way back."""
    rows, how = MODELS[kind]
    model = replace(learn(rows, how), temperature=1.0)

    found = trace(model, rows.part(ONE), is_labelled=False)

    a: Any = found.layers[-1].a[:, 0].astype(np.float64)
    if model.target is not None:
        a = model.target.scale_out(a[:, : len(model.targets)])
    elif len(model.labels) == 2:
        a = np.concatenate((1 - a, a), axis=1)
    np.testing.assert_allclose(a, model.member_scores(rows.X[:1])[:, 0], rtol=1e-5)
    assert (found.y, found.loss, found.layers[0].delta) == (None, None, None)


@pytest.mark.parametrize("kind", MODELS)
def test_both_ways_to_the_derivative_agree(kind: str) -> None:
    """Whatever the task, the loss and the inputs are, in double precision."""
    rows, how = MODELS[kind]

    found = check_gradient(learn(rows, how), rows)

    assert found.agrees
    assert 0 < found.difference < 1e-5
    assert found.worst.backpropagation == pytest.approx(found.worst.finite_difference, rel=1e-2, abs=1e-7)


@pytest.mark.parametrize("kind", MODELS)
def test_a_slope_is_what_its_layer_was_fed_times_delta(kind: str) -> None:
    """And the slope of a bias is delta itself: by hand, for every layer and member."""
    rows, how = MODELS[kind]

    found = trace(learn(rows, how), rows.part(ONE), is_labelled=True)

    fed = found.inputs
    for layer in found.layers:
        assert layer.delta is not None
        assert layer.slope_W is not None
        assert layer.slope_b is not None
        by_hand: Any = fed.swapaxes(1, 2) * layer.delta
        np.testing.assert_allclose(np.asarray(layer.slope_W), by_hand, rtol=1e-5, atol=1e-12)
        assert layer.slope_b.tolist() == layer.delta.tolist()
        fed = layer.a


def test_a_derivative_that_is_wrong_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of the way back that forgets its factor is found, and named."""
    model = learn(EXAM, recipe(epochs=3))
    forgetful = replace(LOSSES["mse"], slope=lambda a, y, _level: 1.9 * (a - y))
    monkeypatch.setitem(LOSSES, "mse", forgetful)

    found = check_gradient(model, EXAM)

    assert not found.agrees
    assert found.difference > 0.01


def test_nothing_to_learn_is_no_division_by_zero() -> None:
    """Where all slopes are 0 both ways agree."""
    model = learn(EXAM, recipe(epochs=3))
    silent = replace(model, parameters=np.zeros_like(model.parameters))
    assert model.target is not None
    rows = replace(EXAM, y=np.repeat(model.target.center[np.newaxis], 3, axis=0))

    found = check_gradient(silent, rows)

    assert (found.difference, found.agrees) == (0.0, True)


@pytest.mark.parametrize("kind", ["mixed", "letters", "exam"])
def test_parameters_have_the_names_of_a_snapshots_arrays(kind: str) -> None:
    """Each of them one, and the value at that place is the parameter."""
    model = learn(*MODELS[kind])
    network, member = model.network, model.parameters[:1]
    arrays = {f"layers.{n}.W": layer.W[0] for n, layer in enumerate(network.layers(member), start=1)}
    arrays |= {f"layers.{n}.b": layer.b[0, 0] for n, layer in enumerate(network.layers(member), start=1)}  # type: ignore[index]
    arrays |= {f"embeddings.{n}": table[0] for n, table in enumerate(network.tables(member), start=1)}

    for place in range(0, network.size, max(1, network.size // 50)):
        name, where = name_of(network, place).split("[")
        index = tuple(int(number) for number in where[:-1].split(","))
        assert arrays[name][index] == member[0, place]


def test_the_trace_and_the_training_go_the_same_way() -> None:
    """Slopes of a row are those of a batch that has nothing but it."""
    model: Model = learn(*MODELS["several"])
    rows: TrainingRows = MODELS["several"][0].part(ONE)
    found = trace(model, rows, is_labelled=True)
    assert found.y is not None
    gradient = np.empty_like(model.parameters)
    X = np.tile(model.encoder.encode(rows.X).astype(model.parameters.dtype), (len(gradient), 1, 1))

    value = Backpropagation(model.network, LOSSES["mse"], model.parameters, gradient)(
        X, np.tile(found.y, (len(gradient), 1, 1))
    )

    assert value.tolist() == found.loss.tolist()  # type: ignore[union-attr]
    for layer, traced in zip(model.network.layers(gradient), found.layers, strict=True):
        assert traced.slope_W is not None
        assert layer.W.tolist() == traced.slope_W.tolist()
