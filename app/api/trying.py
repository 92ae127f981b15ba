"""What a training request wants to be tried: a sweep of one setting, or a search among several."""

from collections.abc import Collection
from importlib.util import find_spec
from json import dumps
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from app.api.dataset_rows import Chosen
from app.api.parts import Limits
from app.api.schemas import TrainRequest
from app.api.search_schemas import SearchRequest, Tried
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.errors import InvalidRequest, SearchNotInstalled, UnsuitableTarget
from app.faults import Fault
from app.models import search, sweep
from app.models.recipe import Recipe
from app.models.search import Dimension, Search, usual_metric, usual_ways
from app.models.sweep import Sweep
from app.tables.cells import closest, describe

PARTS: dict[str, TypeAdapter[Any]] = {"network": TypeAdapter(Architecture), "training": TypeAdapter(TrainingConfig)}
PACKAGE = "optuna"


def read_sweep(request: TrainRequest) -> Sweep | None:
    """Read what is to be tried; raise InvalidRequest for a setting that cannot be swept, or a value that it has not."""
    if request.sweep is None:
        return None
    ((setting, values),) = request.sweep.items()
    if setting not in sweep.SETTINGS:
        message = "This cannot be swept: it would change the first weights, or the rows that are held out."
        raise InvalidRequest(message, [_no_setting(setting, sweep.SETTINGS, "sweep")])
    return Sweep(setting, _several(setting, values, f"sweep.{setting}"))


def read_search(request: TrainRequest, chosen: Chosen, recipe: Recipe, limits: Limits) -> Search | None:
    """Read what is to be searched; raise SearchNotInstalled, InvalidRequest, or UnsuitableTarget for rows too few."""
    asked = request.search
    if asked is None:
        return None
    require_installed()
    if request.sweep is not None:
        message = "A search tries more than one setting, and a sweep one."
        raise InvalidRequest(message, [Fault("search, or sweep, and not both", field="sweep")])
    _require_budget(asked, limits)
    rows = len(chosen.rows.X)
    if chosen.plan is not None:
        message = "A search needs all rows at once, and this dataset is too long for that. Search on a part of it."
        raise UnsuitableTarget(message)
    if rows < search.LEAST_ROWS:
        message = f"A search needs {search.LEAST_ROWS} rows, some to judge by; there are {rows}. Train without it."
        raise UnsuitableTarget(message)
    problem = chosen.problem(recipe.scaling.one_hot)
    metric, metrics = asked.metric or usual_metric(recipe, problem), (search.LOSS, *search.TASKS[problem.task])
    if metric not in metrics:
        message = f"This metric is none of {problem.task}."
        raise InvalidRequest(message, [Fault(f"one of: {', '.join(metrics)}", got=metric, field="search.metric")])
    ways = usual_ways(recipe, problem)
    if asked.space is not None:
        ways = (tuple(_dimension(setting, tried) for setting, tried in asked.space.items()),)
    if not ways:
        message = "Nothing is left to be searched: what usually is, is set. Leave some of it out, or say a space."
        raise InvalidRequest(message, [Fault("what is to be searched", field="search.space")])
    return Search(metric=metric, ways=ways, trials=asked.trials, seconds=asked.budget_seconds)


def require_installed(package: str = PACKAGE) -> None:
    """Raise SearchNotInstalled where the library is not there that chooses what is tried."""
    if find_spec(package) is None:
        raise SearchNotInstalled


def _require_budget(asked: SearchRequest, limits: Limits) -> None:
    """Leave as much time to the training of the model as to the search."""
    most = limits.training_seconds / 2
    if (asked.trials is None) == (asked.budget_seconds is None):
        message = "A search ends after some trials, or some seconds."
        raise InvalidRequest(message, [Fault("trials, or budget_seconds, and not both", field="search")])
    if asked.budget_seconds is not None and asked.budget_seconds > most:
        message = "The search would take longer than this service allows."
        fault = Fault(f"at most {most:g}", got=f"{asked.budget_seconds:g}", field="search.budget_seconds")
        raise InvalidRequest(message, [fault])


def _dimension(setting: str, tried: Tried) -> Dimension:
    field = f"search.space.{setting}"
    if setting not in search.SETTINGS:
        message = "This cannot be searched."
        raise InvalidRequest(message, [_no_setting(setting, search.SETTINGS, "search.space")])
    has_ends = tried.low is not None and tried.high is not None
    if tried.choices is not None and tried.low is None and tried.high is None and not tried.log:
        values = _several(setting, tried.choices, f"{field}.choices")
        return Dimension(setting=setting, choices=tuple(map(dumps, values)))
    if tried.choices is not None or not has_ends:
        message = "What is tried of a setting is all between two ends, or some values."
        raise InvalidRequest(message, [Fault("low and high, or choices alone", field=field)])
    low, high = (_value(setting, getattr(tried, end), f"{field}.{end}") for end in ("low", "high"))
    if not low < high:
        message = "The ends of a setting are the wrong way round."
        raise InvalidRequest(message, [Fault(f"more than low, {low:g}", got=f"{high:g}", field=f"{field}.high")])
    if tried.log and low <= 0:
        message = "No factor leads from there to the other end."
        raise InvalidRequest(message, [Fault("more than 0, as log is true", got=f"{low:g}", field=f"{field}.low")])
    return Dimension(setting=setting, low=low, high=high, log=tried.log)


def _no_setting(setting: str, settings: Collection[str], field: str) -> Fault:
    return Fault(f"one of: {', '.join(settings)}", got=setting, field=field, instead=closest(setting, settings))


def _several(setting: str, values: list[Any], field: str) -> tuple[Any, ...]:
    """Validate values of a setting, no two of them alike."""
    valid = tuple(_value(setting, value, f"{field}[{place}]") for place, value in enumerate(values))
    if len(set(map(str, valid))) < len(valid):
        message = "A value that is to be tried is there twice."
        raise InvalidRequest(message, [Fault("each value once", field=field)])
    return valid


def _value(setting: str, value: object, field: str) -> Any:  # noqa: ANN401 - of whatever kind the setting is
    try:
        if value is not None:
            part = PARTS[search.SETTINGS.get(setting, "training")]
            return getattr(part.validate_json(to_json({setting: value})), setting)
        expected = "a value"
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    message = "A value that is to be tried is not one that its setting can have."
    raise InvalidRequest(message, [Fault(expected, got=describe(value), field=field)])
