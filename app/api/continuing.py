"""From a request to train a version on to an order: its columns and settings are those of the version."""

from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api.bodies import Body
from app.api.orders import chosen_rows, require_affordable, sent
from app.api.parsing import parse
from app.api.parts import Limits
from app.api.schemas import ContinueRequest
from app.engine.config import TrainingConfig
from app.errors import InvalidRequest
from app.faults import Fault
from app.jobs.continuing import beginning_of, unknown_levels
from app.jobs.orders import Order
from app.models.learning import going_on
from app.models.model import Model
from app.store.datasets import DatasetStore
from app.store.store import ModelStore, Stored
from app.tables.columns import texts_of
from app.tables.reading import sent_to

OF_THE_NETWORK = ("loss", "members")
OF_ANY_OPTIMIZER = (*OF_THE_NETWORK, "quantile", "precision", "class_weight", "seed", "generator")
TRAINING = TypeAdapter(TrainingConfig)


def read_continuation(body: Body, stored: Stored, limits: Limits, datasets: DatasetStore, store: ModelStore) -> Order:
    """Turn a body into the order to train a version on; raise InputError for what cannot be learnt by it.

    Raises DatasetNotFound or DatasetDamaged for a dataset that cannot be trained from.
    """
    model = stored.model
    texts = [*texts_of(model), *(model.targets if isinstance(next(iter(model.labels), None), str) else ())]
    request, given, table = parse(ContinueRequest, body, limits.bounds, texts)
    recipe = replace(model.recipe, training=_training(model, given.get("training", "auto")))
    told = sent_to(model, sent(request, table))
    chosen = chosen_rows(request, table, told, recipe, body=body, limits=limits, datasets=datasets)
    recipe = going_on(model, chosen.rows, recipe)
    require_affordable(replace(chosen.rows, y=model.labels or chosen.rows.y), [recipe], limits)
    return Order(
        name=stored.name,
        rows=chosen.rows,
        recipe=recipe,
        tags=request.tags if "tags" in given else model.tags,
        description=request.description if "description" in given else model.description,
        dataset=request.dataset,
        notes=(*chosen.notes, *unknown_levels(chosen.rows)),
        plan=chosen.plan,
        weight=request.weight,
        kinds=model.kinds,
        start=beginning_of(stored, store),
    )


def _training(model: Model, given: dict[str, Any] | str) -> TrainingConfig:
    """Set what was given, and all else as in the version; another optimizer begins with its own usual settings.

    Raises InvalidRequest for what decides the shape of the networks.
    """
    own = asdict(model.recipe.training)
    if isinstance(given, str):
        return model.recipe.training
    others = [name for name in OF_THE_NETWORK if given.get(name) not in {None, own[name]}]
    if others:
        message = "The networks of a version keep their shape. POST /train makes a new model."
        faults = [Fault(str(own[name]), got=str(given[name]), field=f"training.{name}") for name in others]
        raise InvalidRequest(message, faults)
    optimizer = given.get("optimizer") or own["optimizer"]
    kept = own if optimizer == own["optimizer"] else {name: own[name] for name in OF_ANY_OPTIMIZER}
    fixed = {"optimizer": optimizer} | {name: own[name] for name in OF_THE_NETWORK}
    return TRAINING.validate_json(to_json(kept | given | fixed))
