"""Bodies: read once and bounded, with what their headers and address say of them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.accepting import form_of_answer
from app.api.parts import PartsOf
from app.errors import BodyTooLarge


@dataclass(frozen=True)
class Body:
    """What came, and how it is to be taken."""

    data: bytes
    media_type: str
    query: list[tuple[str, str]]
    form_of_answer: str | None
    """The format that the answer should have; None is JSON."""


async def _read(request: Request, limit: int) -> bytes:
    """Read a body, giving up as soon as it proves too long."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(limit)
    chunks, length = [], 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > limit:
            raise BodyTooLarge(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _body(request: Request, limit: int, form: str | None) -> Body:
    data = await _read(request, limit)
    return Body(data, request.headers.get("content-type", ""), request.query_params.multi_items(), form)


async def training_body(request: Request, parts: PartsOf) -> Body:
    """Read a table to learn from."""
    return await _body(request, parts.limits.train_bytes, None)


async def prediction_body(request: Request, parts: PartsOf) -> Body:
    """Read rows to answer."""
    return await _body(request, parts.limits.predict_bytes, form_of_answer(request.headers))


TrainingBody = Annotated[Body, Depends(training_body)]
PredictionBody = Annotated[Body, Depends(prediction_body)]
