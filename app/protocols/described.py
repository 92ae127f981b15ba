"""What a model is to the Open Inference Protocol V2: inputs and outputs, and Triton's configuration of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from app.engine.arrays import Cells
from app.engine.control import GoOn, go_on_for_ever
from app.models.model import Model
from app.protocols.tensors import TEXTS, TRUTHS, Output
from app.tables.answered import IN_RANGE, class_names, in_columns
from app.tables.columns import NUMBERS, sources_of

TENSOR = "X"  # all columns in one, where all are numbers
PROBABILITIES = "probabilities"
PLATFORM = "netlet"
NUMBER, WHOLE = "FP64", "INT64"
INPUTS = {"boolean": TRUTHS, "category": TEXTS, "date": TEXTS}  # of a column's kind; others are numbers
CONFIG = {NUMBER: "TYPE_FP64", WHOLE: "TYPE_INT64", TRUTHS: "TYPE_BOOL", TEXTS: "TYPE_STRING"}
MOST_AT_ONCE = 2**20


def metadata(name: str, versions: list[int], model: Model) -> dict[str, Any]:
    """Describe a model as `GET /v2/models/{name}` does."""
    columns, classes = [source.name for source in sources_of(model)], class_names(model)
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [_described(*input_) for input_ in inputs_of(model)],
        "outputs": [_described(*output) for output in outputs_of(model)],
        "parameters": {"columns": columns} | ({"labels": classes} if model.labels else {}),
    }


def _described(name: str, datatype: str, width: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, width]}


def config(name: str, model: Model) -> dict[str, Any]:
    """Describe a model as Triton's configuration does."""
    return {
        "name": name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "max_batch_size": MOST_AT_ONCE,
        "input": [_configured(*input_) for input_ in inputs_of(model)],
        "output": [_configured(*output) for output in outputs_of(model)],
    }


def _configured(name: str, datatype: str, width: int) -> dict[str, Any]:
    return {"name": name, "data_type": CONFIG[datatype], "dims": [width]}


def inputs_of(model: Model) -> list[tuple[str, str, int]]:
    """Give name, datatype and width of each input: one where all columns are numbers, else one a column."""
    sources = sources_of(model)
    if all(source.kind in NUMBERS for source in sources):
        return [(TENSOR, NUMBER, len(sources))]
    return [(source.name, INPUTS.get(source.kind, NUMBER), 1) for source in sources]


def outputs_of(model: Model) -> list[tuple[str, str, int]]:
    """Give name, datatype and width of each output: the targets, probabilities of classes, and whether in range."""
    datatype = NUMBER
    if model.labels:
        datatype = {bool: TRUTHS, int: WHOLE, str: TEXTS}[type(model.labels[0])]
    elif model.recipe.task == "multilabel":
        datatype = TRUTHS
    outputs = [(target, datatype, 1) for target in model.targets]
    if model.recipe.task != "regression" and PROBABILITIES not in model.targets:
        outputs.append((PROBABILITIES, NUMBER, len(model.labels) or len(model.targets)))
    return [*outputs, (IN_RANGE, TRUTHS, 1)]


def answers(model: Model, X: Cells, go_on: GoOn = go_on_for_ever) -> Iterator[Output]:
    """Answer rows, shape (rows, columns), with every output; raises BadTable where an answer overflows."""
    scores = model.scores(X, go_on)
    values = dict(zip(model.targets, in_columns(model, scores), strict=True))
    for name, datatype, width in outputs_of(model):
        if name in values:
            yield Output(name, datatype, width, values[name])
        elif name == PROBABILITIES:
            yield Output(name, datatype, width, scores)
        else:
            yield Output(name, datatype, width, np.asarray(model.encoder.in_range(X)))
