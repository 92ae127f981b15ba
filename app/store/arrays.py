"""The arrays of a snapshot: a model taken apart, and put together again from arrays that fit its document."""

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array
from app.engine.config import PRECISIONS
from app.engine.network import Network
from app.engine.training import History
from app.models.applicability import MOST_NEIGHBOURS, Neighbours
from app.models.learning import network_for, outputs_for
from app.models.model import Model
from app.models.pairs import MOST_PAIRS, Pairs
from app.models.preprocessing import Encoder, Scaler
from app.models.recipe import Recipe
from app.models.uncertainty import KNOTS, MOST_MISSES, Misses
from app.store.document import Damage, Document

Arrays = dict[str, Array]


def arrays_of(model: Model) -> Arrays:
    """Name the arrays of a model."""
    encoder = model.encoder
    arrays = {
        "features.center": encoder.scaler.center,
        "features.scale": encoder.scaler.scale,
        "features.fill": encoder.fill,
        "features.missing": encoder.missing,
        "features.edges": encoder.edges,
        "range.lowest": encoder.lowest,
        "range.highest": encoder.highest,
        "neighbours.rows": model.neighbours.rows,
        "neighbours.scale": model.neighbours.scale,
        "misses.sizes": model.misses.sizes,
        "misses.knots": model.misses.knots,
        "misses.usual": model.misses.usual,
        "pairs.answers": model.pairs.answers,
        "pairs.truth": model.pairs.truth,
        "history.loss": model.history.loss,
        "history.validation_loss": model.history.validation_loss,
    } | _views(model.network, model.parameters)
    if model.target is not None:
        arrays |= {"target.center": model.target.center, "target.scale": model.target.scale}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def model_from(document: Document, arrays: Arrays) -> Model:
    """Put a model together; raise Damage unless there are exactly the arrays that its document calls for."""
    document.require_consistent()
    recipe, left = document.recipe, dict(arrays)
    with np.errstate(over="ignore"):  # bins may be as wide as numbers go
        encoder = _encoder(document, left)
        network = network_for(recipe, encoder, outputs_for(recipe, len(document.targets), len(document.labels)))
    return Model(
        columns=document.columns,
        targets=document.targets,
        labels=document.labels,
        recipe=recipe,
        network=network,
        encoder=encoder,
        target=_scaler("target", len(document.targets), left) if recipe.task == "regression" else None,
        neighbours=_neighbours(document, encoder, left),
        misses=_misses(document, left),
        pairs=_pairs(document, left),
        temperature=document.temperature,
        history=_history(document.report.epochs, left),
        parameters=_parameters(network, recipe, left),  # last: all that is left
        report=document.report,
        tags=document.tags,
        description=document.description,
        dataset=document.dataset,
        continued_from=document.continued_from,
        weight=document.weight,
        kinds=document.kinds,
        sources=document.sources,
    )


def _views(network: Network, parameters: Array) -> Arrays:
    """Name the parts of the parameters; they are views, so that they can be written to."""
    views: Arrays = {}
    for number, layer in enumerate(network.layers(parameters), start=1):
        views[f"layers.{number}.W"] = layer.W
        if layer.b is not None:
            views[f"layers.{number}.b"] = layer.b[:, 0]
    return views | {f"embeddings.{number}": table for number, table in enumerate(network.tables(parameters), start=1)}


def _encoder(document: Document, left: Arrays) -> Encoder:
    scaling, columns = document.recipe.scaling, len(document.columns)
    encoder = Encoder(
        columns=document.columns,
        scaler=_scaler("features", columns, left),
        fill=_taken("features.fill", (columns,), left),
        missing=_taken("features.missing", (columns,), left),
        lowest=_taken("range.lowest", (columns,), left),
        highest=_taken("range.highest", (columns,), left),
        edges=_taken("features.edges", (2 * (scaling.bins + 1) if scaling.bins else 0, columns), left),
        clip=scaling.clip,
        one_hot=scaling.one_hot,
    )
    _require(np.isin(encoder.missing, (0.0, 1.0)), "features.missing")
    _require(encoder.edges[1:] >= encoder.edges[:-1], "features.edges")
    _require(encoder.highest >= encoder.lowest, "range.highest")
    return encoder


def _neighbours(document: Document, encoder: Encoder, left: Arrays) -> Neighbours:
    rows = max(1, _rows("neighbours.rows", MOST_NEIGHBOURS, left))
    neighbours = _taken("neighbours.rows", (rows, len(document.columns)), left)
    _require((encoder.lowest <= neighbours) & (encoder.highest >= neighbours), "neighbours.rows")
    scale = _taken("neighbours.scale", (len(document.columns),), left)
    _require(scale > 0, "neighbours.scale")
    return Neighbours(neighbours, scale, document.near, document.reach)


def _misses(document: Document, left: Arrays) -> Misses:
    """Take what was missed: as many rows as there are, at most so many; knots only where they are of numbers."""
    targets, regression = len(document.targets), document.recipe.task == "regression"
    known = _rows("misses.sizes", MOST_MISSES, left)
    sizes = _taken("misses.sizes", (known, 1 if document.labels else targets), left)
    knots, usual = (
        _taken(f"misses.{name}", (KNOTS if known and regression else 0, targets), left) for name in ("knots", "usual")
    )
    _require((sizes[1:] >= sizes[:-1]) & (sizes[:1] >= 0), "misses.sizes")
    _require(knots[1:] >= knots[:-1], "misses.knots")
    _require(usual > 0, "misses.usual")
    return Misses(sizes, knots, usual)


def _pairs(document: Document, left: Arrays) -> Pairs:
    """Take answers and truths, of as many rows as there are, at most so many; a truth is one that there can be."""
    kept, targets, labels = _rows("pairs.answers", MOST_PAIRS, left), len(document.targets), len(document.labels)
    pairs = Pairs(
        _taken("pairs.answers", (kept, labels or targets), left), _taken("pairs.truth", (kept, targets), left)
    )
    if document.recipe.task != "regression":
        _require(np.isin(pairs.truth, np.arange(labels or 2)), "pairs.truth")
    return pairs


def _scaler(prefix: str, columns: int, left: Arrays) -> Scaler:
    center, scale = (_taken(f"{prefix}.{name}", (columns,), left) for name in ("center", "scale"))
    _require(scale > 0, f"{prefix}.scale")
    return Scaler(center, scale)


def _history(epochs: int, left: Arrays) -> History:
    loss = _taken("history.loss", (epochs,), left)
    judged = left.get("history.validation_loss", loss).size
    return History(loss, _taken("history.validation_loss", (epochs if judged else 0,), left))


def _parameters(network: Network, recipe: Recipe, left: Arrays) -> Array:
    """Put together the parameters from all the arrays that are left."""
    kind, members = PRECISIONS[str(recipe.training.precision)], recipe.training.members or 1
    if members * network.size != sum(array.size for array in left.values()):
        message = "its arrays hold another number of parameters than its network has"
        raise Damage(message)  # before a forged document makes room for what is not there
    parameters = np.zeros((members, network.size), dtype=kind)
    for name, view in _views(network, parameters).items():
        view[:] = _taken(name, view.shape, left, kind)
    if left:
        message = "it holds arrays that belong to nothing"  # empty ones, to have the number right
        raise Damage(message)
    return parameters


def _rows(name: str, most: int, left: Arrays) -> int:
    """Tell how many rows an array that may have any number of them has, up to the most that it may have."""
    shape = left[name].shape if name in left else ()
    return min(shape[0], most) if shape else 0


def _taken(name: str, shape: tuple[int, ...], left: Arrays, kind: type = np.float64) -> Array:
    """Take an array out; raise Damage unless it is there, of this shape and kind, and finite."""
    array = left.pop(name, None)
    if array is None:
        message = f"its array {name} is missing"
        raise Damage(message)
    if array.shape != shape or array.dtype != kind:
        message = f"its array {name} is not of shape {shape} and {kind.__name__}"
        raise Damage(message)
    _require(np.isfinite(array), name)
    return array


def _require(holds: npt.NDArray[np.bool_], name: str) -> None:
    if not holds.all():
        message = f"its array {name} holds numbers that cannot be there"
        raise Damage(message)
