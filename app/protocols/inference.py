"""Inference as the Open Inference Protocol V2 has it: from a body to a model's rows, and from its answers to a body."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, FailFast, Field, JsonValue, ValidationError
from pydantic_core import to_json

from app.docstrings import Described
from app.engine.arrays import Cells
from app.engine.control import GoOn, go_on_for_ever
from app.errors import InvalidRequest
from app.faults import MOST_FAULTS, Fault
from app.models.model import Model
from app.protocols.described import answers, inputs_of
from app.protocols.tensors import TRUTHS, Output, Tensor, from_json, from_octets, require_datatype
from app.store.store import Stored
from app.tables.answering import cells_to_answer
from app.tables.bounds import Bounds
from app.tables.cells import LARGEST_NUMBER, describe
from app.tables.columns import sources_of
from app.tables.json_text import parse
from app.tables.plain import PlainRows
from app.tables.sent import Sent
from app.tables.table import Table, require_rows

HEADER = "inference-header-content-length"
OCTETS = "binary_data_size"
LONGEST_LENGTH = 18  # digits of a number of bytes
EXAMPLE: JsonValue = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [4, 8]}]}
LOOSE = ConfigDict(extra="ignore", strict=True)
Parameters = Annotated[dict[str, Any], MaxLen(100)]
Size = Annotated[int, Ge(0), Le(2**40)]


class InputTensor(BaseModel):
    """One input: all columns of numbers, `[rows, columns]`, or one column, `[rows]` or `[rows, 1]`."""

    model_config = LOOSE

    name: str
    datatype: str
    shape: Annotated[list[Size], MinLen(1), MaxLen(2)]
    parameters: Parameters = Field(default_factory=dict)
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """One output that is asked for."""

    model_config = LOOSE

    name: str
    parameters: Parameters = Field(default_factory=dict)


class InferenceRequest(BaseModel):
    """Rows to answer."""

    model_config = ConfigDict(**LOOSE, json_schema_extra=Described(EXAMPLE))

    id: str | None = None
    parameters: Parameters = Field(default_factory=dict)
    inputs: Annotated[list[InputTensor], MinLen(1), MaxLen(10_000), FailFast()]
    outputs: Annotated[list[RequestedOutput], MaxLen(10_000), FailFast()] = Field(default_factory=list)


class Asked(NamedTuple):
    """An inference request, and the tensors that came with it."""

    request: InferenceRequest
    tensors: list[Tensor]
    is_raw: bool = False
    """Whether the body was nothing but one row's octets."""


class Answered(NamedTuple):
    """The body of an answer, and how much of it is JSON, where octets follow."""

    body: bytes
    header_length: int | None


def read(body: bytes, header: str | None, model: Model) -> Asked:
    """Read a body: JSON, or as much of it as the header says and octets behind.

    Raises MalformedBody for what is no such JSON, InvalidRequest for what does not fit together, BadTable for tensors
    whose values are too few or too many.
    """
    length = len(body) if header is None else _length(header, len(body))
    if length == 0 and header is not None:
        return _raw(body, model)
    try:
        request = InferenceRequest.model_validate(parse(body[:length]))
    except ValidationError as error:
        raise _told(error) from None
    octets, at, tensors = memoryview(body)[length:], 0, []
    for given in request.inputs:
        require_datatype(given.name, given.datatype)
        size = given.parameters.get(OCTETS)
        if given.data is not None and size is None:
            tensors.append(from_json(given.name, given.datatype, given.shape, given.data))
        elif given.data is None and type(size) is int and 0 <= size <= len(octets) - at:
            tensors.append(from_octets(given.name, given.datatype, given.shape, octets[at : at + size]))
            at += size
        else:
            message = f"Input {given.name} has either data, or a {OCTETS} of octets that follow the JSON."
            raise InvalidRequest(message, [Fault("one of them", field=OCTETS)])
    if at != len(octets):
        message = f"{len(octets)} bytes follow the JSON, and the inputs speak of {at}."
        raise InvalidRequest(message, [Fault("as many bytes as follow", got=str(at), field=OCTETS)])
    return Asked(request, tensors)


def _length(header: str, whole: int) -> int:
    length = int(header) if header.isascii() and header.isdecimal() and len(header) <= LONGEST_LENGTH else -1
    if not 0 <= length <= whole:
        message = f"{HEADER} says how many of the body's {whole} bytes are JSON."
        raise InvalidRequest(message, [Fault(f"a whole number up to {whole}", got=header[:20], field=HEADER)])
    return length


def _raw(body: bytes, model: Model) -> Asked:
    """Take a body that is nothing but the octets of one row."""
    inputs = inputs_of(model)
    if len(inputs) > 1:
        message = "Only a model with one input takes a body that is nothing but octets."
        raise InvalidRequest(message, [Fault("JSON before the octets", field=HEADER)])
    ((name, datatype, width),) = inputs
    given = InputTensor(name=name, datatype=datatype, shape=[1, width])
    tensor = from_octets(name, datatype, given.shape, memoryview(body))
    return Asked(InferenceRequest(inputs=[given]), [tensor], is_raw=True)


def _told(error: ValidationError) -> InvalidRequest:
    details = error.errors(include_url=False, include_context=False)
    faults = [
        Fault(detail["msg"], got=describe(detail["input"]), field=".".join(map(str, detail["loc"])) or "body")
        for detail in details[:MOST_FAULTS]
    ]
    return InvalidRequest("The request is not one of the Open Inference Protocol V2.", faults, len(details))


def cells(asked: Asked, model: Model, bounds: Bounds) -> Cells:
    """Give the rows of a request, shape (rows, columns); raises as `cells_to_answer` does, and TableTooLarge."""
    names = [source.name for source in sources_of(model)]
    bounds.require_few(max(tensor.shape[0] for tensor in asked.tensors), len(names))
    first, *others = asked.tensors
    if not others and len(first.shape) > 1 and (first.name not in names or first.shape[1] != 1):
        return _cells_of_tensor(first, names, model)
    lengths = {tensor.shape[0] for tensor in asked.tensors}
    if any(tensor.shape[1:] not in {(), (1,)} for tensor in asked.tensors) or len(lengths) > 1:
        message = "Send all columns as one input, [rows, columns], or each as one of its own, [rows, 1], all as long."
        raise InvalidRequest(message, [Fault("inputs of such shapes", field="inputs")])
    names = [tensor.name for tensor in asked.tensors]
    return cells_to_answer(Sent(table=_table(names, [tensor.column() for tensor in asked.tensors])), model)


def _table(names: Sequence[str], columns: Sequence[Any]) -> Table:
    """Take JSON at its types; arrays have theirs."""
    return Table(tuple(names), columns, typed=all(isinstance(column, list) for column in columns))


def _cells_of_tensor(tensor: Tensor, names: list[str], model: Model) -> Cells:
    rows, width = tensor.shape[0], tensor.shape[1]
    if width != len(names):
        message = f"Input {tensor.name} has the shape {list(tensor.shape)}, and the model has {len(names)} columns."
        raise InvalidRequest(message, [Fault(f"[{rows}, {len(names)}]", got=str(list(tensor.shape)), field="shape")])
    if isinstance(tensor.values, np.ndarray) and tensor.datatype != TRUTHS:
        X = np.ascontiguousarray(tensor.values.reshape(rows, width), dtype=np.float64)
        if X.size and PlainRows(model).takes(X) and max(X.max(), -X.min()) <= LARGEST_NUMBER:
            return X
    columns = [tensor.column(index, width) for index in range(width)]
    require_rows(range(rows))
    return cells_to_answer(Sent(table=_table(names, columns)), model)


def written(asked: Asked, stored: Stored, X: Cells, go_on: GoOn = go_on_for_ever) -> Answered:
    """Answer rows as is asked for; raises BadTable where an answer overflows, InvalidRequest for outputs it has not."""
    outputs = {output.name: output for output in answers(stored.model, X, go_on)}
    wanted = asked.request.outputs or [RequestedOutput(name=output) for output in outputs]
    names = [output.name for output in wanted]
    if unknown := [name for name in names if name not in outputs] or [
        name for name in outputs if names.count(name) > 1
    ]:
        message = f"Ask for outputs of the model, each once. It has: {', '.join(outputs)[:200]}."
        raise InvalidRequest(message, [Fault("each once", got=unknown[0][:40], field="outputs")])
    all_binary = asked.is_raw or asked.request.parameters.get("binary_data_output") is True
    told, octets = [], []
    for output in wanted:
        go_on()
        is_binary = output.parameters.get("binary_data", all_binary) is True
        told.append(_told_of(outputs[output.name], len(X), is_binary))
        if is_binary:
            octets.append(outputs[output.name].octets())
            told[-1]["parameters"] = {OCTETS: len(octets[-1])}
    answer: dict[str, Any] = {"model_name": stored.name, "model_version": str(stored.version), "outputs": told}
    if asked.request.id is not None:
        answer["id"] = asked.request.id
    header = to_json(answer)
    return Answered(b"".join((header, *octets)), len(header) if octets else None)


def _told_of(output: Output, rows: int, is_binary: bool) -> dict[str, Any]:  # noqa: FBT001 - as the protocol has it
    told = {"name": output.name, "datatype": output.datatype, "shape": [rows, output.width]}
    return told if is_binary else told | {"data": output.listed()}
