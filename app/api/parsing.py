"""Parsing: from the bytes of a body to a request that is what its route takes, and the table beside it."""

from collections.abc import Collection
from dataclasses import fields, replace
from itertools import islice
from math import isfinite
from sys import maxsize
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from app.api.bodies import Body
from app.api.predict_schemas import PredictRequest
from app.api.queries import format_options, settings_of, written_as
from app.api.schemas import GroupsRequest, TrainRequest, UploadSettings
from app.api.search_schemas import SearchRequest, Tried
from app.api.wording import in_our_words
from app.engine.arrays import Cells
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.errors import InvalidRequest, MalformedBody, TooManyKeys
from app.faults import MOST_FAULTS, Fault
from app.models.preprocessing import Scaling
from app.tables.bounds import Bounds
from app.tables.cells import closest, describe
from app.tables.formats import FORMATS, format_of
from app.tables.json_arrays import arrays_of
from app.tables.json_limits import MOST_KEYS, require_few_keys
from app.tables.json_text import parse as parse_json
from app.tables.options import Options
from app.tables.table import Table

M = TypeVar("M", bound=BaseModel)

GROUPS = {
    name: {field.name for field in fields(config)}
    for name, config in {"network": Architecture, "training": TrainingConfig, "scaling": Scaling}.items()
} | {"search": set(SearchRequest.model_fields)}
TABLE = ("rows", "X", "y", "weights")
MOST_ITEMS = 10_001
FIELDS = set().union(*GROUPS.values(), TrainRequest.model_fields, PredictRequest.model_fields, Tried.model_fields)


class Parsed(NamedTuple, Generic[M]):
    """A request, what was sent beside the table as it was sent, and the table if the body is nothing else."""

    request: M
    given: dict[str, Any]
    table: Table | None


def parse(schema: type[M], body: Body, bounds: Bounds, texts: Collection[str] = ()) -> Parsed[M]:
    """Validate a body, in whatever format it is, with the settings that its address adds.

    What JSON says wins over the address. `texts` are columns that are known to hold texts. The table itself is left to
    app.tables, which names rows and columns. Raises MalformedBody or MalformedTable if the body is not of its format,
    InvalidRequest if it is not what the route takes.
    """
    if body.format is None or (not body.data and any(name == "dataset" for name, _ in body.query)):
        format_options(body.query, None)
        return _parse_json(schema, body.data, settings_of(body.query), bounds)
    request, given = parse_settings(schema, body)
    options = options_of(body.media_type, body.query, given, texts=[*texts, *texts_stated(given)], bounds=bounds)
    table = FORMATS[body.format].read(body.data, options)
    return Parsed(request, given, table)


def parse_rows(body: Body, bounds: Bounds) -> tuple[PredictRequest, Cells | None]:
    """Validate a body in JSON with rows to answer, and give these, shape (rows, columns), if they are numbers alone.

    Raises as `parse`, and TableTooLarge.
    """
    arrays = None if body.query else arrays_of(body.data)
    if arrays is None:
        return parse(PredictRequest, body, bounds).request, None
    bounds.require_few(*arrays.X.shape)
    return _validated(PredictRequest, dict(arrays.beside))[0], arrays.X


def parse_object(schema: type[M], body: Body, bounds: Bounds, *, required: bool = True) -> M:
    """Validate a body that holds no table and is JSON, whatever its headers say; an empty one may stand for {}.

    Raises MalformedBody if it is not JSON, InvalidRequest if it is not what the route takes.
    """
    return _parse_json(schema, body.data if body.data or required else b"{}", {}, bounds).request


def parse_settings(schema: type[M], body: Body) -> tuple[M, dict[str, Any]]:
    """Validate what the address says of a body that is nothing but a table, and give it as it was sent too.

    Raises InvalidRequest if it is not what the route takes.
    """
    request, settings = _validated(schema, settings_of(body.query))
    return request.model_copy(update={"columns": None}), settings


def options_of(
    media_type: str,
    query: list[tuple[str, str]],
    settings: dict[str, Any],
    *,
    texts: Collection[str],
    bounds: Bounds,
) -> Options:
    """Tell how a body that is a table is to be read, from valid settings and what its type and address say of it.

    Raises InvalidRequest for names of columns beside a format that has them.
    """
    columns, format_ = settings.get("columns"), format_of(media_type)
    if columns is not None and format_ is not None and FORMATS[format_].has_names:
        message = "The columns of such a body have their names in it; columns is for npy and for rows that are lists."
        raise InvalidRequest(message, [Fault("nothing beside the body's own names", field="columns")])
    return Options(
        columns=None if columns is None else tuple(columns),
        texts=texts,
        bounds=bounds,
        **written_as(media_type) | format_options(query, format_),
    )


def texts_stated(settings: dict[str, Any]) -> list[str]:
    """Name the columns that valid settings say are categories, so that 007 stays as it is."""
    return sorted(name for name, stated in settings.get("kinds", {}).items() if stated == "category")


def names_dataset(body: Body) -> bool:
    """Tell whether a body may name a dataset, without reading it."""
    return b'"dataset"' in body.data or any(name == "dataset" for name, _ in body.query)


def parse_upload(media_type: str, query: list[tuple[str, str]], bounds: Bounds) -> Options:
    """Read how an upload is to be read; raise InvalidRequest for what its address should not say."""
    settings = settings_of(query)
    _validated(UploadSettings, settings)
    return options_of(media_type, query, settings, texts=texts_stated(settings), bounds=replace(bounds, cells=maxsize))


def _parse_json(schema: type[M], data: bytes, settings: dict[str, Any], bounds: Bounds) -> Parsed[M]:
    require_few_keys(data)
    sent = parse_json(data) if data or "dataset" not in settings else {}
    bounds.require_json(sent, data)
    if isinstance(sent, list) and settings:
        sent = {"rows": sent}
    sent = settings | _few(sent, has_rows="rows" in schema.model_fields)
    table = {name: sent.pop(name) for name in TABLE if name in schema.model_fields and isinstance(sent.get(name), list)}
    request, given = _validated(schema, sent)
    return Parsed(request.model_copy(update=table), given, None)


def _validated(schema: type[M], settings: dict[str, Any]) -> tuple[M, dict[str, Any]]:
    """Give a request, and the settings that it was made of."""
    try:
        return schema.model_validate_json(to_json(settings, inf_nan_mode="constants")), settings
    except ValidationError as error:
        if any(_is_whole(detail) for detail in error.errors(include_url=False, include_context=False)):
            return _validated(schema, _with_whole_numbers(settings))
        raise _in_our_words(error, schema) from None


def _is_whole(detail: ErrorDetails) -> bool:
    """Tell whether a whole number is wanted, and one was written with a point: to JSON Schema, 3.0 is an integer."""
    return detail["type"] == "int_type" and isinstance(detail["input"], float) and detail["input"].is_integer()


def _with_whole_numbers(value: Any) -> Any:  # noqa: ANN401 - whatever was sent, which goes only so deep
    match value:
        case dict():
            return {name: _with_whole_numbers(part) for name, part in value.items()}
        case list():
            return [_with_whole_numbers(part) for part in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _few(sent: object, *, has_rows: bool) -> dict[str, Any]:
    """Give it back; raise InvalidRequest unless it is an object so small that all its faults are soon found."""
    if not isinstance(sent, dict):
        message = "The body is not an object."
        expected = "an object"
        if has_rows and isinstance(sent, list):
            expected += ' that has the rows in it, as in {"rows": […]}'
        raise InvalidRequest(message, [Fault(expected, got=describe(sent), field="body")])
    values = [(name, value) for name, value in sent.items() if name not in TABLE]
    values += [inner for _, value in values if isinstance(value, dict) for inner in islice(value.items(), MOST_KEYS)]
    for name, value in [("body", sent), *values]:
        if isinstance(value, dict) and len(value) > MOST_KEYS:
            raise TooManyKeys(len(value), MOST_KEYS, name)
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            message = "A part of the request is too long."
            raise InvalidRequest(message, [Fault(f"at most {MOST_ITEMS} entries", got=str(len(value)), field=name)])
    return sent


def _in_our_words(error: ValidationError, schema: type[BaseModel]) -> MalformedBody | InvalidRequest:
    """Say what Pydantic found, by field, with the remedy."""
    details = error.errors(include_url=False, include_context=False)
    faults: dict[str, Fault] = {}
    for detail in details[:MOST_FAULTS]:
        fault = _fault(detail, schema)
        faults.setdefault(str(fault.field), fault)
    if any(isinstance(detail["input"], float) and not isfinite(detail["input"]) for detail in details):
        return MalformedBody("JSON has no NaN and no Infinity; send a finite number.", list(faults.values()))
    message = "The request is not what this route takes."
    return InvalidRequest(message, list(faults.values()), len(details))


def _fault(detail: ErrorDetails, schema: type[BaseModel]) -> Fault:
    own = FIELDS | set(schema.model_fields)
    if detail["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return _unknown(_path(detail["loc"][:-1], own), str(detail["loc"][-1]), schema)
    return in_our_words(detail, _dotted(_path(detail["loc"], own)))


def _path(location: tuple[int | str, ...], own: set[str]) -> list[int | str]:
    """Leave out of a location what is not the sender's: the names of alternatives that were tried."""
    return [part for part in location if isinstance(part, int) or part in own]


def _unknown(path: list[int | str], name: str, schema: type[BaseModel]) -> Fault:
    """Guess which setting was meant: one of the same group, or one that belongs elsewhere."""
    takes_table = schema in {TrainRequest, GroupsRequest, PredictRequest}
    own = set(TrainRequest.model_fields) | set(PredictRequest.model_fields) if takes_table else schema.model_fields
    own = {*own, *schema.model_fields}
    known = GROUPS.get(_dotted(path), own)
    if name in known:  # elsewhere, as a sweep is of POST /train
        return Fault("no such setting here", field=_dotted([*path, name]))
    meant = closest(name, sorted(known))
    if meant is None and takes_table:
        elsewhere = {setting: f"{other}.{setting}" for other, settings in GROUPS.items() for setting in settings}
        meant = elsewhere.get(closest(name, sorted(elsewhere)) or "")
    is_column = schema is PredictRequest and not path and meant is None
    expected = 'no such setting; the values of a row stand in "rows"' if is_column else "no such setting"
    return Fault(expected, field=_dotted([*path, name]), instead=meant)


def _dotted(path: list[int | str]) -> str:
    return ".".join(map(str, path)) or "body"
