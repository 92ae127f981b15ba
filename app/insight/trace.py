"""Trace: every number of a row's way through the networks, and back; and whether the way back is right."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Biases, Features, Index, Inputs, Parameters, PerMember, Truth, Units, Weights
from app.engine.backpropagation import Backpropagation
from app.engine.control import GoOn, go_on_for_ever
from app.engine.losses import LOSSES, Loss
from app.engine.network import Network
from app.models.encoding import Encoding
from app.models.model import Model
from app.models.table import TrainingRows

MOST_CHECKED = 200  # parameters of each member
STEP = 1e-6
AGREE = 1e-5  # the largest relative difference of a right derivative: below it are rounding and the step's length


class LayerTrace(NamedTuple):
    """One layer, shapes (members, 1, units) and as in Layer; what takes the truth is None without."""

    z: Units
    a: Units
    delta: Units | None
    """dL/dz."""
    slope_W: Weights | None
    """dL/dW."""
    slope_b: Biases | None


@dataclass(frozen=True)
class Trace:
    """What the networks compute of one row as they do in training: without a temperature, penalties or weights."""

    inputs: Inputs
    """Shape (members, 1, inputs)."""
    layers: tuple[LayerTrace, ...]
    y: Truth | None = None
    """The truth in the networks' units, shape (1, truths)."""
    loss: PerMember | None = None


def trace(model: Model, row: TrainingRows, *, is_labelled: bool) -> Trace:
    """Follow one row forward, and back where it is labelled."""
    network, parameters = model.network, model.parameters
    X = _features(model, row)
    layers, inputs = network.layers(parameters), np.array(network.enter(parameters, X))
    passes = network.passes((len(parameters), 1), parameters)
    _, a = network.forward(layers, inputs, passes)
    fed = [inputs, *(each.a for each in passes)]
    z = [np.matmul(before, W) + (0.0 if b is None else b) for before, (W, b) in zip(fed, layers, strict=False)]
    forward = [LayerTrace(z, each.a, None, None, None) for z, each in zip(z, passes, strict=True)]
    if not is_labelled:
        return Trace(inputs, tuple(forward))
    loss, y = _loss(model), _truth(model, row)
    truth = np.broadcast_to(y, (len(parameters), *y.shape))
    gradient = np.empty_like(parameters)
    backpropagate = Backpropagation(network, loss, parameters, gradient)
    value = backpropagate(X, truth)
    deltas = [each.error for each in backpropagate.rooms[1].passes[:-1]]
    deltas.append(loss.delta(network.activations[-1], a, passes[-1].scratch, truth))
    back = [
        replaced._replace(delta=delta, slope_W=W, slope_b=b)
        for replaced, delta, (W, b) in zip(forward, deltas, network.layers(gradient), strict=True)
    ]
    return Trace(inputs, tuple(back), y, value)


def _features(model: Model, rows: TrainingRows) -> Features:
    features = model.encoder.encode(rows.X).astype(model.parameters.dtype)
    return np.tile(features, (len(model.parameters), 1, 1))


def _loss(model: Model) -> Loss:
    training = model.recipe.training
    return replace(LOSSES[str(training.loss)], level=training.quantile)


def _truth(model: Model, rows: TrainingRows) -> Truth:
    return Encoding(model, None, np.asarray).answers(rows).astype(model.parameters.dtype)


class Compared(NamedTuple):
    """One parameter's derivative by both ways."""

    member: int
    parameter: int
    """Its place in the flat vector."""
    backpropagation: float
    finite_difference: float


class GradientCheck(NamedTuple):
    """How backpropagation compares with finite differences of the loss, over the parameters that were looked at."""

    difference: float
    """‖backpropagated - finite‖ / (‖backpropagated‖ + ‖finite‖)."""
    checked: int
    loss: PerMember
    worst: Compared

    @property
    def agrees(self) -> bool:
        """Whether no more than rounding lies between them."""
        return self.difference < AGREE


def check_gradient(model: Model, rows: TrainingRows, go_on: GoOn = go_on_for_ever) -> GradientCheck:
    """Move parameters one by one, in double precision, and see what that does to the loss of rows.

    Of networks with more than MOST_CHECKED parameters, so many are looked at, the same ones each time. `go_on` is
    called before each look at the loss.
    """
    parameters, loss = model.parameters.astype(np.float64), _loss(model)
    X, y = (np.asarray(array, dtype=np.float64) for array in (_features(model, rows), _truth(model, rows)))
    y = np.broadcast_to(y, (len(parameters), *y.shape))
    gradient = np.empty_like(parameters)
    value = Backpropagation(model.network, loss, parameters, gradient)(X, y)
    places = np.arange(parameters.shape[1])
    if len(places) > MOST_CHECKED:
        places = np.sort(np.random.default_rng(0).permutation(places)[:MOST_CHECKED])

    def value_at(moved: Parameters) -> PerMember:
        go_on()
        return loss.value(*model.network.outputs(moved, X), y)

    finite = _differences(value_at, parameters, places)
    found = gradient[:, places]
    both = float(np.linalg.norm(found) + np.linalg.norm(finite))
    member, place = np.unravel_index(np.abs(found - finite).argmax(), found.shape)
    worst = Compared(int(member), int(places[place]), float(found[member, place]), float(finite[member, place]))
    difference = float(np.linalg.norm(found - finite)) / both if both else 0.0
    return GradientCheck(difference, found.size, value, worst)


def _differences(loss: Callable[[Parameters], PerMember], parameters: Parameters, places: Index) -> Array:
    """Compute central differences, shape (members, places): of every member at once, as they share nothing."""
    moved, finite = parameters.copy(), np.empty((len(parameters), len(places)))
    for number, place in enumerate(places.tolist()):
        step = STEP * np.maximum(1.0, np.abs(parameters[:, place]))
        values = []
        for side in (step, -step):
            moved[:, place] = parameters[:, place] + side
            values.append(loss(moved))
        moved[:, place] = parameters[:, place]
        finite[:, number] = (values[0] - values[1]) / (2.0 * step)
    return finite


def name_of(network: Network, place: int) -> str:
    """Name a parameter by its place in the flat vector, as the arrays of a snapshot are called."""
    index = np.arange(float(network.size))[np.newaxis]
    arrays: dict[str, Array] = {}
    for number, layer in enumerate(network.layers(index), start=1):
        arrays[f"layers.{number}.W"] = layer.W[0]
        if layer.b is not None:
            arrays[f"layers.{number}.b"] = layer.b[0, 0]
    arrays |= {f"embeddings.{number}": table[0] for number, table in enumerate(network.tables(index), start=1)}
    name, where = next((name, np.argwhere(array == place)) for name, array in arrays.items() if (array == place).any())
    return f"{name}{where[0].tolist()}"
