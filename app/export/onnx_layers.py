"""Steps that a graph takes, put together as the layers of a network, with scaling in front and behind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Array
from app.engine.control import GoOn
from app.errors import UnsupportedOnnx
from app.export.onnx_operators import Activated, Scale, Step, Steps, Sum, require_within
from app.models.preprocessing import Scaler


@dataclass(frozen=True)
class Dense:
    """activation(a W + b)."""

    W: Array
    b: Array
    activation: str


@dataclass(frozen=True)
class Network:
    """Scaled inputs, layers, scaled outputs."""

    features: Scaler
    layers: tuple[Dense, ...]
    target: Scaler
    hidden: str


def layered(steps: Steps, columns: int, most_parameters: int, go_on: GoOn) -> Network:
    """Put steps together; sums that follow one another are one. `go_on` is called before each product of two.

    Raises UnsupportedOnnx for hidden layers of several activations, BudgetExceeded for too many weights.
    """
    require_within(_weights(steps, columns), most_parameters)
    merged = _merged(steps, most_parameters, go_on)
    features, merged = _front(merged, columns)
    target, merged = _behind(merged)
    layers, width = list[Dense](), columns
    while merged:
        first = merged.pop(0)
        if isinstance(first, Activated):  # of what nothing was done to
            merged.insert(0, first)
            first = Sum(np.eye(width), np.zeros(width))
        whole = _as_sum(first)
        is_followed = bool(merged) and isinstance(merged[0], Activated)
        name = merged.pop(0).name if is_followed else "identity"  # type: ignore[union-attr]  # it is one
        layers.append(Dense(whole.W, whole.b, name))
        width = whole.W.shape[1]
    if not layers:
        layers = [Dense(np.eye(columns), np.zeros(columns), "identity")]
    hidden = list(dict.fromkeys(layer.activation for layer in layers[:-1]))
    if len(hidden) > 1:
        message = f"Its hidden layers have several activations, {' and '.join(hidden)}; those of a model here have one."
        raise UnsupportedOnnx(message)
    return Network(features, tuple(layers), target or _nothing(width), hidden[0] if hidden else "identity")


def _weights(steps: Steps, columns: int) -> int:
    """Count what layers of these steps would weigh: as much as the square of the width where there is no sum."""
    total, width, has_sum = 0, columns, False
    for step in steps:
        if isinstance(step, Sum):
            total, width, has_sum = total + step.W.size, step.W.shape[1], True
        elif isinstance(step, Activated):
            total, has_sum = total + (0 if has_sum else width**2), False
    is_open = not steps or not isinstance(steps[-1], Activated)
    return total + (width**2 if is_open and not has_sum else 0)


def _nothing(width: int) -> Scaler:
    return Scaler(np.zeros(width), np.ones(width))


def _merged(steps: Sequence[Step], most_parameters: int, go_on: GoOn) -> list[Step]:
    """Make one of sums and scalings that follow one another, but for a scaling in front of all."""
    merged: list[Step] = []
    for step in steps:
        before = merged[-1] if merged else None
        is_first_scale = len(merged) == 1 and isinstance(before, Scale) and isinstance(step, Sum)
        if before is None or is_first_scale or isinstance(before, Activated) or isinstance(step, Activated):
            merged.append(step)
        else:
            go_on()
            merged[-1] = _joined(before, step, most_parameters)
    require_within(_weights(tuple(merged), 0), most_parameters)
    return merged


def _joined(first: Sum | Scale, second: Sum | Scale, most_parameters: int) -> Step:
    if isinstance(second, Sum):
        rows = len(first.scale) if isinstance(first, Scale) else first.W.shape[0]
        require_within(rows * second.W.shape[1], most_parameters)
        if isinstance(first, Scale):
            return Sum(first.scale[:, np.newaxis] * second.W, first.shift @ second.W + second.b)
        return Sum(first.W @ second.W, first.b @ second.W + second.b)
    if isinstance(first, Scale):
        return Scale(first.scale * second.scale, first.shift * second.scale + second.shift)
    return Sum(first.W * second.scale, first.b * second.scale + second.shift)


def _front(merged: list[Step], columns: int) -> tuple[Scaler, list[Step]]:
    """Take a scaling off the front, as (x - center) / scale, where it is one that a model can have."""
    if merged and isinstance(first := merged[0], Scale) and _is_positive(first):
        return Scaler(-first.shift / first.scale, 1.0 / first.scale), merged[1:]
    if len(merged) > 1 and isinstance(first, Scale) and isinstance(second := merged[1], Sum):
        return _nothing(columns), [Sum(first.scale[:, None] * second.W, first.shift @ second.W + second.b), *merged[2:]]
    return _nothing(columns), merged


def _behind(merged: list[Step]) -> tuple[Scaler | None, list[Step]]:
    """Take a scaling off the end, where it follows an activation."""
    if len(merged) > 1 and isinstance(last := merged[-1], Scale) and _is_positive(last):
        return Scaler(np.array(last.shift), np.array(last.scale)), merged[:-1]
    return None, merged


def _is_positive(step: Scale) -> bool:
    with np.errstate(all="ignore"):
        turned = np.stack((step.scale, 1.0 / step.scale, step.shift / step.scale))
    return bool((step.scale > 0).all() and np.isfinite(turned).all())


def _as_sum(step: Step) -> Sum:
    return step if isinstance(step, Sum) else Sum(np.diag(step.scale), np.array(step.shift))  # type: ignore[union-attr]  # no activation
