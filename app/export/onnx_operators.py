"""Operators of ONNX, read as what they do to a row: sums, scalings, activations, and the choice of a class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from app.engine.activations import LEAK
from app.engine.arrays import Array
from app.errors import BudgetExceeded
from app.export.onnx_package import onnx
from app.models.table import Label

NEAR = 1e-6
"""By how much a parameter may differ, which ONNX has in float32."""


@dataclass(frozen=True, eq=False)
class Sum:
    """Rows a become a W + b."""

    W: Array
    b: Array


@dataclass(frozen=True, eq=False)
class Scale:
    """Rows a become a * scale + shift, unit by unit."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Activated:
    """Rows go through an activation."""

    name: str


Step: TypeAlias = Sum | Scale | Activated
Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True)
class Rows:
    """Rows of numbers: what happened to the input so far, and the tensor that holds it."""

    tensor: str
    width: int
    steps: Steps = ()


@dataclass(frozen=True)
class Both:
    """The probabilities of both classes, of which the rows hold that of the second."""

    rows: Rows


@dataclass(frozen=True)
class Chosen:
    """The likeliest class, by its place or its label; or, of several yes or no, those above a half."""

    rows: Rows
    labels: tuple[Label, ...] = ()
    several: bool = False


def require_within(weights: int, most: int) -> None:
    """Raise BudgetExceeded for more weights than the service takes."""
    if weights > most:
        message = f"The network has {weights} weights; this service takes {most} at most."
        raise BudgetExceeded(message)


Value: TypeAlias = Rows | Both | Chosen | Array


Inputs: TypeAlias = Sequence[Any]
Attributes: TypeAlias = Mapping[str, Any]
Operator: TypeAlias = Callable[[Inputs, Attributes, str], Value | None]
"""Makes a value of values, or None where it is none that a network has."""


def _then(rows: Rows, output: str, step: Step) -> Rows:
    return Rows(output, step.W.shape[1] if isinstance(step, Sum) else rows.width, (*rows.steps, step))


def _matmul(inputs: Inputs, _attributes: Attributes, output: str) -> Value | None:
    rows, W = inputs
    if not isinstance(rows, Rows) or not isinstance(W, np.ndarray) or W.shape[:1] != (rows.width,) or W.ndim != 2:  # noqa: PLR2004 - a matrix
        return None
    W = W.astype(np.float64, copy=False)
    return _then(rows, output, Sum(W, np.zeros(W.shape[1])))


def _gemm(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
    rows, W, *b = inputs
    if not isinstance(rows, Rows) or attributes.get("transA", 0):
        return None
    W = (W.T if attributes.get("transB", 0) else W).astype(np.float64) * attributes.get("alpha", 1.0)
    shift = np.zeros(W.shape[1]) if not b else b[0].astype(np.float64).reshape(-1) * attributes.get("beta", 1.0)
    if W.shape[0] != rows.width:
        return None
    return _then(rows, output, Sum(W, np.broadcast_to(shift, W.shape[1:])))


def _scaled(rows: Rows, output: str, scale: Any, shift: Any) -> Value | None:  # noqa: ANN401 - numbers for all units, or for each
    scale, shift = (
        np.broadcast_to(np.asarray(part, dtype=np.float64).reshape(-1), (rows.width,)) for part in (scale, shift)
    )
    return _then(rows, output, Scale(scale, shift))


def _add(inputs: Inputs, _attributes: Attributes, output: str) -> Value | None:
    rows, other = inputs if isinstance(inputs[0], Rows) else reversed(list(inputs))
    return _scaled(rows, output, 1.0, other) if isinstance(other, np.ndarray) else None


def _sub(inputs: Inputs, _attributes: Attributes, output: str) -> Value | None:
    first, second = inputs
    if isinstance(first, Rows) and isinstance(second, np.ndarray):
        return _scaled(first, output, 1.0, -second.astype(np.float64))
    return _scaled(second, output, -1.0, first) if isinstance(first, np.ndarray) else None


def _mul(inputs: Inputs, _attributes: Attributes, output: str) -> Value | None:
    rows, other = inputs if isinstance(inputs[0], Rows) else reversed(list(inputs))
    if isinstance(other, np.ndarray):
        return _scaled(rows, output, other, 0.0)
    first, second = sorted((rows, other), key=lambda one: len(one.steps))
    if second.steps == (*first.steps, Activated("sigmoid")):  # z S(z)
        return _then(first, output, Activated("silu"))
    return None


def _div(inputs: Inputs, _attributes: Attributes, output: str) -> Value | None:
    rows, other = inputs
    if not isinstance(rows, Rows) or not isinstance(other, np.ndarray) or not other.all():
        return None
    return _scaled(rows, output, 1.0 / other.astype(np.float64), 0.0)


def _scaler(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
    offset, scale = (np.array(attributes[name], dtype=np.float64) for name in ("offset", "scale"))
    return _scaled(inputs[0], output, scale, -offset * scale) if isinstance(inputs[0], Rows) else None


def _normalised(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
    """Read a batch normalisation, whose means and variances are known by now."""
    rows, *known = inputs
    if not isinstance(rows, Rows) or attributes.get("training_mode", 0):
        return None
    scale, shift, mean, variance = (part.astype(np.float64) for part in known)
    factor = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return _scaled(rows, output, factor, shift - mean * factor)


def _activated(name: str, parameter: str = "", value: float = 0.0) -> Operator:
    """Read an activation, whose parameter must be that of the one here."""

    def read(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
        default = value if name != "elu" else 1.0
        is_same = not parameter or abs(attributes.get(parameter, default) - value) <= NEAR
        return _then(inputs[0], output, Activated(name)) if isinstance(inputs[0], Rows) and is_same else None

    return read


def _softmax(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
    is_last = attributes.get("axis", -1) in {-1, 1}
    return _then(inputs[0], output, Activated("softmax")) if isinstance(inputs[0], Rows) and is_last else None


def _same(inputs: Inputs, _attributes: Attributes, _output: str) -> Value | None:
    """Pass on what is only put into another form."""
    value: Value = inputs[0]
    return value


def _cast(inputs: Inputs, attributes: Attributes, output: str) -> Value | None:
    kind = onnx.TensorProto.DataType.Name(attributes["to"])
    is_number = isinstance(inputs[0], Rows)
    return None if is_number and kind not in {"FLOAT", "DOUBLE"} else _same(inputs, attributes, output)


def _concat(inputs: Inputs, _attributes: Attributes, _output: str) -> Value | None:
    """Read the probabilities of both classes, 1 - p and p, or of several yes or no."""
    if len(inputs) != 2 or not all(isinstance(one, Rows) for one in inputs):  # noqa: PLR2004 - yes and no
        return None
    no, yes = inputs
    *before, rest = no.steps or (None,)
    is_rest = isinstance(rest, Scale) and (rest.scale == -1.0).all() and (rest.shift == 1.0).all()
    return Both(yes) if is_rest and tuple(before) == yes.steps else None


def _argmax(inputs: Inputs, _attributes: Attributes, _output: str) -> Value | None:
    value = inputs[0]
    return Chosen(value.rows if isinstance(value, Both) else value) if isinstance(value, Rows | Both) else None


def _taken(inputs: Inputs, _attributes: Attributes, _output: str) -> Value | None:
    labels, chosen = inputs
    if not isinstance(labels, np.ndarray) or not isinstance(chosen, Chosen):
        return None
    return Chosen(chosen.rows, _labels(labels.reshape(-1).tolist()))


def _zipmap(inputs: Inputs, attributes: Attributes, _output: str) -> Value | None:
    value = inputs[0]
    labels = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s") or ()
    return Chosen(value.rows if isinstance(value, Both) else value, _labels(labels))


def _binarised(inputs: Inputs, attributes: Attributes, _output: str) -> Value | None:
    is_half = attributes.get("threshold", 0.0) == 0.5  # noqa: PLR2004 - more likely than not
    return Chosen(inputs[0], several=True) if isinstance(inputs[0], Rows) and is_half else None


def _labels(found: Sequence[Any]) -> tuple[Label, ...]:
    return tuple(one.decode() if isinstance(one, bytes) else one for one in found)


OPERATORS: dict[str, Operator] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Scaler": _scaler,
    "BatchNormalization": _normalised,
    "Relu": _activated("relu"),
    "Tanh": _activated("tanh"),
    "Sigmoid": _activated("sigmoid"),
    "Softplus": _activated("softplus"),
    "Exp": _activated("exponential"),
    "Elu": _activated("elu", "alpha", 1.0),
    "LeakyRelu": _activated("leaky_relu", "alpha", LEAK),
    "Softmax": _softmax,
    "Identity": _same,
    "Dropout": _same,
    "Flatten": _same,
    "Reshape": _same,
    "Squeeze": _same,
    "Cast": _cast,
    "Concat": _concat,
    "ArgMax": _argmax,
    "ArrayFeatureExtractor": _taken,
    "Gather": _taken,
    "ZipMap": _zipmap,
    "Binarizer": _binarised,
}
"""What a node of a dense network may be; new ones are refused by their name until they stand here."""
