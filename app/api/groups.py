"""From a request to train a model for each group to an order: the groups are named, and all of them affordable."""

from dataclasses import replace

from app.api.bodies import Body
from app.api.orders import recipe_of, require_alone, require_within, sent
from app.api.parsing import parse
from app.api.parts import Limits
from app.api.schemas import GroupsRequest
from app.errors import BadTable
from app.faults import Fault
from app.jobs.budget import estimate_groups
from app.jobs.orders import Groups, Order
from app.models.groups import for_groups
from app.store.datasets import DatasetStore
from app.store.references import is_name, new_name, require_name
from app.tables.draws import DatasetFile, Draw
from app.tables.groups import grouped_rows
from app.tables.table import Table


def read_groups(body: Body, limits: Limits, datasets: DatasetStore) -> Order:
    """Turn the body of a request for many models into an order; raise InputError for what cannot be trained.

    Raises DatasetNotFound or DatasetDamaged for a dataset that cannot be trained from.
    """
    told = [value for name, value in body.query if name == "group_by"]  # 007 is another group than 7
    request, given, table = parse(GroupsRequest, body, limits.bounds, told)
    name = new_name() if request.name is None else request.name
    require_name(name)
    recipe, what = for_groups(recipe_of(request, given)), sent(request, table)
    if request.dataset is not None:
        require_alone(request, table)
        body.caller.require_dataset(datasets.catalogue, request.dataset)
        what = replace(what, table=_whole(request.dataset, limits, datasets))
    rows, names, ends = grouped_rows(
        what,
        request.group_by,
        lambda group: bool(group) and is_name(f"{name}.{group}"),
        task=recipe.task,
        wants_labels=recipe.wants_labels,
    )
    _require_few(names, request.group_by, limits)
    groups = Groups(names=tuple(f"{name}.{group}" for group in names), ends=ends)
    require_within(estimate_groups(rows, groups.sizes, recipe), limits)
    return Order(
        name=name,
        rows=rows,
        recipe=recipe,
        tags=request.tags,
        description=request.description,
        dataset=request.dataset,
        weight=request.weight,
        kinds={column: kind for column, kind in request.kinds.items() if column != request.group_by},
        groups=groups,
    )


def _whole(dataset: str, limits: Limits, datasets: DatasetStore) -> Table:
    """Read a dataset at once; raise TableTooLarge where it is more than that."""
    with datasets.verified(dataset) as source:
        file = DatasetFile(source, dataset)
        everything = Draw.all_of(file, seed=0)
        limits.bounds.require_few(everything.rows, file.width)
        return file.read(everything)


def _require_few(names: tuple[str, ...], column: str, limits: Limits) -> None:
    if len(names) > limits.groups:
        message = (
            f"Column {column} tells {len(names)} groups; one request makes {limits.groups} models at most. "
            "Send some of the groups at a time."
        )
        fault = Fault(f"at most {limits.groups} groups", got=str(len(names)), column=column, field="group_by")
        raise BadTable(message, [fault])
