"""L-BFGS (Liu, Nocedal 1989): steps by second derivatives that are guessed from the last few gradients."""

from collections import deque

import numpy as np

from app.engine.arrays import Parameters, Vector
from app.engine.backpropagation import Backpropagation, Batch
from app.engine.training import Course, Told, is_finite

PAIRS = 10  # of the last changes of parameters and gradient
HALVINGS = 30  # of a step before training ends
SUFFICIENT = 1e-4  # Armijo 1966: the share of the promised descent that a step must keep


def lbfgs(course: Course, parameters: Parameters, rows: Batch, told: Told) -> str:
    """Train one member in place, parameters of shape (1, parameters); say why it stopped."""
    network, l2, theta = course.network, course.config.l2 or 0.0, parameters[0]
    gradient = np.empty_like(parameters)
    backpropagate = Backpropagation(network, course.loss, parameters, gradient, l2=l2)
    is_weight = network.is_weight(parameters)[0]

    def objective() -> tuple[float, float]:
        loss = float(backpropagate(*rows)[0])
        return loss, loss + 0.5 * l2 * float((is_weight * theta) @ theta)

    pairs: deque[tuple[Vector, Vector]] = deque(maxlen=PAIRS)
    loss, value = objective()
    if not is_finite(np.array([loss])):
        raise course.diverged(parameters, rows, ())
    for _ in range(course.config.epochs or 0):
        before, slope = theta.copy(), gradient[0].copy()
        direction = _direction(slope, pairs)
        descent, length = float(slope @ direction), 1.0 if pairs else 1.0 / max(1.0, float(np.linalg.norm(slope)))
        for _ in range(HALVINGS):
            theta[:] = before + length * direction
            loss, moved = objective()
            if moved <= value + SUFFICIENT * length * descent:
                break
            length *= 0.5
        else:
            theta[:] = before
            return "converged"
        change, turn = theta - before, gradient[0] - slope
        if float(change @ turn) > np.finfo(theta.dtype).eps * float(turn @ turn):
            pairs.append((change, turn))
        gain, value = value - moved, moved
        if reason := told(loss):
            return reason
        if loss - course.loss.floor < course.config.tolerance or gain <= course.config.tolerance * abs(value):
            return "converged"
    return "epochs"


def _direction(slope: Vector, pairs: deque[tuple[Vector, Vector]]) -> Vector:
    """Turn the gradient into a step by the two loops of Nocedal 1980."""
    direction = -slope
    shares = []
    for change, turn in reversed(pairs):
        share = (change @ direction) / (change @ turn)
        direction -= share * turn
        shares.append(share)
    if pairs:
        change, turn = pairs[-1]
        direction *= (change @ turn) / (turn @ turn)
    for (change, turn), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - (turn @ direction) / (change @ turn)) * change
    return direction
