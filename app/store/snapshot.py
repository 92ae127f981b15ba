"""Snapshots: a model as bytes, and back. `models/README.md` describes the format for readers without netlet.

A snapshot is a safetensors file. Its arrays are the tensors; everything else is one JSON document in the file's
metadata. Reading one runs nothing that is in it.
"""

import hashlib
import json
import platform
from importlib.metadata import version as version_of
from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from app import __version__
from app.engine.arrays import Array
from app.engine.learning import network_for
from app.engine.model import Model, Report
from app.engine.network import Network
from app.engine.preprocessing import Label, Scaler
from app.engine.recipe import PROBABILITIES, Recipe
from app.engine.training import History

FORMAT = 1
KEY = "netlet"
BLANK = "0" * 64
PAIR = 2  # labels that one sigmoid tells apart
LENGTH_BYTES = 8  # a safetensors file begins with its header's length
LONGEST_HEADER = 16 * 2**20
LARGEST_FILE = 2**40

REPORT = TypeAdapter(Report)


class Damage(Exception):
    """These bytes are not a snapshot as it was written; the text says why."""


class NewerFormat(Exception):
    """These bytes are in a format that this netlet does not know."""

    def __init__(self, found: int) -> None:
        super().__init__(f"format {found}")
        self.found = found


class Document(BaseModel):
    """The JSON document of a snapshot: all of a model that is no array."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    sha256: str
    format: Annotated[int, Ge(1)]
    libraries: dict[str, str]
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    labels: tuple[Label, ...]
    recipe: Recipe
    report: Report
    tags: dict[str, str] = Field(default_factory=dict)
    description: str = ""


def encode(model: Model) -> bytes:
    """Write a model as a safetensors file; equal models give equal bytes."""
    document = Document(
        sha256=BLANK,
        format=FORMAT,
        libraries={"netlet": __version__, "numpy": version_of("numpy"), "python": platform.python_version()},
        columns=model.columns,
        targets=model.targets,
        labels=model.labels,
        recipe=model.recipe,
        report=model.report,
        tags=model.tags,
        description=model.description,
    )
    blank = save(_tensors(model), metadata={KEY: document.model_dump_json()})
    return blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def decode(data: bytes) -> tuple[Model, Document]:
    """Read what `encode` wrote; raise Damage if it is not that to the last bit, else NewerFormat."""
    document = read_document(data)
    if hashlib.sha256(data.replace(document.sha256.encode(), BLANK.encode(), 1)).hexdigest() != document.sha256:
        message = "its SHA-256 does not match its bytes"
        raise Damage(message)
    try:
        return _model(document, load(data)), document
    except (SafetensorError, KeyError, ValueError) as error:
        message = f"its arrays cannot be read ({type(error).__name__})"
        raise Damage(message) from error


def read_document(data: bytes) -> Document:
    """Read the JSON document from the beginning of a snapshot, without checking the rest."""
    end = header_end(data)
    if len(data) < max(end, LENGTH_BYTES + 1):
        message = "it is cut short, or no safetensors file"
        raise Damage(message)
    try:
        text = json.loads(data[LENGTH_BYTES:end])["__metadata__"][KEY]
        found = json.loads(text)["format"]
        if isinstance(found, int) and found > FORMAT:
            raise NewerFormat(found)
        return Document.model_validate_json(text)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        message = f"its header cannot be read ({type(error).__name__})"
        raise Damage(message) from error


def header_end(beginning: bytes) -> int:
    """Tell from the first bytes of a snapshot where its header ends, or would have to end at the latest."""
    return LENGTH_BYTES + min(int.from_bytes(beginning[:LENGTH_BYTES], "little"), LONGEST_HEADER)


def size(beginning: bytes) -> int:
    """Tell from a snapshot's header how long the file is; raise Damage if it does not say."""
    try:
        header = json.loads(beginning[LENGTH_BYTES:])
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return len(beginning) + min(max(0, *map(int, ends)), LARGEST_FILE)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        message = f"its header cannot be read ({type(error).__name__})"
        raise Damage(message) from error


def _tensors(model: Model) -> dict[str, Array]:
    tensors = {
        "features.center": model.features.center,
        "features.scale": model.features.scale,
        "range.lowest": model.lowest,
        "range.highest": model.highest,
        "history.loss": model.history.loss,
        "history.validation_loss": model.history.validation_loss,
    }
    if model.target is not None:
        tensors |= {"target.center": model.target.center, "target.scale": model.target.scale}
    for number, layer in enumerate(model.network.layers(model.parameters), start=1):
        tensors[f"layers.{number}.W"] = layer.W
        if layer.b is not None:
            tensors[f"layers.{number}.b"] = layer.b
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _model(document: Document, tensors: dict[str, Array]) -> Model:
    network = _network(document)
    _require_shapes(document, network, tensors)
    parameters = np.zeros(network.size)
    for number, layer in enumerate(network.layers(parameters), start=1):
        layer.W[:] = tensors[f"layers.{number}.W"]
        if layer.b is not None:
            layer.b[:] = tensors[f"layers.{number}.b"]
    return Model(
        columns=document.columns,
        targets=document.targets,
        labels=document.labels,
        recipe=document.recipe,
        network=network,
        parameters=parameters,
        features=Scaler(tensors["features.center"], tensors["features.scale"]),
        target=None if document.labels else Scaler(tensors["target.center"], tensors["target.scale"]),
        lowest=tensors["range.lowest"],
        highest=tensors["range.highest"],
        history=History(tensors["history.loss"], tensors["history.validation_loss"]),
        report=document.report,
        tags=document.tags,
        description=document.description,
    )


def _network(document: Document) -> Network:
    """Lay out the network that a document describes; raise ValueError if it contradicts itself."""
    output, labels = document.recipe.network.output_activation, document.labels
    classes = document.recipe.task == "classification"
    fit_together = classes == bool(labels) and (output in PROBABILITIES or not classes)
    for words in (document.columns, document.targets, labels or (True,)):
        fit_together = fit_together and len(words) == len(set(words)) > 0
    if (
        output is None
        or document.recipe.task is None
        or not fit_together
        or (output == "sigmoid" and len(labels) > PAIR)
    ):
        message = "settings that contradict each other"
        raise ValueError(message)
    outputs = len(document.targets)
    if classes:
        outputs = 1 if output == "sigmoid" else len(labels)
    return network_for(document.recipe, len(document.columns), outputs)


def _require_shapes(document: Document, network: Network, tensors: dict[str, Array]) -> None:
    """Raise ValueError unless a file holds exactly the arrays its document calls for, finite, in float64."""
    columns = (len(document.columns),)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("features.center", "features.scale", "range.lowest", "range.highest"), columns
    )
    if not document.labels:
        shapes |= dict.fromkeys(("target.center", "target.scale"), (len(document.targets),))
    for number, (fan_in, fan_out) in enumerate(pairwise(network.sizes), start=1):
        shapes[f"layers.{number}.W"] = (fan_in, fan_out)
        if network.bias:
            shapes[f"layers.{number}.b"] = (fan_out,)
    epochs, judged = tensors["history.loss"].size, tensors["history.validation_loss"].size
    shapes |= {"history.loss": (epochs,), "history.validation_loss": (epochs if judged else 0,)}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        message = "unexpected arrays"
        raise ValueError(message)
    for name, tensor in tensors.items():
        if tensor.dtype != np.float64 or not np.isfinite(tensor).all() or ("scale" in name and not (tensor > 0).all()):
            message = f"unfit array {name}"
            raise ValueError(message)
