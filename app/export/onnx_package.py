"""The onnx package, where it is installed: graphs are made with it, and run by onnxruntime or by its own reference."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

from app.errors import OnnxUnavailable
from app.later import Later

onnx, helper, reference = Later("onnx"), Later("onnx.helper"), Later("onnx.reference")
checker, numpy_helper = Later("onnx.checker"), Later("onnx.numpy_helper")
protobuf, onnxruntime = Later("google.protobuf.message"), Later("onnxruntime")
states = Later("onnxruntime.capi.onnxruntime_pybind11_state")

OPSETS = {"": 17, "ai.onnx.ml": 3}  # of 2022: runtimes of all kinds have them
IR_VERSION = 8
OWN = "netlet/"
"""What the names of all inner tensors begin with."""
ERRORS_ALONE = 3  # of onnxruntime's degrees of telling

Tensor: TypeAlias = str
"""A tensor of a graph, by its name."""
Feeds: TypeAlias = Mapping[str, Any]
Declared: TypeAlias = Any
"""What an input or output is, as ONNX declares it."""


def require_onnx(package: str = "onnx") -> None:
    """Raise OnnxUnavailable where the package is not installed."""
    if find_spec(package) is None:
        raise OnnxUnavailable


class Graph:
    """A graph that grows node by node."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> Tensor:  # noqa: ANN401 - whatever makes an array
        """Add numbers, truths or texts that are always the same."""
        name = f"{OWN}constant/{len(self.constants)}"
        array = np.asarray(value)
        array = array.astype(object) if array.dtype.kind == "U" else array
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: Tensor, name: str | None = None, domain: str = "", **how: Any) -> Tensor:  # noqa: ANN401 - attributes have any type
        """Add a node with one output; give that."""
        output = name or f"{OWN}{operator}/{len(self.nodes)}"
        label = f"{OWN}node/{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=label, domain=domain, **how))
        return output

    def model(
        self, *, inputs: Sequence[Declared], outputs: Sequence[Declared], producer: str, told: Mapping[str, str]
    ) -> bytes:
        """Give the graph as a file, with words about it; raise ValueError if ONNX finds that it contradicts itself."""
        graph = helper.make_graph(self.nodes, "netlet", list(inputs), list(outputs), self.constants)
        opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
        whole = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        whole.producer_name, whole.producer_version = "netlet", producer
        helper.set_model_props(whole, dict(told))
        try:
            checker.check_model(whole)
        except checker.ValidationError as error:
            raise ValueError(str(error)) from error
        data: bytes = whole.SerializeToString()
        return data


def declare(name: str, kind: str, shape: Sequence[str | int]) -> Declared:
    """Say what an input or output is; `kind` is one of ONNX's names of types."""
    return helper.make_tensor_value_info(name, elements(kind), list(shape))


def elements(kind: str) -> int:
    """Give the number that ONNX has for a type, DOUBLE for instance."""
    number: int = onnx.TensorProto.DataType.Value(kind)
    return number


def run(data: bytes, feeds: Feeds, runtime: str = "onnxruntime") -> tuple[dict[str, Any], str]:
    """Run a file in onnxruntime, or in ONNX's own reference where that is not installed; give outputs, and which.

    Raises ValueError where onnxruntime refuses it.
    """
    if find_spec(runtime) is None:
        runner = reference.ReferenceEvaluator(onnx.load_model_from_string(data))
        outputs = runner.run(None, dict(feeds))
        return dict(zip(runner.output_names, outputs, strict=True)), f"onnx.reference {version('onnx')}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    refused = (states.Fail, states.InvalidArgument, states.InvalidGraph, states.NotImplemented, states.RuntimeException)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        outputs = session.run(names, dict(feeds))
    except refused as error:  # which have no base of their own
        raise ValueError(str(error)) from error
    return dict(zip(names, outputs, strict=True)), f"onnxruntime {version('onnxruntime')}"
