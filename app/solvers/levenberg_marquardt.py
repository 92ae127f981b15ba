"""Levenberg–Marquardt with Bayesian regularisation: for small tables of numbers, where second derivatives are cheap.

What is made small is ½ β Σ errors² + ½ Σ α Σ weights², with a strength α for each layer's weights and biases and a
precision β for each output. Steps are those of Levenberg (1944) and Marquardt (1963), as Hagan and Menhaj (1994) have
them for networks; α and β follow from the evidence (MacKay 1992; Foresee, Hagan 1997), so that no rows need be spared
to find out when to stop.
"""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Array, Index, Parameters, Vector
from app.engine.backpropagation import Batch
from app.engine.network import Network
from app.engine.training import Course, Told

FEW_ROWS = 10  # with fewer, their noise cannot be told from what they say: they are learnt exactly
EVERY = 2  # steps between two looks at the evidence
HOLD = 3  # steps before the first, since random weights are no evidence
FIRST_BETA, EXACT_BETA, LEAST_BETA, MOST_BETA = 10.0, 1e4, 1e-3, 1e10
WEAKEST, STRONGEST = 1e-6, 1e6  # α; the biases of the outputs have the weakest for good
DAMPINGS = 8  # tried before training ends
SLOW = 1e-3  # gain for each number of the target; after three smaller ones in a row training ends


@dataclass
class _Prior:
    """What is believed of weights and noise: α for each group of weights, β for each output."""

    groups: Index
    alpha: Vector
    beta: Vector

    @property
    def strength(self) -> Vector:
        """Give α for each parameter."""
        strength: Vector = self.alpha[self.groups]
        return strength

    def objective(self, error: Array, theta: Vector) -> float:
        """Compute twice what is made small; error has the shape (samples, outputs)."""
        return float((error * error).sum(axis=0) @ self.beta + (theta * theta) @ self.strength)

    def update(self, jacobian: Array, curvature: Array | None, error: Array, theta: Vector, *, bias: bool) -> "_Prior":
        """Give what the evidence says, from how far the rows, not the prior, set the weights of each group."""
        counts = np.bincount(self.groups)
        known = np.clip(np.bincount(self.groups, _effective(jacobian, curvature, self.strength)), 1e-6, counts)
        alpha = np.clip(known / (np.bincount(self.groups, theta * theta) + 1e-12), WEAKEST, STRONGEST)
        if bias:
            alpha[-1] = WEAKEST
        left = np.maximum(len(error) - known.sum() / error.shape[1], 1.0)
        beta = np.clip(left / ((error * error).sum(axis=0) + 1e-300), LEAST_BETA, MOST_BETA)
        return _Prior(self.groups, alpha, beta)


def levenberg_marquardt(course: Course, parameters: Parameters, rows: Batch, told: Told) -> str:
    """Train one member in place, parameters of shape (1, parameters); say why it stopped.

    Whatever the device, the equations are solved on the processor: they are small, and there are many of them.
    """
    network, config, there = course.network, course.config, parameters
    parameters = course.device.fetch(there)
    weights = None if rows.weights is None else course.device.fetch(rows.weights)
    rows = Batch(course.device.fetch(rows.X), course.device.fetch(rows.y), weights)
    theta = parameters[0]
    exact, size = rows.y.shape[-2] < FEW_ROWS, rows.y.size
    prior = following = _first_prior(network, rows, exact=exact)
    damping, slow = 1e-2, 0
    error = _error(network, parameters, rows)
    for epoch in range(config.epochs or 0):
        root = np.sqrt(np.tile(prior.beta, len(error)))
        jacobian = _jacobian(network, parameters, rows) * root[:, np.newaxis]
        curvature = jacobian.T @ jacobian if len(jacobian) >= len(theta) else None
        if not exact and epoch >= HOLD and (epoch - HOLD) % EVERY == 0:
            following = prior.update(jacobian, curvature, error, theta, bias=network.bias)
            prior = _Prior(prior.groups, following.alpha, prior.beta)  # β has its turn after the step
        start, before = theta.copy(), prior.objective(error, theta)
        for _ in range(DAMPINGS):
            ridge = prior.strength, damping * float(prior.beta.mean())
            theta[:] = start + _step(jacobian, curvature, error.ravel() * root, start, ridge)
            moved = _error(network, parameters, rows)
            gain = before - prior.objective(moved, theta)
            if gain > 0:
                break
            damping *= 10.0
        else:
            theta[:] = start
            return "converged"
        error, prior, damping = moved, following, max(damping / 10.0, 1e-10)
        loss = float(np.mean(error * error))
        slow = slow + 1 if gain < SLOW * size and not exact else 0
        there[:] = course.device.send(parameters)
        if reason := told(loss):
            return reason
        if loss < config.tolerance or slow > 2:  # noqa: PLR2004 - three in a row
            return "converged"
    return "epochs"


def _first_prior(network: Network, rows: Batch, *, exact: bool) -> _Prior:
    """Group the parameters by layer, weights and biases apart."""
    sizes = [part.size for layer in network.layers(np.empty((1, network.size))) for part in layer if part is not None]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    alpha = np.full(len(sizes), WEAKEST if exact else 1.0)
    if network.bias:
        alpha[-1] = WEAKEST
    return _Prior(groups, alpha, np.full(rows.y.shape[-1], EXACT_BETA if exact else FIRST_BETA))


def _error(network: Network, parameters: Parameters, rows: Batch) -> Array:
    """Give answers less truth, shape (samples, outputs), each row times the root of its weight."""
    error = network.outputs(parameters, rows.X)[1] - rows.y
    weighted: Array = (error if rows.weights is None else error * np.sqrt(rows.weights))[0]
    return weighted


def _jacobian(network: Network, parameters: Parameters, rows: Batch) -> Array:
    """Differentiate each row's each answer by the parameters, shape (samples · outputs, parameters)."""
    layers, activations = network.layers(parameters), network.activations
    passes = network.passes(rows.X.shape[:2], parameters)
    _, a = network.forward(layers, rows.X, passes, masks=())
    outputs = a.shape[-1]
    jacobian = np.empty_like(parameters, shape=(a.size, network.size))
    delta = np.zeros_like(a, shape=(outputs, *a.shape[1:]))  # each output's in turn
    delta[range(outputs), :, range(outputs)] = 1.0 if rows.weights is None else np.sqrt(rows.weights[0, :, 0])
    activations[-1].slope(a, passes[-1].scratch)
    activations[-1].backpropagate(delta, passes[-1].scratch)
    for index, slope in reversed(list(enumerate(network.layers(jacobian)))):
        inputs, by_row = passes[index - 1].a if index else rows.X, delta.swapaxes(0, 1)
        slope.W[:] = (inputs[0, :, np.newaxis, :, np.newaxis] * by_row[:, :, np.newaxis]).reshape(slope.W.shape)
        if slope.b is not None:
            slope.b[:] = by_row.reshape(slope.b.shape)
        if index:
            delta = delta @ layers[index].W.swapaxes(1, 2)
            activations[index - 1].backpropagate(delta, passes[index - 1].scratch)
    return jacobian


def _effective(jacobian: Array, curvature: Array | None, strength: Vector) -> Vector:
    """Compute for each parameter how far the rows set it, from 0 to 1; their sum is MacKay's γ."""
    if curvature is None:  # fewer rows than parameters: the same in its dual form
        shrunk = jacobian / strength
        set_by_rows: Vector = (jacobian * np.linalg.solve(shrunk @ jacobian.T + np.eye(len(jacobian)), shrunk)).sum(
            axis=0
        )
        return set_by_rows
    rounding = np.finfo(curvature.dtype).eps * np.trace(curvature)
    inverse = np.linalg.inv(curvature + np.diag(strength + rounding))
    known: Vector = 1.0 - strength * np.diagonal(inverse)
    return known


def _step(
    jacobian: Array, curvature: Array | None, error: Vector, theta: Vector, ridge: tuple[Vector, float]
) -> Vector:
    """Solve (JᵀJ + strength + damping) step = -(Jᵀ error + strength θ); in its dual form for few rows."""
    strength, damped = ridge[0], ridge[0] + ridge[1]
    if curvature is not None:
        return -np.linalg.solve(curvature + np.diag(damped), jacobian.T @ error + strength * theta)
    shrunk = strength * theta / damped
    dual = (jacobian / damped) @ jacobian.T + np.eye(len(jacobian))
    step: Vector = jacobian.T @ np.linalg.solve(dual, jacobian @ shrunk - error) / damped - shrunk
    return step
