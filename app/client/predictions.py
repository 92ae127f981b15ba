"""Predicting: rows are sent, and answers come back, in the order of the rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, Unpack
from uuid import uuid4

from app.client.asking import Asking
from app.client.results import Answer, Told
from app.client.rows import Rows, Sent, laid_out
from app.client.sending import Table, media_type_of
from app.client.wires import Request

ROWS_AT_ONCE = 20_000
"""Rows of one request; answers do not depend on it."""
SECONDS_TO_ANSWER_A_FILE = 600
BESIDE = ("label_sets", "none_because", "applicability", "explanations")


class Asked(TypedDict, total=False):
    """What may be asked beside the rows; the service's documentation tells what each means."""

    columns: list[str]
    ignore_extra: bool
    proba: bool
    interval: float
    applicability: bool
    abstain: bool
    explain: bool
    timeout: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictions(Told):
    """Answers in the order of the rows, and lists of equal length with what was asked for beside them."""

    model: str
    version: int
    predictions: list[Answer]
    in_range: list[bool]
    probabilities: list[dict[str, float]] | None
    intervals: list[Any] | None
    label_sets: list[Any] | None
    interval_reason: str | None
    none_because: list[str | None] | None
    applicability: list[dict[str, Any]] | None
    explanations: list[dict[str, Any]] | None

    def to_numpy(self) -> Any:  # noqa: ANN401 - an array, whose type who has NumPy knows
        """Give the answers as an array: (rows,) or, with several targets, (rows, targets)."""
        import numpy as np  # noqa: PLC0415 - only who wants an array waits for it

        return np.asarray(self.predictions)

    def to_pandas(self, index: object = None) -> Any:  # noqa: ANN401 - a data frame, the same
        """Give all as a data frame, a row for each row, with that index."""
        import pandas as pd  # noqa: PLC0415 - only who wants a data frame has it

        return pd.DataFrame(self._columns(), index=index)

    def _columns(self) -> dict[str, list[Any]]:
        columns = _apart("prediction", self.predictions) | {"in_range": list(self.in_range)}
        if self.probabilities is not None:
            names = self.probabilities[0] if self.probabilities else ()
            columns |= {f"probability_{name}": [row[name] for row in self.probabilities] for name in names}
        if self.intervals is not None:
            columns["interval"] = self.intervals
            if all(_is_one(interval) for interval in self.intervals):
                ends = [interval or (None, None) for interval in columns.pop("interval")]
                columns |= {"lower": [lower for lower, _ in ends], "upper": [upper for _, upper in ends]}
        return columns | {name: told for name in BESIDE if (told := getattr(self, name)) is not None}


def _apart(name: str, answers: Sequence[Any]) -> dict[str, list[Any]]:
    """Give each of several targets a column of its own."""
    if not any(isinstance(answer, list) for answer in answers):
        return {name: list(answers)}
    count = max(len(answer) for answer in answers if answer is not None)
    nothing = [None] * count
    return {f"{name}_{place + 1}": [(answer or nothing)[place] for answer in answers] for place in range(count)}


def _is_one(interval: Any) -> bool:  # noqa: ANN401 - of one target, of several, or none
    return interval is None or not isinstance(interval[0], list)


class Predicting(Asking):
    """What a client asks models."""

    async def predict(
        self, model: str, rows: Rows | None = None, *, X: object = None, **asked: Unpack[Asked]
    ) -> Predictions:
        """Answer rows: dicts (or one), lists, a data frame, or a file's name; or a matrix `X`, or one row of it.

        Raises Problem, Unreachable, NotUsable.
        """
        beside = {name: value for name, value in asked.items() if value is not None}
        told: list[dict[str, Any]] = []
        for place, part in enumerate(_parts(rows, X)):
            reference = f"{told[0]['model']}/{told[0]['version']}" if place else model
            with laid_out(*_asked_of(reference, part, beside)) as sent:
                told.append(await self._told(_predicting(sent)))
        return Predictions.of(_joined(told))

    async def predict_file(
        self,
        model: str,
        file: str | PathLike[str] | Table,
        into: str | PathLike[str] | BinaryIO,
        *,
        ending: str = ".csv",
        **asked: Unpack[Asked],
    ) -> None:
        """Answer a file of any size into another: CSV, NDJSON, Parquet, Arrow or JSON, as they end.

        A file of that name is replaced once all is there; `into` may be an open one, which gets what the ending says.
        """
        form = media_type_of(str(into) if isinstance(into, str | PathLike) else ending)
        with laid_out(file, {"model": model} | asked) as sent, _arriving(into) as arriving:
            await self._answered(sent, form, arriving)

    async def _answered(self, sent: Sent, form: str, arriving: BinaryIO) -> None:
        request = _predicting(sent)._replace(headers={"accept": form}, seconds=SECONDS_TO_ANSWER_A_FILE)

        async def once() -> None:
            arriving.seek(0)
            arriving.truncate()
            async with self._reading(request) as response, aclosing(self._wire.pieces(response)) as pieces:
                async for piece in pieces:
                    arriving.write(piece)

        await self._until_answered(request, once)


def _predicting(sent: Sent) -> Request:
    return Request("POST", "/predict", sent.params, {"accept": "application/json"}, sent.body)


def _parts(rows: Any, X: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - tables of any kind
    """Cut long tables, which take too much at once, into parts."""
    table = X if rows is None else rows
    if isinstance(table, Mapping | str | PathLike | Table | None) or _length(table) <= ROWS_AT_ONCE:
        yield rows, X
        return
    rows_of = getattr(table, "iloc", table)
    for begins in range(0, len(table), ROWS_AT_ONCE):
        part = rows_of[begins : begins + ROWS_AT_ONCE]
        yield (None, part) if rows is None else (part, X)


def _length(table: Any) -> int:  # noqa: ANN401 - whatever was given
    """Count the rows of a table; what is none has none."""
    try:
        return len(table)
    except TypeError:
        return 0


def _asked_of(reference: str, part: tuple[Any, Any], beside: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    rows, X = part
    return rows, {"model": reference, **beside} | ({} if X is None else {"X": X})


def _joined(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the answers to the parts of a table after each other."""
    first = told[0]
    return first | {
        name: [one for part in told for one in part[name]] for name, value in first.items() if isinstance(value, list)
    }


@contextmanager
def _arriving(into: str | PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """Give a file to write to, which is `into` once all is there."""
    if not isinstance(into, str | PathLike):
        yield into
        return
    path = Path(into)
    arriving = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with arriving.open("xb") as file:
            yield file
        arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)
