"""Networks of others in ONNX: of scikit-learn, and as Keras has its graphs."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline

RNG = np.random.default_rng(4)
X = RNG.normal(5.0, 3.0, (60, 3))
Y = np.stack([X[:, 0] - X[:, 1], X[:, 2] * 2], axis=1)
WORDS = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], (4.0, 6.0))]


def regressor(y: Any = Y[:, 0], *front: Any, kind: type = np.float32, **settings: Any) -> bytes:
    """Fit a regressor of scikit-learn, with something in front of it, and write it as skl2onnx does."""
    network = MLPRegressor(hidden_layer_sizes=(5, 4), max_iter=300, tol=0.1, random_state=0, **settings)
    return _written(make_pipeline(*front, network).fit(X, y), kind)


def classifier(y: Any, *front: Any, kind: type = np.float32, zipmap: bool = True, **settings: Any) -> bytes:
    """Do the same with a classifier."""
    network = MLPClassifier(hidden_layer_sizes=(5,), max_iter=300, tol=0.1, random_state=0, **settings)
    return _written(
        make_pipeline(*front, network).fit(X, y), kind, **({} if zipmap else {"options": {"zipmap": False}})
    )


def _written(pipeline: Pipeline, kind: type, **options: Any) -> bytes:
    data: bytes = to_onnx(pipeline, X[:1].astype(kind), **options).SerializeToString()
    return data


def graph(*nodes: Any, width: int = 3, outputs: tuple[str, ...] = ("out",), kind: int = TensorProto.FLOAT) -> bytes:
    """Write a graph of nodes, (operator, inputs, output, attributes); arrays among the inputs are constants."""
    made, constants = [], []
    for number, (operator, inputs, output, *attributes) in enumerate(nodes):
        names = []
        for place, given in enumerate(inputs):
            if isinstance(given, str):
                names.append(given)
            else:
                names.append(f"constant_{number}_{place}")
                constants.append(numpy_helper.from_array(np.asarray(given), names[-1]))
        how = attributes[0] if attributes else {}
        domain = "ai.onnx.ml" if operator in {"Scaler", "Normalizer"} else ""
        made.append(helper.make_node(operator, names, [output], domain=domain, **how))
    whole = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("in", kind, ["rows", width])],
        [helper.make_tensor_value_info(name, kind, ["rows", "units"]) for name in outputs],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    data: bytes = helper.make_model(whole, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def W(fan_in: int, fan_out: int) -> Any:  # noqa: N802 - weights, as in the textbook
    return np.random.default_rng(fan_in + 10 * fan_out).normal(0, 0.5, (fan_in, fan_out)).astype(np.float32)


def b(units: int) -> Any:
    return np.linspace(-0.5, 0.5, units, dtype=np.float32)


def dense(source: str, target: str, fan_in: int, fan_out: int) -> list[Any]:
    """MatMul and Add, as Keras writes a dense layer."""
    return [
        ("MatMul", [source, W(fan_in, fan_out)], f"{target}_product"),
        ("Add", [f"{target}_product", b(fan_out)], target),
    ]


def activated(operator: str, **attributes: Any) -> bytes:
    """A layer with an activation, and another without."""
    return graph(*dense("in", "z", 3, 4), (operator, ["z"], "a", attributes), *dense("a", "out", 4, 2))


__all__ = ["WORDS", "W", "X", "Y", "activated", "b", "classifier", "dense", "graph", "onnx", "regressor"]
