"""Graphs of others, read as what they do to a row: sums, scalings and activations, one after the other.

Operators that say something else are refused by name. Nothing is run here, and no other file is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from app.engine.arrays import Array
from app.engine.control import GoOn
from app.errors import MalformedOnnx, UnsupportedOnnx
from app.export.onnx_claims import require_few_parts
from app.export.onnx_operators import OPERATORS, Activated, Both, Chosen, Rows, Step, Sum, Value, require_within
from app.export.onnx_package import checker, helper, numpy_helper, onnx, protobuf, require_onnx
from app.models.table import Label
from app.tables.table import MOST_COLUMNS

MOST_NODES = 1000
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")  # of operators that ONNX itself defines


@dataclass(frozen=True)
class Graph:
    """What a graph computes: from so many columns, in these steps, which end in a tensor."""

    columns: int
    input: str
    kind: str
    rows: Rows
    labels: tuple[Label, ...]
    is_choice: bool
    several: bool
    told: str | None
    """The output that holds labels, where one does."""
    producer: str


def read(data: bytes, most_parameters: int, go_on: GoOn) -> tuple[Any, Graph]:
    """Read a file; give ONNX's own form of it too. `go_on` is called before each node.

    Raises OnnxUnavailable, MalformedOnnx, UnsupportedOnnx for what no model here computes, or BudgetExceeded for too
    many weights, each counted as often as it is used.
    """
    require_onnx()
    try:
        require_few_parts(data)
        model = onnx.load_model_from_string(data)
        _require_plain(model)
        checker.check_model(model)
    except (protobuf.DecodeError, checker.ValidationError, RuntimeError, TypeError, ValueError) as error:
        message = f"The body is no ONNX model that holds together ({type(error).__name__})."
        raise MalformedOnnx(message) from error
    graph = model.graph
    values: dict[str, Value] = {one.name: _array(one) for one in graph.initializer}
    start = _input(graph, values)
    values[start.tensor] = start
    weights = 0
    for node in graph.node:
        go_on()
        before = list(values.values())
        _follow(node, values)
        made = values.get(node.output[0])
        if isinstance(made, Rows) and all(made is not value for value in before):
            weights += _size(made.steps[-1])
            require_within(weights, most_parameters)
    kind = next(one.type.tensor_type.elem_type for one in graph.input if one.name == start.tensor)
    return model, _concluded(model, values, start, _kind(kind))


def _size(step: Step) -> int:
    """Count the numbers of a step."""
    if isinstance(step, Activated):
        return 0
    return step.W.size if isinstance(step, Sum) else step.scale.size


def _kind(number: int) -> str:
    try:
        name: str = onnx.TensorProto.DataType.Name(number)
    except ValueError as error:
        message = "The body is no ONNX model that holds together: its input is of a type that there is not."
        raise MalformedOnnx(message) from error
    return name


def _require_plain(model: Any) -> None:  # noqa: ANN401 - of a package without types
    """Raise UnsupportedOnnx for what could hide something: functions, others' operators, other files, many nodes."""
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        _refuse(f"{len(graph.node)} nodes, of which a network that fits has {MOST_NODES} at most")
    if model.functions or graph.sparse_initializer:
        _refuse("functions or sparse tensors of its own")
    if any(node.domain not in DOMAINS for node in graph.node):
        _refuse("operators that are not ONNX's own")
    constants = [one.t for node in graph.node for one in node.attribute]
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in (*graph.initializer, *constants)):
        _refuse("weights in another file")


def _refuse(what: str) -> NoReturn:
    known = ", ".join(sorted(OPERATORS))
    message = f"The graph has {what[:200]}. A dense network is taken in: one input of rows, then any of {known}."
    raise UnsupportedOnnx(message)


def _array(tensor: Any) -> Array:  # noqa: ANN401 - of a package without types
    try:
        array: Array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        message = "The body is no ONNX model that holds together: a tensor is not of its shape."
        raise MalformedOnnx(message) from error
    return array


def _input(graph: Any, values: Mapping[str, Value]) -> Rows:  # noqa: ANN401 - of a package without types
    """Find the one input, which has rows of so many columns."""
    inputs = [one for one in graph.input if one.name not in values]
    if len(inputs) != 1:
        _refuse(f"{len(inputs)} inputs")
    dimensions = inputs[0].type.tensor_type.shape.dim
    width = dimensions[1].dim_value if len(dimensions) == 2 else 0  # noqa: PLR2004 - rows and columns
    if not 1 <= width <= MOST_COLUMNS:
        _refuse(f"an input that is not rows of 1 to {MOST_COLUMNS} columns")
    return Rows(inputs[0].name, width)


def _follow(node: Any, values: dict[str, Value]) -> None:  # noqa: ANN401 - of a package without types
    """Tell what a node makes of what is known."""
    called = f"an operator {node.op_type[:60]}"
    operator = OPERATORS.get(node.op_type)
    if node.op_type != "Constant" and (operator is None or any(name and name not in values for name in node.input)):
        _refuse(called)
    try:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if operator is None:
            values[node.output[0]] = _array(attributes["value"])
            return
        found = operator([values[name] for name in node.input if name], attributes, node.output[0])
    except (ValueError, IndexError, TypeError, KeyError, AttributeError):
        _refuse(f"{called} of shapes that no dense layer has")
    if found is None:
        _refuse(f"{called} in a way that no dense network has it")
    values[node.output[0]] = found


def _concluded(model: Any, values: Mapping[str, Value], start: Rows, kind: str) -> Graph:  # noqa: ANN401 - of a package without types
    """Put together what the outputs say."""
    outputs = {one.name: values.get(one.name) for one in model.graph.output}
    found = [value.rows if isinstance(value, Both | Chosen) else value for value in outputs.values()]
    ends = [one for one in found if isinstance(one, Rows)]
    if len({one.steps for one in ends}) != 1 or not ends[0].steps:
        _refuse("outputs that are not those of one network")
    chosen = {name: value for name, value in outputs.items() if isinstance(value, Chosen)}
    labels = next((value.labels for value in chosen.values() if value.labels), ())
    tensors = [one.name for one in model.graph.output if one.type.WhichOneof("value") == "tensor_type"]
    return Graph(
        columns=start.width,
        input=start.tensor,
        kind=kind,
        rows=ends[0],
        labels=labels,
        is_choice=any(isinstance(value, Chosen | Both) for value in outputs.values()),
        several=any(value.several for value in chosen.values()),
        told=next((name for name, value in chosen.items() if value.labels and name in tensors), None),
        producer=f"{model.producer_name} {model.producer_version}".strip()[:100] or "an unnamed program",
    )
