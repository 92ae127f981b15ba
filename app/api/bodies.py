"""Bodies: read once, bounded and inflated, with what their headers and address say of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

from fastapi import Depends, Request

from app.api.accepting import form_of_answer
from app.api.inflating import coding_of, inflated
from app.api.parts import PartsOf
from app.errors import BodyTooLarge

MOST_CHUNKS = 100_000
LEAST_CHUNK = 2**10  # bytes that a chunk of a very long body has on average: less than a packet of the network


@dataclass(frozen=True)
class Body:
    """What came, and how it is to be taken."""

    data: bytes
    media_type: str
    query: list[tuple[str, str]]
    form_of_answer: str | None
    """The format that the answer should have; None is JSON."""


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


async def _body(request: Request, limit: int, form: str | None) -> Body:
    """Read a whole body, giving up as soon as it proves too long."""
    data = BytesIO()  # unlike a list of chunks, it is as long as they are, however short each is
    async for chunk in chunks(request, limit):
        data.write(chunk)
    media_type = request.headers.get("content-type", "")
    return Body(data.getvalue(), media_type, request.query_params.multi_items(), form)


async def training_body(request: Request, parts: PartsOf) -> Body:
    """Read a table to learn from."""
    return await _body(request, parts.limits.train_bytes, None)


async def prediction_body(request: Request, parts: PartsOf) -> Body:
    """Read rows to answer."""
    return await _body(request, parts.limits.predict_bytes, form_of_answer(request.headers))


TrainingBody = Annotated[Body, Depends(training_body)]
PredictionBody = Annotated[Body, Depends(prediction_body)]
