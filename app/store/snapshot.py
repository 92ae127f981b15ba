"""Snapshots: a model as bytes, and back. `models/README.md` describes the format for readers without netlet.

A snapshot is a safetensors file. Its arrays are the tensors; everything else is one JSON document in the file's
metadata. Reading one runs nothing that is in it.
"""

import hashlib
import json
import platform
from importlib.metadata import version as version_of
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from app import __version__
from app.engine.arrays import Array
from app.engine.config import PRECISIONS
from app.engine.defaults import PROBABILITIES
from app.engine.learning import network_for, outputs_for
from app.engine.losses import LOSSES
from app.engine.model import Model, Report
from app.engine.network import Network
from app.engine.preprocessing import PAIR, Encoder, Scaler
from app.engine.recipe import Recipe
from app.engine.table import Column, Label
from app.engine.training import History

FORMAT = 2
KEY = "netlet"
BLANK = "0" * 64
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
    columns: tuple[Column, ...]
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
    """Name the arrays of a model."""
    encoder = model.encoder
    tensors: dict[str, Array] = {
        "features.center": encoder.scaler.center,
        "features.scale": encoder.scaler.scale,
        "features.fill": encoder.fill,
        "features.missing": encoder.missing,
        "features.edges": encoder.edges,
        "range.lowest": encoder.lowest,
        "range.highest": encoder.highest,
        "history.loss": model.history.loss,
        "history.validation_loss": model.history.validation_loss,
    }
    if model.target is not None:
        tensors |= {"target.center": model.target.center, "target.scale": model.target.scale}
    return {
        name: np.ascontiguousarray(array) for name, array in (tensors | _views(model.network, model.parameters)).items()
    }


def _views(network: Network, parameters: Array) -> dict[str, Array]:
    """Name the parts of the parameters; they are views, so that they can be written to."""
    views: dict[str, Array] = {}
    for number, layer in enumerate(network.layers(parameters), start=1):
        views[f"layers.{number}.W"] = layer.W
        if layer.b is not None:
            views[f"layers.{number}.b"] = layer.b
    return views | {f"embeddings.{number}": table for number, table in enumerate(network.tables(parameters), start=1)}


def _model(document: Document, tensors: dict[str, Array]) -> Model:
    _require_consistent(document)
    recipe, encoder = document.recipe, _encoder(document, tensors)
    epochs, judged = tensors["history.loss"].size, tensors["history.validation_loss"].size
    loss = _taken(tensors, "history.loss", (epochs,))
    history = History(loss, _taken(tensors, "history.validation_loss", (epochs if judged else 0,)))
    target = None
    if recipe.task == "regression":
        targets = (len(document.targets),)
        target = Scaler(_taken(tensors, "target.center", targets), _taken(tensors, "target.scale", targets, above=0.0))
    network = network_for(recipe, encoder, outputs_for(recipe, len(document.targets), len(document.labels)))
    return Model(
        columns=document.columns,
        targets=document.targets,
        labels=document.labels,
        recipe=recipe,
        network=network,
        parameters=_parameters(network, recipe, tensors),
        encoder=encoder,
        target=target,
        history=history,
        report=document.report,
        tags=document.tags,
        description=document.description,
    )


def _parameters(network: Network, recipe: Recipe, tensors: dict[str, Array]) -> Array:
    """Put together the parameters, from all the arrays that are left."""
    kind, members = PRECISIONS[str(recipe.training.precision)], recipe.training.members or 1
    if members * network.size != sum(tensor.size for tensor in tensors.values()):
        message = "parameters of another number"  # a forged document must not make room for what is not there
        raise ValueError(message)
    parameters = np.zeros((members, network.size), dtype=kind)
    views = _views(network, parameters)
    if views.keys() != tensors.keys():
        message = "unexpected arrays"
        raise ValueError(message)
    for name, view in views.items():
        _require(name, tensors[name], view.shape, kind)
        view[:] = tensors[name]
    return parameters


def _encoder(document: Document, tensors: dict[str, Array]) -> Encoder:
    """Put together the encoder; raise ValueError where its arrays do not fit the columns."""
    scaling, columns = document.recipe.scaling, (len(document.columns),)
    center = _taken(tensors, "features.center", columns)
    encoder = Encoder(
        columns=document.columns,
        scaler=Scaler(center, _taken(tensors, "features.scale", columns, above=0.0)),
        fill=_taken(tensors, "features.fill", columns),
        missing=_taken(tensors, "features.missing", columns),
        lowest=_taken(tensors, "range.lowest", columns),
        highest=_taken(tensors, "range.highest", columns),
        edges=_taken(tensors, "features.edges", (0 if scaling.bins is None else 2 * (scaling.bins + 1), *columns)),
        clip=scaling.clip,
        one_hot=scaling.one_hot,
    )
    if not np.isin(encoder.missing, (0.0, 1.0)).all() or (np.diff(encoder.edges, axis=0) < 0).any():
        message = "unfit array features.missing or features.edges"
        raise ValueError(message)
    return encoder


def _taken(tensors: dict[str, Array], name: str, shape: tuple[int, ...], *, above: float = -np.inf) -> Array:
    """Take an array out; raise ValueError unless it is of float64, of this shape, finite and above this."""
    array = tensors.pop(name)
    _require(name, array, shape, np.float64)
    if not (array > above).all():
        message = f"unfit array {name}"
        raise ValueError(message)
    return array


def _require(name: str, array: Array, shape: tuple[int, ...], kind: type) -> None:
    """Raise ValueError unless an array is finite and of this shape and kind."""
    if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
        message = f"unfit array {name}"
        raise ValueError(message)


def _require_consistent(document: Document) -> None:
    """Raise ValueError if a document contradicts itself, or leaves open what decides how its arrays are used."""
    recipe, labels = document.recipe, document.labels
    network, training = recipe.network, recipe.training
    given = (network.hidden, network.activation, network.output_activation, training.precision, training.members)
    complete = recipe.task is not None and training.loss in LOSSES and None not in given
    classes = recipe.task == "classification"
    fit_together = classes == bool(labels) and (network.output_activation in PROBABILITIES or not classes)
    for words in ([column.name for column in document.columns], document.targets, labels or (True,)):
        fit_together = fit_together and len(words) == len(set(words)) > 0
    for column in document.columns:
        fit_together = fit_together and len(column.levels) == len(set(column.levels))
    if not complete or not fit_together or (network.output_activation == "sigmoid" and len(labels) > PAIR):
        message = "settings that contradict each other"
        raise ValueError(message)
