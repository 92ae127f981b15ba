"""Retraining a version from its record, to see whether the same comes of it."""

import hashlib

from app.api.dataset_rows import choose
from app.api.inside_schemas import VerificationAnswer
from app.api.orders import require_affordable
from app.api.parts import Limits
from app.engine.control import CANCELLED
from app.errors import DatasetNotFound, NotFound, NotVerifiable
from app.jobs.continuing import beginning_of
from app.jobs.orders import Order
from app.models.learning import going_on
from app.models.model import Model
from app.store.arrays import arrays_of
from app.store.datasets import DatasetStore
from app.store.references import Reference
from app.store.store import ModelStore, Stored
from app.tables.reading import sent_to
from app.tables.sent import Sent

NO_ROWS = "Its rows were not kept. Upload them with POST /datasets, and train from there."
CANCELLED_AT = "Its training was cancelled, and nobody knows at which moment."
IN_PARTS = "Its dataset was learnt piece by piece, in a way that depends on what the service allows."
OTHER_ROWS = "Its dataset gives other rows today: what the service allows has changed, or how tables are read."
NO_DATASET = "Its dataset was deleted. Upload it again with POST /datasets."
NO_BEGINNING = "The version whose weights it began with was deleted."


def order_again(stored: Stored, limits: Limits, datasets: DatasetStore, store: ModelStore) -> Order:
    """Order the training of a version again, as its record tells; raise NotVerifiable where that is not enough."""
    model = stored.model
    if model.dataset is None:
        raise NotVerifiable(NO_ROWS)
    if model.report.stopped == CANCELLED:
        raise NotVerifiable(CANCELLED_AT)
    start = None if model.continued_from is None else _beginning(model.continued_from, store)
    sent = Sent(target=model.targets, weight=model.weight, kinds=model.kinds)
    try:
        chosen = choose(
            sent if start is None else sent_to(start.model, sent), model.dataset, model.recipe, limits, datasets
        )
    except DatasetNotFound:
        raise NotVerifiable(NO_DATASET) from None
    if chosen.plan is not None or model.report.fingerprint is None:
        raise NotVerifiable(IN_PARTS)
    if chosen.rows.fingerprint != model.report.fingerprint:
        raise NotVerifiable(OTHER_ROWS)
    recipe = model.recipe if start is None else going_on(start.model, chosen.rows, model.recipe)
    require_affordable(chosen.rows, [recipe], limits)
    return Order(
        name=stored.name,
        rows=chosen.rows,
        recipe=recipe,
        dataset=model.dataset,
        plan=chosen.plan,
        max_epochs=model.report.epochs if model.report.stopped == "max_epochs" else None,
        start=None if start is None else beginning_of(start, store),
        searched=model.report.search is not None,
    )


def _beginning(reference: str, store: ModelStore) -> Stored:
    known = Reference.parse(reference)
    try:
        return store.load(known.name, known.version or 0)
    except NotFound:
        raise NotVerifiable(NO_BEGINNING) from None


def compared(stored: Stored, again: Model) -> VerificationAnswer:
    """Compare a version with what the same training makes today."""
    own, weights = stored.model.parameters, again.parameters
    one, other = _told(stored.model), _told(again)
    return VerificationAnswer(
        model=stored.name,
        version=stored.version,
        verified=one == other,
        differs=sorted(name for name in {*one, *other} if one.get(name) != other.get(name)),
        weights_sha256=hashlib.sha256(own.tobytes()).hexdigest(),
        retrained_sha256=hashlib.sha256(weights.tobytes()).hexdigest(),
        largest_difference=float(abs(own - weights).max()) if own.shape == weights.shape else None,
    )


def _told(model: Model) -> dict[str, object]:
    """Give all that answers, and what is told of them, rest on, to the last bit, by its name in a snapshot."""
    arrays = {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays_of(model).items()}
    return arrays | {
        "columns": model.columns,
        "sources": model.sources,
        "targets": model.targets,
        "labels": model.labels,
        "temperature": model.temperature,
        "near": model.neighbours.near,
        "reach": model.neighbours.reach,
        "report.metrics": model.report.metrics,
    }
