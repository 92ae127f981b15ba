"""Bulk answers: tables of any length, read twice from where they are kept: to check all rows, then to answer them."""

from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from app.api.answers import as_json
from app.api.bodies import Body
from app.api.orders import sent
from app.api.parts import Parts
from app.api.patience import Patience, seconds_of
from app.api.predict_schemas import PredictRequest
from app.api.predictions import require_answerable, told, wanted_by
from app.engine.arrays import Cells
from app.errors import InvalidRequest
from app.faults import Fault
from app.store.store import Stored
from app.tables.answering import cells_to_answer
from app.tables.bulk import Check, rows_at_once
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.table import Table
from app.tables.wanted import Answered, Wanted, answer, answered

BYTES_OF_ROW = 20  # of an answer in JSON
TOO_LONG_TO_EXPLAIN = "A table that is answered some rows at a time is not explained. Send fewer rows at once."


class Stream(StreamingResponse):
    """An answer whose work ends with it, also where the client goes away in the middle."""

    def __init__(self, steps: AsyncGenerator[bytes], headers: Mapping[str, str], media_type: str) -> None:
        super().__init__(steps, headers=headers, media_type=media_type)
        self.steps = steps

    async def stream_response(self, send: Send) -> None:
        """Send it all."""
        async with aclosing(self.steps):
            await super().stream_response(send)


async def answer_in_bulk(
    parts: Parts, body: Body, stored: Stored, request: PredictRequest, options: Options
) -> Response:
    """Answer a table in memory that does not grow with it; the answer begins once no row can fail.

    Raises as parsing and answering do, TooManyAnswers only for JSON, which is no stream; ClientDisconnect or
    DeadlineExceeded as soon as nobody waits for the answer.
    """
    body.step_aside()
    model, form, most, wanted = stored.model, body.form_of_answer, parts.limits.answers, wanted_by(request)
    require_answerable(model, 0, wanted, most)
    if request.explain:
        raise InvalidRequest(TOO_LONG_TO_EXPLAIN, [Fault("fewer rows", field="explain")])
    patience = Patience(seconds_of(body.timeout, request.timeout), body.is_left)
    options = replace(options, bounds=replace(options.bounds, cells=parts.limits.bulk_bytes))
    tables = FORMATS[str(body.format)].stream(body.opened(), options, rows_at_once(model))
    check = Check(model, options.bounds)
    async with aclosing(parts.steps(_checked(tables, check, request))) as steps:
        async for _ in steps:
            patience.is_gone = await body.is_left()
            patience.go_on()
    check.raise_any()
    body.caller.take("rows", check.rows)
    if form is None:
        require_answerable(model, check.rows, wanted, most)
        async with aclosing(
            parts.steps(answer(model, X, wanted, patience.go_on) for X in _cells(parts, tables, request, stored))
        ) as answers:
            found = [part async for part in answers]
        return await parts.answer(check.rows * BYTES_OF_ROW, _in_json, stored, found, wanted)
    ready = (answered(model, X, wanted) for X in _cells(parts, tables, request, stored))
    return Stream(
        parts.steps(FORMATS[form].write(ready, check.rows)),
        headers={"x-model": f"{stored.name}/{stored.version}"},
        media_type=FORMATS[form].media_types[0],
    )


def _in_json(stored: Stored, found: Sequence[Answered], wanted: Wanted) -> Response:
    return as_json(told(stored, found, wanted), without_nulls=True)


def _checked(tables: Iterable[Table], check: Check, request: PredictRequest) -> Generator[int]:
    for table in tables:
        check.add(sent(request, table))
        yield check.rows


def _cells(parts: Parts, tables: Iterable[Table], request: PredictRequest, stored: Stored) -> Iterator[Cells]:
    for table in tables:
        X = cells_to_answer(sent(request, table), stored.model)
        yield X
        parts.count(stored, X)
