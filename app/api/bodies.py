"""Bodies: read once, bounded and inflated, with what their headers and address say of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, BinaryIO

from fastapi import Depends, Request

from app.access.keyring import Caller
from app.api.accepting import form_of_answer
from app.api.connections.load import Ticket
from app.api.inflating import coding_of, inflated
from app.api.parts import Parts, PartsOf
from app.api.patience import HEADER
from app.api.spooling import spooled, whole
from app.errors import BodyTooLarge
from app.tables.formats import format_of

MOST_CHUNKS = 100_000
SHORT = 2**16  # bytes of a body that holds no table
LEAST_CHUNK = 2**10  # bytes that a chunk of a very long body has on average: less than a packet of the network


@dataclass
class Body:
    """What came, and how it is to be taken."""

    data: bytes
    media_type: str
    query: list[tuple[str, str]]
    form_of_answer: str | None
    """The format that the answer should have; None is JSON."""
    is_left: Callable[[], Awaitable[bool]]
    """Tells whether the client has gone away."""
    caller: Caller
    timeout: str | None = None
    """What its header says of how long the answer may take."""
    file: BinaryIO | None = None
    """Holds the body where it is too long for memory; `data` is empty then."""
    ticket: Ticket | None = None
    """Of a prediction that others wait for."""

    def step_aside(self) -> None:
        """Let no other prediction be behind this one, whose work is long and has places of its own."""
        if self.ticket is not None:
            self.ticket.leave()

    def let_go(self) -> None:
        """Hold it no longer: it has been read, and the answer may take long."""
        self.data = b""

    @property
    def format(self) -> str | None:
        """The format that the body is said to have; None is JSON."""
        return format_of(self.media_type)

    def opened(self) -> BinaryIO:
        """Give the body as a file."""
        return self.file or BytesIO(self.data)


async def chunks(request: Request, parts: Parts, limit: int) -> AsyncIterator[bytes]:
    """Give a body piece by piece as it arrives, inflated; ShuttingDown where it has not arrived when the service stops.

    Raises UnsupportedEncoding before anything is read, BodyTooLarge as soon as what arrives or what it inflates to is
    too long, MalformedBody where it is not compressed as it says.
    """
    coding = coding_of(",".join(request.headers.getlist("content-encoding")))
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(limit)
    arriving = _bounded(_until_stopped(request, parts), limit)
    async for chunk in _bounded(inflated(arriving, coding), limit) if coding else arriving:
        yield chunk


async def _until_stopped(request: Request, parts: Parts) -> AsyncIterator[bytes]:
    pieces = request.stream()
    while True:
        with parts.given_up():
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


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


async def _body(request: Request, parts: Parts, limit: int, form: str | None) -> Body:
    """Read a whole body, giving up as soon as it proves too long; while it arrives, a long one takes no memory."""
    with closing(await spooled(chunks(request, parts, limit))) as kept:
        return _as_told(request, await whole(kept), form)


def _as_told(request: Request, data: bytes, form: str | None, file: BinaryIO | None = None) -> Body:
    media_type = request.headers.get("content-type", "")
    return Body(
        data,
        media_type,
        request.query_params.multi_items(),
        form,
        request.is_disconnected,
        request.state.caller,
        request.headers.get(HEADER),
        file,
        request.scope.get(Ticket.KEY),
    )


async def training_body(request: Request, parts: PartsOf) -> Body:
    """Read a table to learn from."""
    return await _body(request, parts, parts.limits.train_bytes, None)


async def octets_body(request: Request, parts: PartsOf) -> Body:
    """Read rows to answer, whatever the headers say of their form."""
    return await _body(request, parts, parts.limits.predict_bytes, None)


async def model_body(request: Request, parts: PartsOf) -> Body:
    """Read a whole model."""
    return await _body(request, parts, parts.limits.snapshot_bytes, None)


async def short_body(request: Request, parts: PartsOf) -> Body:
    """Read a body that holds no table."""
    return await _body(request, parts, SHORT, None)


async def prediction_body(request: Request, parts: PartsOf) -> AsyncIterator[Body]:
    """Read rows to answer; a table in a format of its own may be too long for memory."""
    form = form_of_answer(request.headers)
    if format_of(request.headers.get("content-type", "")) is None:
        yield await _body(request, parts, parts.limits.predict_bytes, form)
        return
    with closing(await spooled(chunks(request, parts, parts.limits.bulk_bytes))) as kept:
        if isinstance(kept, BytesIO):
            yield _as_told(request, kept.getvalue(), form)
        else:
            yield _as_told(request, b"", form, kept)


TrainingBody = Annotated[Body, Depends(training_body)]
ModelBody = Annotated[Body, Depends(model_body)]
ShortBody = Annotated[Body, Depends(short_body)]
OctetsBody = Annotated[Body, Depends(octets_body)]
PredictionBody = Annotated[Body, Depends(prediction_body)]
