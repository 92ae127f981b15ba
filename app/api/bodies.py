"""Bodies: read once, bounded, inflated, as JSON whatever the Content-Type says, checked by one compiled validator."""

from collections.abc import AsyncIterator
from dataclasses import fields
from io import BytesIO
from itertools import islice
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from app.api.inflating import coding_of, inflated
from app.api.parts import PartsOf
from app.api.schemas import PredictRequest, TrainRequest
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.engine.preprocessing import Scaling
from app.errors import MOST_FAULTS, BodyTooLarge, Fault, InvalidRequest, MalformedBody
from app.tables.cells import closest, describe

M = TypeVar("M", bound=BaseModel)

GROUPS = {
    name: {field.name for field in fields(config)}
    for name, config in {"network": Architecture, "training": TrainingConfig, "scaling": Scaling}.items()
}
TABLE = ("rows", "X", "y", "weights")
MOST_CHUNKS = 100_000
LEAST_CHUNK = 2**10  # bytes that a chunk of a very long body has on average: less than a packet of the network
MOST_KEYS = 100
MOST_ITEMS = 10_001
FIELDS = set().union(*GROUPS.values(), TrainRequest.model_fields, PredictRequest.model_fields)


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Give a body piece by piece as it arrives, inflated.

    Raises UnsupportedEncoding before anything is read, BodyTooLarge as soon as what arrives or what it inflates to is
    too long, MalformedBody where it is not compressed as it says.
    """
    coding = coding_of(",".join(request.headers.getlist("content-encoding")))
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(limit)
    arriving = _bounded(request.stream(), limit)
    async for chunk in _bounded(inflated(arriving, coding), limit) if coding else arriving:
        yield chunk


async def _bounded(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Pass pieces on; raise BodyTooLarge for the first that is too many, by its bytes or by their number."""
    length, count, most = 0, 0, max(MOST_CHUNKS, limit // LEAST_CHUNK)
    async for piece in pieces:
        length, count = length + len(piece), count + 1
        if length > limit:
            raise BodyTooLarge(limit)
        if count > most:
            raise BodyTooLarge(most, of="chunks", remedy="Send larger ones.")
        yield piece


async def _read(request: Request, limit: int) -> bytes:
    """Read a whole body, giving up as soon as it proves too long."""
    body = BytesIO()  # unlike a list of chunks, it is as long as they are, however short each is
    async for chunk in chunks(request, limit):
        body.write(chunk)
    return body.getvalue()


async def training_body(request: Request, parts: PartsOf) -> bytes:
    """Read a table to learn from."""
    return await _read(request, parts.limits.train_bytes)


async def prediction_body(request: Request, parts: PartsOf) -> bytes:
    """Read rows to answer."""
    return await _read(request, parts.limits.predict_bytes)


TrainingBody = Annotated[bytes, Depends(training_body)]
PredictionBody = Annotated[bytes, Depends(prediction_body)]


def parse(schema: type[M], body: bytes) -> tuple[M, dict[str, Any]]:
    """Validate a body; give the request, and what was sent beside the table as it was sent.

    The table itself is left to app.tables, which names rows and columns. Raises MalformedBody if the body is no JSON,
    InvalidRequest if it is not what the route takes.
    """
    try:
        sent = from_json(body)
    except ValueError as error:
        message = f"The body is not JSON: {error}."
        raise MalformedBody(message) from None
    _require_few(sent)
    table = {name: sent.pop(name) for name in TABLE if name in schema.model_fields and isinstance(sent.get(name), list)}
    try:
        request = schema.model_validate_json(to_json(sent, inf_nan_mode="constants"))
    except ValidationError as error:
        raise _in_our_words(error) from None
    return request.model_copy(update=table), sent


def _require_few(sent: object) -> None:
    """Raise InvalidRequest unless this is an object of a size that it takes no time to find all faults of."""
    if not isinstance(sent, dict):
        message = "The body is not an object."
        raise InvalidRequest(message, [Fault("an object", got=describe(sent), field="body")])
    values = [(name, value) for name, value in sent.items() if name not in TABLE]
    values += [inner for _, value in values if isinstance(value, dict) for inner in islice(value.items(), MOST_KEYS)]
    for name, value in [("body", sent), *values]:
        most = MOST_KEYS if isinstance(value, dict) else MOST_ITEMS
        if isinstance(value, dict | list) and len(value) > most:
            message = "A part of the request is too long."
            raise InvalidRequest(message, [Fault(f"at most {most} entries", got=str(len(value)), field=name)])


def _in_our_words(error: ValidationError) -> MalformedBody | InvalidRequest:
    """Say what Pydantic found, by field, with the remedy."""
    details = error.errors(include_url=False, include_context=False)
    faults: dict[str, Fault] = {}
    for detail in details[:MOST_FAULTS]:
        fault = _fault(detail)
        faults.setdefault(str(fault.field), fault)
    if all(detail["type"] == "finite_number" for detail in details):
        return MalformedBody("JSON has no NaN and no Infinity; send a finite number.", list(faults.values()))
    message = "The request is not what this route takes."
    return InvalidRequest(message, list(faults.values()), len(details))


def _fault(detail: ErrorDetails) -> Fault:
    if detail["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return _unknown(_path(detail["loc"][:-1]), str(detail["loc"][-1]))
    expected = detail["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return Fault(expected, got=describe(detail["input"]), field=_dotted(_path(detail["loc"])))


def _path(location: tuple[int | str, ...]) -> list[int | str]:
    """Leave out of a location what is not the sender's: the names of alternatives that were tried."""
    return [part for part in location if isinstance(part, int) or part in FIELDS]


def _unknown(path: list[int | str], name: str) -> Fault:
    """Guess which setting was meant: one of the same group, or one that belongs elsewhere."""
    group = GROUPS.get(_dotted(path), set(TrainRequest.model_fields) | set(PredictRequest.model_fields))
    meant = closest(name, sorted(group))
    if meant is None:
        elsewhere = {setting: f"{other}.{setting}" for other, settings in GROUPS.items() for setting in settings}
        meant = elsewhere.get(closest(name, sorted(elsewhere)) or "")
    return Fault("no such setting", field=_dotted([*path, name]), instead=meant)


def _dotted(path: list[int | str]) -> str:
    return ".".join(map(str, path)) or "body"
