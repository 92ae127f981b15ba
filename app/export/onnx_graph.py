"""A model as an ONNX graph: scaling, encoding, all members, their mean and the un-scaling, for any runtime.

The outputs are `prediction`, as an answer of the server has it, and `probabilities` (rows, labels or targets) for
classes.
"""

import json
from collections.abc import Callable
from functools import partial

import numpy as np

from app.engine.activations import LEAK
from app.engine.config import PRECISIONS
from app.errors import ExportRefused
from app.export.description import Description
from app.export.onnx_inputs import Inputs, declared, feeds_of
from app.export.onnx_package import OWN, Declared, Graph, Tensor, declare, elements, require_onnx, run
from app.export.probes import Probes, Ran
from app.export.running import scores_of
from app.tables.answered import MORE_LIKELY

PREDICTION, PROBABILITIES = "prediction", "probabilities"
KINDS = {str: "STRING", bool: "BOOL", int: "INT64"}

Number = Callable[[float], np.generic]
"""Makes a number of the network's precision."""
Apply = Callable[[Graph, Tensor, Number], Tensor]


def _operator(name: str, graph: Graph, z: Tensor, _number: Number) -> Tensor:
    return graph.add(name, z)


def _leaky_relu(graph: Graph, z: Tensor, number: Number) -> Tensor:
    return graph.add("Max", z, graph.add("Mul", z, graph.constant(number(LEAK))))


def _elu(graph: Graph, z: Tensor, number: Number) -> Tensor:
    below = graph.add("Exp", graph.add("Min", z, graph.constant(number(0))))
    return graph.add("Add", graph.add("Relu", z), graph.add("Sub", below, graph.constant(number(1))))


def _softplus(graph: Graph, z: Tensor, number: Number) -> Tensor:
    tail = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    return graph.add("Add", graph.add("Relu", z), graph.add("Log", graph.add("Add", tail, graph.constant(number(1)))))


ACTIVATIONS: dict[str, Apply] = {
    "sigmoid": partial(_operator, "Sigmoid"),
    "tanh": partial(_operator, "Tanh"),
    "relu": partial(_operator, "Relu"),
    "leaky_relu": _leaky_relu,  # the slope of ONNX's own is rounded to float32
    "elu": _elu,  # ONNX's own knows no doubles in every runtime, nor does Softplus
    "silu": lambda graph, z, _number: graph.add("Mul", z, graph.add("Sigmoid", z)),
    "softplus": _softplus,
    "exponential": partial(_operator, "Exp"),
    "identity": lambda _graph, z, _number: z,
    "softmax": lambda graph, z, _number: graph.add("Softmax", z, axis=-1),
}
"""Each of the engine's activations, as nodes."""


def write(description: Description, note: str) -> bytes:
    """Write the graph, with a note on how it was checked.

    Raises OnnxUnavailable where ONNX is not installed, ExportRefused for columns named as what is in the graph.
    """
    require_onnx()
    inputs = declared(description)
    if taken := [one.name for one in inputs if one.name in {PREDICTION, PROBABILITIES} or one.name.startswith(OWN)]:
        reason = f"a column is called {taken[0]}, as is something else in the graph"
        raise ExportRefused(reason)
    graph = Graph()
    scores = _scores(description, graph, _layers(description, graph, Inputs(description, graph).whole()))
    outputs = [_prediction(description, graph, scores)]
    if description.classes:
        graph.add("Identity", scores, name=PROBABILITIES)
        outputs.append(declare(PROBABILITIES, "DOUBLE", ["rows", len(description.classes)]))
    told = {
        "model": description.model,
        "sha256": description.sha256,
        "columns": json.dumps([column.name for column in description.columns]),
        "targets": json.dumps(description.targets),
        "classes": json.dumps(description.classes),
        "checked": note,
    }
    return graph.model(inputs=inputs, outputs=outputs, producer=description.netlet, told=told)


def try_out(data: bytes, probes: Probes, description: Description) -> Ran:
    """Run a graph on the probe rows."""
    outputs, by = run(data, feeds_of(description, probes))
    predictions = outputs[PREDICTION].tolist()
    return Ran(predictions, scores_of(outputs[PROBABILITIES].tolist() if description.classes else predictions), by)


def _layers(description: Description, graph: Graph, a: Tensor) -> Tensor:
    """Compute all layers, of all members at once: (rows, outputs), or (members, rows, outputs)."""
    number, single = PRECISIONS[description.precision], description.members == 1
    for layer in description.layers:
        a = graph.add("MatMul", a, graph.constant(layer.W[0] if single else layer.W))
        if layer.b is not None:
            a = graph.add("Add", a, graph.constant(layer.b if single else layer.b[:, np.newaxis]))
        a = ACTIVATIONS[layer.activation](graph, a, number)
    return graph.add("Cast", a, to=elements("DOUBLE"))


def _scores(description: Description, graph: Graph, a: Tensor) -> Tensor:
    """Put outputs into the user's units, and average them over the members: (rows, targets or labels)."""
    target = description.target
    if target is not None:
        if description.outputs > len(description.targets):  # variances stand behind
            a = graph.add("Gather", a, graph.constant(np.arange(len(description.targets))), axis=-1)
        a = graph.add("Add", graph.add("Mul", a, graph.constant(target.scale)), graph.constant(target.center))
    elif description.labels and description.outputs == 1:
        a = graph.add("Concat", graph.add("Sub", graph.constant(1.0), a), a, axis=-1)
    return a if description.members == 1 else graph.add("ReduceMean", a, axes=[0], keepdims=0)


def _prediction(description: Description, graph: Graph, scores: Tensor) -> Declared:
    """Add the answer in words."""
    if description.labels:
        likeliest = graph.add("ArgMax", scores, axis=1, keepdims=0)
        graph.add("Gather", graph.constant(list(description.labels)), likeliest, name=PREDICTION)
        return declare(PREDICTION, KINDS[type(description.labels[0])], ["rows"])
    if description.classes:
        graph.add("Greater", scores, graph.constant(MORE_LIKELY), name=PREDICTION)
        return declare(PREDICTION, "BOOL", ["rows", len(description.targets)])
    if len(description.targets) == 1:
        graph.add("Reshape", scores, graph.constant([-1]), name=PREDICTION)
        return declare(PREDICTION, "DOUBLE", ["rows"])
    graph.add("Identity", scores, name=PREDICTION)
    return declare(PREDICTION, "DOUBLE", ["rows", len(description.targets)])
