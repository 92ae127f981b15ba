"""From a training request to an order: presets merged, the table read, the budget checked."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api.bodies import Body
from app.api.dataset_rows import Chosen, choose
from app.api.parsing import parse
from app.api.parts import Limits
from app.api.predict_schemas import PredictRequest
from app.api.schemas import LabelledRows, LearntRows, NewModel, TrainRequest
from app.api.trying import read_search, read_sweep
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.errors import BudgetExceeded, InvalidRequest, UnsuitableTarget
from app.faults import Fault
from app.jobs.budget import Cost, estimate
from app.jobs.orders import Order
from app.models.recipe import Recipe
from app.models.search import Search
from app.models.table import TrainingRows
from app.presets import PRESETS
from app.store.datasets import DatasetStore
from app.store.references import new_name, require_name
from app.tables.lookalikes import lookalikes
from app.tables.reading import training_rows
from app.tables.sent import Sent
from app.tables.table import Table

BESIDE = ("rows", "X", "y", "weights", "columns")
RECIPE = TypeAdapter(Recipe)


def read_order(body: Body, limits: Limits, datasets: DatasetStore) -> Order:
    """Turn the body of a training request into an order; raise InputError for what cannot be trained.

    Raises DatasetNotFound or DatasetDamaged for a dataset that cannot be trained from.
    """
    request, given, table = parse(TrainRequest, body, limits.bounds)
    name = new_name() if request.name is None else request.name
    require_name(name)
    recipe, sweep = recipe_of(request, given), read_sweep(request)
    planned = recipe if sweep is None else sweep.largest(recipe)
    chosen = chosen_rows(request, table, sent(request, table), planned, body=body, limits=limits, datasets=datasets)
    if sweep is not None:
        recipe = sweep.completed(recipe, chosen.problem(recipe.scaling.one_hot))
    require_affordable(chosen.rows, [recipe] if sweep is None else sweep.recipes(recipe), limits)
    search = read_search(request, chosen, recipe, limits)
    if search is not None:
        _require_affordable_search(chosen.rows, search, recipe, limits)
    return Order(
        name=name,
        rows=chosen.rows,
        recipe=recipe,
        tags=request.tags,
        description=request.description,
        dataset=request.dataset,
        notes=(*chosen.notes, *lookalikes(chosen.rows, request.kinds)),
        plan=chosen.plan,
        weight=request.weight,
        kinds=dict(request.kinds),
        sweep=sweep,
        search=search,
    )


def chosen_rows(
    request: LearntRows,
    table: Table | None,
    sent: Sent,
    recipe: Recipe,
    *,
    body: Body,
    limits: Limits,
    datasets: DatasetStore,
) -> Chosen:
    """Read what is to be learnt: the table of a request, or of a dataset that it names, which is the sender's own."""
    if request.dataset is None:
        return Chosen(training_rows(sent, task=recipe.task, wants_labels=recipe.wants_labels))
    require_alone(request, table)
    body.caller.require_dataset(datasets.catalogue, request.dataset)
    return choose(sent, request.dataset, recipe, limits, datasets)


def require_affordable(rows: TrainingRows, recipes: Sequence[Recipe], limits: Limits, times: int = 1) -> None:
    """Raise BudgetExceeded for trainings, one after the other, all so many times, that would take more than one may."""
    costs = [estimate(rows, recipe) for recipe in recipes]
    cost = Cost(
        max(cost.parameters for cost in costs),
        max(cost.numbers for cost in costs),
        times * sum(cost.operations for cost in costs),
    )
    require_within(cost, limits)


def require_within(cost: Cost, limits: Limits) -> None:
    """Raise BudgetExceeded for what is more than one training may take."""
    for what, taken, limit in zip(cost._fields, cost, limits.training, strict=True):
        if taken > limit:
            message = (
                f"This training would take {taken:.3g} {what}; the service allows {limit:.3g}. Use fewer epochs, "
                "a smaller network, smaller batches or fewer rows."
            )
            raise BudgetExceeded(message)


def _require_affordable_search(rows: TrainingRows, search: Search, recipe: Recipe, limits: Limits) -> None:
    """Hold each trial to what one training may take, and all together, if they take as long as the first, too."""
    faults, dearest = [], search.dearest(recipe)
    for trial in dearest:
        try:
            require_affordable(rows, [trial], limits)
        except UnsuitableTarget as fault:  # one of the trials that would fail
            faults.append(fault)
    if len(faults) == len(dearest):
        raise faults[0]
    require_affordable(rows, [recipe], limits, times=1 + (search.trials or 1))


def require_alone(request: LearntRows, table: Table | None) -> None:
    """Raise InvalidRequest for a table, or a part of one, beside a dataset."""
    beside = [name for name in BESIDE if getattr(request, name) is not None]
    if beside or table is not None:
        message = "A dataset is the whole table: its columns have names, and its rows are all there is."
        raise InvalidRequest(message, [Fault("nothing beside dataset", field=name) for name in beside or ["body"]])


def sent(request: LabelledRows | PredictRequest, table: Table | None) -> Sent:
    """Take the table out of a request, if it has not come in a format of its own."""
    columns = None if request.columns is None else tuple(request.columns)
    if isinstance(request, PredictRequest):
        return Sent(table=table, rows=request.rows, columns=columns, X=request.X, ignore_extra=request.ignore_extra)
    target = tuple(request.target) if isinstance(request.target, list) else request.target
    return Sent(
        table=table,
        rows=request.rows,
        columns=columns,
        target=target,
        X=request.X,
        y=request.y,
        weight=request.weight,
        weights=request.weights,
        kinds=dict(request.kinds) if isinstance(request, NewModel) else {},
    )


def recipe_of(request: NewModel, given: dict[str, Any]) -> Recipe:
    """Read the settings of a request, a preset's among them."""
    if request.preset is None:
        return Recipe(
            task=request.task,
            network=Architecture() if request.network == "auto" else request.network,
            training=TrainingConfig() if request.training == "auto" else request.training,
            scaling=request.scaling,
        )
    # What was sent, without the defaults, wins over the preset.
    settings = {
        part: preset | (given[part] if isinstance(given.get(part), dict) else {})
        for part, preset in PRESETS[request.preset].items()
    }
    return replace(RECIPE.validate_json(to_json(settings)), task=request.task)
