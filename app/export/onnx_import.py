"""Networks of others become models: from an ONNX graph to a snapshot, once both answer the same."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from app.engine.arrays import Cells, Parameters
from app.engine.config import PRECISIONS, TrainingConfig
from app.engine.control import GoOn
from app.engine.network import Architecture
from app.engine.network import Network as Shape
from app.engine.training import History
from app.errors import BadTable, ExportRefused, MalformedOnnx, UnsupportedOnnx
from app.export.arriving import take_in
from app.export.onnx_layers import Dense, Network, layered
from app.export.onnx_package import helper
from app.export.onnx_reading import Graph, read
from app.export.probes import MOST_CELLS, Probes, Ran, difference, says_the_same
from app.export.running import in_onnxruntime
from app.faults import MOST_FAULTS, Fault
from app.models.applicability import FARTHEST, Neighbours
from app.models.defaults import Problem, candidates
from app.models.learning import network_for, outputs_for
from app.models.model import UNKNOWN, Model
from app.models.pairs import Pairs
from app.models.preprocessing import Encoder, Scaler, Scaling
from app.models.recipe import Recipe
from app.models.table import Column, Label, Source
from app.models.uncertainty import Misses
from app.store import snapshot
from app.store.arriving import Arrived
from app.store.store import ModelStore
from app.tables.answered import IN_RANGE
from app.tables.cells import LARGEST_NUMBER, count
from app.tables.kinds import LONGEST_LEVEL
from app.tables.table import require_names
from app.tables.targets import LARGEST_LABEL
from app.tables.texts import MISSING

TOLERANCE = 1e-5
PROBES = 256
SPREAD = 2.0  # deviations
KINDS = {"FLOAT": "float32", "DOUBLE": "float64"}


@dataclass(frozen=True)
class Naming:
    """What whoever brings a network in calls its columns, targets and classes; nothing where that is left open."""

    columns: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What a file has become, and how far both are from each other at most."""

    arrived: Arrived
    difference: float
    rows: int
    by: str


def import_onnx(
    go_on: GoOn, store: ModelStore, name: str, data: bytes, *, naming: Naming, most_parameters: int
) -> Imported:
    """Make an ONNX file the next version of a name; the same file with the same names is the same version.

    Raises OnnxUnavailable, MalformedOnnx, UnsupportedOnnx, BudgetExceeded for too many weights, BadTable for names that
    do not fit, and as `take_in` does.
    """
    file, graph = read(data, most_parameters, go_on)
    network = layered(graph.rows.steps, graph.columns, most_parameters, go_on)
    model = _model(graph, network, naming, hashlib.sha256(data).hexdigest())
    go_on()
    outputs = [graph.rows.tensor, *([graph.told] if graph.told else [])]
    del file.graph.output[:]
    file.graph.output.extend(helper.make_empty_tensor_value_info(output) for output in outputs)
    rows = _probes(network.features)
    try:
        ran = in_onnxruntime(file.SerializeToString(), KINDS[graph.kind], outputs, rows.tolist())
    except ExportRefused as error:
        message = "The graph cannot be run: onnxruntime, or ONNX's own reference, refuses it."
        raise MalformedOnnx(message) from error
    go_on()
    difference = _require_equal(model, rows, ran, is_named=bool(naming.labels))
    off = f"on {len(rows)} rows its answers are off by {difference:.2g} at most, in {ran.by}"
    report = replace(model.report, choice=f"Brought in from ONNX, as {graph.producer} wrote it: {off}.")
    arrived = take_in(go_on, store, name, snapshot.encode(replace(model, report=report)))
    return Imported(arrived, difference, len(rows), ran.by)


def _model(graph: Graph, network: Network, naming: Naming, sha256: str) -> Model:
    """Make a model of layers; what nobody learnt here is said to be nothing."""
    if graph.kind not in KINDS:
        message = f"The graph takes {graph.kind}, and rows of a model are numbers: FLOAT or DOUBLE."
        raise UnsupportedOnnx(message)
    task, labels = _task(graph, network, naming)
    outputs = network.layers[-1].W.shape[1]
    names = naming.columns or tuple(f"x{number + 1}" for number in range(graph.columns))
    targets = naming.target or _targets(1 if labels else outputs)
    _require_names(graph, names, targets, 1 if labels else outputs)
    problem = Problem(1, len(names), len(targets), len(labels), multilabel=task == "multilabel")
    recipe = candidates(_recipe(task, network, KINDS[graph.kind]), problem)[0].recipe
    encoder = _encoder(names, network.features)
    shape = network_for(recipe, encoder, outputs_for(recipe, len(targets), len(labels)))
    parameters = _parameters(shape, network.layers, KINDS[graph.kind])
    return Model(
        columns=encoder.columns,
        targets=targets,
        labels=labels,
        recipe=recipe,
        network=shape,
        parameters=parameters,
        encoder=encoder,
        target=network.target if task == "regression" else None,
        neighbours=_neighbours(network.features, is_of_classes=bool(labels)),
        misses=Misses.none(1 if labels else len(targets)),
        pairs=Pairs.none(len(labels) or len(targets), len(targets)),
        history=History(np.empty(0), np.empty(0)),
        report=replace(UNKNOWN, stopped="imported", parameters=parameters.size, imported=sha256),
        sources=tuple(
            Source(name, "number", 0.0, example=center)
            for name, center in zip(names, network.features.center.tolist(), strict=True)
        ),
    )


def _task(graph: Graph, network: Network, naming: Naming) -> tuple[str, tuple[Label, ...]]:
    """Tell what is answered, and the classes: those that are named, or that the file has, or else their numbers."""
    last, outputs = network.layers[-1].activation, network.layers[-1].W.shape[1]
    if graph.several:
        task, classes = "multilabel", 0
    elif graph.is_choice or naming.labels or last == "softmax":
        task, classes = "classification", 2 if outputs == 1 else outputs
    else:
        return "regression", ()
    if (network.target.scale != 1.0).any() or (network.target.center != 0.0).any():
        message = "The graph scales what should be probabilities. A classifier here ends with a sigmoid or a softmax."
        raise UnsupportedOnnx(message)
    labels: tuple[Label, ...] = (naming.labels or graph.labels or tuple(range(classes))) if classes else ()
    if len(labels) != classes or len(set(labels)) < classes:
        message = f"The graph tells {count(classes, 'class')} apart, and there are {count(len(set(labels)), 'label')}."
        raise BadTable(message, [Fault(count(classes, "label"), got=str(len(labels)), field="labels")])
    _require_labels(labels)
    return task, labels


def _require_labels(labels: tuple[Label, ...]) -> None:
    """Raise BadTable unless labels are such as a training takes: texts that are not long, or whole numbers."""
    kinds = set(map(type, labels))
    words = [label for label in labels if isinstance(label, str)]
    is_text = all(label.strip() == label and label not in MISSING and len(label) <= LONGEST_LEVEL for label in words)
    is_whole = all(isinstance(label, int) and abs(label) <= LARGEST_LABEL for label in labels)
    if kinds - {str, int} or len(kinds) > 1 or not (is_text if words else is_whole or not labels):
        message = "The labels of the graph are no texts of up to 128 characters, nor whole numbers that JSON keeps."
        raise BadTable(message, [Fault("labels of one kind", field="labels")])


def _targets(outputs: int) -> tuple[str, ...]:
    return ("y",) if outputs == 1 else tuple(f"y{number + 1}" for number in range(outputs))


def _require_names(graph: Graph, names: tuple[str, ...], targets: tuple[str, ...], outputs: int) -> None:
    """Raise BadTable unless there are as many names as columns and targets, which can be told apart."""
    for field, given, needed in (("columns", names, graph.columns), ("target", targets, outputs)):
        if len(given) != needed:
            message = f"The graph has {count(needed, field.removesuffix('s'))}, and {count(len(given), 'name')} came."
            raise BadTable(message, [Fault(count(needed, "name"), got=count(len(given), "name"), field=field)])
    require_names(names)
    require_names(targets)
    if taken := [name for name in targets if name in {*names, IN_RANGE}]:
        message = "A target has the name of a column, or of what answers tell beside it."
        raise BadTable(message, [Fault("another name", column=name, field="target") for name in taken[:MOST_FAULTS]])


def _recipe(task: str, network: Network, precision: str) -> Recipe:
    hidden = tuple(layer.W.shape[1] for layer in network.layers[:-1])
    return Recipe(
        task=task,
        network=Architecture(
            hidden=hidden,
            activation=network.hidden,
            output_activation=network.layers[-1].activation,
            bias=any(layer.b.any() for layer in network.layers),
        ),
        training=TrainingConfig(optimizer="adam", members=1, precision=precision),
        scaling=Scaling(features="standard", target="standard" if task == "regression" else None),
    )


def _encoder(names: tuple[str, ...], features: Scaler) -> Encoder:
    """Take numbers of any size, for nobody knows which there were; none of them may be missing."""
    nothing = np.zeros(len(names))
    return Encoder(
        columns=tuple(map(Column, names)),
        scaler=features,
        fill=nothing,
        missing=nothing,
        lowest=nothing - LARGEST_NUMBER,
        highest=nothing + LARGEST_NUMBER,
        edges=np.empty((0, len(names))),
        clip=None,
        one_hot=Scaling().one_hot,
    )


def _neighbours(features: Scaler, *, is_of_classes: bool) -> Neighbours:
    """Find every row near, and of one of the classes: nobody knows which rows were learnt from."""
    return Neighbours(features.center[np.newaxis], features.scale, FARTHEST, 1.0 if is_of_classes else 0.0)


def _parameters(shape: Shape, layers: tuple[Dense, ...], precision: str) -> Parameters:
    """Put weights and biases where a model has them; raise MalformedOnnx unless all are finite."""
    parameters: Parameters = np.zeros((1, shape.size), dtype=PRECISIONS[precision])
    with np.errstate(over="ignore"):
        for view, layer in zip(shape.layers(parameters), layers, strict=True):
            view.W[0] = layer.W
            if view.b is not None:
                view.b[0, 0] = layer.b
    if not np.isfinite(parameters).all():
        message = "Some weights of the graph are no finite numbers."
        raise MalformedOnnx(message)
    return parameters


def _probes(features: Scaler) -> Cells:
    """Draw rows as wide as the columns are scaled, of numbers that float32 has too."""
    columns = len(features.center)
    rows = min(PROBES, max(8, MOST_CELLS // columns))
    drawn = features.center + SPREAD * features.scale * np.random.default_rng(0).standard_normal((rows, columns))
    return drawn.astype(np.float32).astype(np.float64)


def _require_equal(model: Model, rows: Cells, ran: Ran, *, is_named: bool) -> float:
    """Give the greatest difference, relative to the answer or to the mean size of answers; refuse a large one."""
    scores = model.scores(rows)
    own = scores[:, 1:] if model.labels and ran.scores.shape[1] == 1 else scores
    unit = np.abs(own).mean(axis=0) if model.recipe.task == "regression" else np.ones(1)
    probes = Probes([], rows, own, np.maximum(unit, np.finfo(np.float32).tiny), TOLERANCE)
    greatest = difference(probes, ran.scores)
    is_same = not ran.predictions or is_named or says_the_same(model, replace(probes, scores=scores), ran.predictions)
    if greatest > TOLERANCE or not is_same:
        what = f"by {greatest:.2g}" if greatest > TOLERANCE else "in their labels"
        message = (
            f"The graph and the network that was read of it differ {what}, on {len(rows)} rows. Nothing was saved."
        )
        raise UnsupportedOnnx(message)
    return greatest
