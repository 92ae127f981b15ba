"""Tables of any length: answered as short ones are, in memory that does not grow with them."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from app.api.spooling import MOST_HELD
from app.main import create_app
from app.settings import Settings
from app.tables.formats import FORMATS
from app.tables.options import Options
from tests.api.open_files import temporary_files
from tests.conftest import StartServer, client_of, wait_until

ROWS = 30_000
PADDING = os.urandom(40 * ROWS).hex()  # as good as incompressible
TOWNS = ["Ulm", "007", "1.5", "Unseen"]

HOUSES: dict[str, list[Any]] = {
    "size": [None if index % 11 == 0 else index / 700 for index in range(ROWS)],
    "town": [TOWNS[index % 4] for index in range(ROWS)],
    "garden": [index % 3 == 0 for index in range(ROWS)],
    "built": [f"{1950 + index % 80}-0{1 + index % 9}-1{index % 10}" for index in range(ROWS)],
}
NOTES = [PADDING[80 * index : 80 * index + 80] for index in range(ROWS)]
SETTINGS: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 5}, "network": {"hidden": [4]}}
KINDS = {"town": "category"}
EVERY = pytest.mark.parametrize("name", [name for name in FORMATS if name != "npy"])


def rows_of(columns: dict[str, list[Any]], count: int = ROWS) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in list(zip(*columns.values(), strict=True))[:count]]


ANSWERS: dict[str, list[Any]] = {"price": [1.5, 2.5, 0.5], "class": ["low", "high", "=odd"]}


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with a model of prices and one of classes."""
    async with client_of(settings) as client:
        rows = [row for row in rows_of(HOUSES, 400) if row["town"] != "Unseen"]
        for name, answers in ANSWERS.items():
            learnt = [row | {name: answers[index % 3]} for index, row in enumerate(rows)]
            request = {"name": name, "rows": learnt, "target": name, "kinds": KINDS, **SETTINGS}
            (await client.post("/train", json=request)).raise_for_status()
        yield client


def body_of(name: str, columns: dict[str, list[Any]]) -> bytes:
    table = pa.table(columns)
    return b"".join(FORMATS[name].write([table], table.num_rows))


async def ask(client: httpx.AsyncClient, name: str, body: bytes, model: str = "price", **query: Any) -> httpx.Response:
    """Send a table; `accept` is a header, and all else is in the address."""
    headers = {"content-type": FORMATS[name].media_types[0]}
    if "accept" in query:
        headers["accept"] = query.pop("accept")
    return await client.post(f"/models/{model}/predict", content=body, headers=headers, params=query)


def columns_of(name: str, body: bytes) -> dict[str, list[Any]]:
    table = FORMATS[name].read(body, Options())
    return {column: table.column(column).array.to_pylist() for column in table.columns}


def in_json(answer: dict[str, Any], target: str) -> dict[str, list[Any]]:
    """The columns that an answer in JSON has in other formats."""
    columns = {target: answer["predictions"], "in_range": answer["in_range"]}
    labels = answer.get("probabilities", [{}])[0]
    return columns | {f"probability_{label}": [row[label] for row in answer["probabilities"]] for label in labels}


@EVERY
async def test_a_long_table_is_answered_as_its_rows_are(name: str, client: httpx.AsyncClient) -> None:
    """In every format: numbers, categories, truths, dates and what is missing, bit for bit as in JSON."""
    body = body_of(name, HOUSES | {"note": NOTES})
    assert len(body) > MOST_HELD
    plain = (await client.post("/models/price/predict", json={"rows": rows_of(HOUSES)})).raise_for_status().json()

    answer = await ask(client, name, body, ignore_extra="true")

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-model"] == "price/1"
    assert answer.headers["content-type"].split(";")[0] == FORMATS[name].media_types[0]
    assert columns_of(name, answer.content) == in_json(plain, "price")
    assert set(plain["in_range"]) == {True, False}


@EVERY
async def test_a_long_table_is_answered_as_short_ones_are(name: str, client: httpx.AsyncClient) -> None:
    """In every format: classes and probabilities, bit for bit as those of a body of a thousandth of the rows."""
    body = body_of(name, HOUSES | {"note": NOTES})
    part = {column: cells[20_000 : 20_000 + ROWS // 1000] for column, cells in HOUSES.items()}

    answer = await ask(client, name, body, "class", ignore_extra="true", proba="true")
    short = await ask(client, name, body_of(name, part), "class", proba="true")

    found, expected = columns_of(name, answer.content), columns_of(name, short.content)
    assert {column: cells[20_000 : 20_000 + ROWS // 1000] for column, cells in found.items()} == expected
    assert len(found["class"]) == ROWS
    assert {"class", "in_range", "probability_low", "probability_high", "probability_=odd"} == set(found)


async def test_a_long_array_is_answered_as_its_rows_are(client: httpx.AsyncClient) -> None:
    """An npy has only numbers, and so has its answer."""
    learnt = {"X": [[1, 5], [2, 9], [3, 6]], "y": [1, 2, 3], "columns": ["a", "b"], "name": "array", **SETTINGS}
    (await client.post("/train", json=learnt)).raise_for_status()
    array = np.random.default_rng(0).uniform(0, 10, (100_000, 2))
    body = io.BytesIO()
    np.save(body, array)

    answer = await ask(client, "npy", body.getvalue(), "array", columns=["a", "b"])

    plain = (await client.post("/models/array/predict", json={"X": array.tolist()})).json()
    np.testing.assert_array_equal(
        np.lib.format.read_array(io.BytesIO(answer.content)), np.stack(list(in_json(plain, "y").values()), axis=1)
    )


@pytest.mark.parametrize(("sent", "got"), [("csv", "parquet"), ("parquet", "ndjson"), ("ndjson", "arrow_file")])
async def test_the_answer_has_the_form_that_is_asked_for(sent: str, got: str, client: httpx.AsyncClient) -> None:
    """Whatever the body's is, with the same numbers."""
    body = body_of(sent, HOUSES | {"note": NOTES})

    answer = await ask(client, sent, body, ignore_extra="true", accept=FORMATS[got].media_types[0])

    own = await ask(client, sent, body, ignore_extra="true")
    assert columns_of(got, answer.content) == columns_of(sent, own.content)


@pytest.mark.parametrize("proba", ["true", "false"])
async def test_a_long_table_can_be_answered_in_json(proba: str, client: httpx.AsyncClient) -> None:
    """It is the answer that its rows get in JSON, to the last byte."""
    body = body_of("csv", HOUSES | {"note": NOTES})

    answer = await ask(client, "csv", body, "class", ignore_extra="true", proba=proba, accept="application/json")

    request = {"rows": rows_of(HOUSES), "proba": proba == "true"}
    assert answer.content == (await client.post("/models/class/predict", json=request)).content


@pytest.mark.usefixtures("client")
async def test_only_json_has_a_most_of_answers(settings: Settings) -> None:
    """Other formats are streams; a short body that holds many rows is answered as one too."""
    short, long = (body_of("csv", {**HOUSES, **extra}) for extra in ({}, {"note": NOTES}))
    few = {column: cells[:500] for column, cells in HOUSES.items()}
    async with client_of(settings.model_copy(update={"most_answers": 400})) as limited:
        streamed = [await ask(limited, "csv", body, ignore_extra="true") for body in (body_of("csv", few), short, long)]
        in_one = [
            await ask(limited, "csv", body, ignore_extra="true", accept="application/json") for body in (short, long)
        ]

    assert [answer.status_code for answer in (*streamed, *in_one)] == [200, 200, 200, 413, 413]
    assert streamed[1].content == streamed[2].content
    assert streamed[2].content.startswith(streamed[0].content)
    assert {answer.json()["type"] for answer in in_one} == {"/problems/too-many-answers"}


async def test_a_short_body_may_hold_a_long_table(client: httpx.AsyncClient) -> None:
    """Parquet is compressed: two million cells fit into some kilobytes, and are answered some at a time."""
    rows = 300_000
    body = body_of("parquet", {column: [cells[1]] * rows for column, cells in HOUSES.items()})
    assert len(body) < MOST_HELD

    answer = await ask(client, "parquet", body)

    (one,) = set(columns_of("parquet", answer.content)["price"])
    short = await ask(client, "parquet", body_of("parquet", {column: [cells[1]] for column, cells in HOUSES.items()}))
    assert columns_of("parquet", short.content)["price"] == [one]


async def test_more_than_the_service_takes_is_refused(settings: Settings) -> None:
    """In bytes as soon as they have come, and in cells as soon as they are counted, however few bytes they took."""
    async with client_of(settings.model_copy(update={"bulk_bytes": 2 * 2**20})) as client:
        learnt = {"X": [[1, 5], [2, 9], [3, 6]], "y": [1, 2, 3], "columns": ["a", "b"], "name": "price", **SETTINGS}
        (await client.post("/train", json=learnt)).raise_for_status()
        bodies = {
            "csv": b"a,b\n" + b"1,5\n" * 2**20,
            "arrow_stream": b"".join(
                FORMATS["arrow_stream"].write([pa.table({"a": [True] * 2**17, "b": [True] * 2**17})] * 9, 9 * 2**17)
            ),
            "parquet": body_of("parquet", {"a": [1.0] * 2**21, "b": [1.0] * 2**21}),
        }
        answers = {name: (await ask(client, name, body)).json()["type"] for name, body in bodies.items()}

    assert answers == {
        "csv": "/problems/body-too-large",
        "arrow_stream": "/problems/table-too-large",
        "parquet": "/problems/table-too-large",
    }


@EVERY
async def test_a_fault_in_the_last_row_is_told_before_anything_is_answered(
    name: str, client: httpx.AsyncClient
) -> None:
    """422, by the row's number in the whole table."""
    last = HOUSES | {"built": [*HOUSES["built"][:-1], "soon"], "note": NOTES}

    answer = await ask(client, name, body_of(name, last), ignore_extra="true")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"row": ROWS - 1, "column": "built", "got": 'text "soon"', "expected": "a date such as 2024-12-31"}
    ]


async def test_all_faults_are_counted_and_the_first_told(client: httpx.AsyncClient) -> None:
    """Those of the whole table, in one answer."""
    wrong = ["x" if index % 1000 == 999 else size for index, size in enumerate(HOUSES["size"])]
    written = csv_of(HOUSES | {"size": [None if cell is None else str(cell) for cell in wrong], "note": NOTES})

    answer = (await ask(client, "csv", written, ignore_extra="true")).json()

    assert (answer["status"], answer["total_errors"]) == (422, ROWS // 1000)
    assert [fault["row"] for fault in answer["errors"]] == list(range(999, 20_000, 1000))


def csv_of(columns: dict[str, list[Any]]) -> bytes:
    sink = io.BytesIO()
    csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()


async def test_columns_that_are_not_the_models_are_told_at_once(client: httpx.AsyncClient) -> None:
    """As they are for a short table."""
    answer = (await ask(client, "csv", csv_of(HOUSES | {"note": NOTES}))).json()

    assert (answer["status"], answer["errors"]) == (422, [{"column": "note", "expected": "no such column"}])


async def test_answers_that_overflow_are_told_before_anything_is_answered(client: httpx.AsyncClient) -> None:
    """By the rows' numbers in the whole table, unless some cells do not fit."""
    learnt = {
        "name": "steep",
        "X": [[2e-200], [1e-200], [3e-200]],
        "y": [92e90, 86e90, 89e90],
        "columns": ["a"],
        "network": {"hidden": [4], "activation": "relu"},
        "training": {"optimizer": "adam", "epochs": 5},
        "scaling": {"features": "standard"},
    }
    (await client.post("/train", json=learnt)).raise_for_status()
    cells = [f"{index % 3 + 1}.{'0' * 30}e-200" for index in range(2 * ROWS)]
    cells[ROWS] = cells[-1] = "1e100"

    overflown, unfit = [
        (await ask(client, "csv", "\n".join(["a", *rows]).encode(), "steep")).json() for rows in (cells, [*cells, "x"])
    ]

    assert (overflown["status"], overflown["total_errors"]) == (422, 2)
    assert [fault["row"] for fault in overflown["errors"]] == [ROWS, 2 * ROWS - 1]
    assert [fault["row"] for fault in unfit["errors"]] == [2 * ROWS]


async def test_probabilities_of_numbers_are_refused_at_once(client: httpx.AsyncClient) -> None:
    """As for a short table."""
    answer = await ask(client, "csv", csv_of(HOUSES | {"note": NOTES}), proba="true", ignore_extra="true")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "proba")


class Leaving:
    """An ASGI connection of a client that goes away after so much of the body or of the answer."""

    def __init__(self, body: bytes, *, pieces: int, accept: str = "text/csv") -> None:
        self.coming = [body[start : start + 2**16] for start in range(0, len(body), 2**16)][:pieces]
        self.whole = 2**16 * pieces >= len(body)
        self.open_files = 0
        self.sent: list[dict[str, Any]] = []
        self.answered = asyncio.Event()
        headers = {"content-type": "text/csv", "accept": accept}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/models/price/predict",
            "query_string": b"ignore_extra=true",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def receive(self) -> dict[str, Any]:
        """Give the body, and then the news that the client is gone."""
        if self.coming:
            piece = self.coming.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self.coming) or not self.whole}
        self.open_files = max(self.open_files, temporary_files())
        if self.whole:
            await self.answered.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take the answer, but nothing after its first piece."""
        self.sent.append(message)
        if message.get("body"):
            self.answered.set()
            await asyncio.sleep(60)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("pieces", [20, 1000], ids=["while it sends", "while it is answered"])
async def test_a_client_that_goes_away_leaves_no_file_open(
    pieces: int, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the middle of its body nor in the middle of the answer; nor is that a fault of the service."""
    app = create_app(settings)
    leaving = Leaving(csv_of(HOUSES | {"note": NOTES}), pieces=pieces)
    before = temporary_files()

    async with app.router.lifespan_context(app), asyncio.timeout(30):
        await app(leaving.scope, leaving.receive, leaving.send)

    assert leaving.open_files > before
    assert [message["status"] for message in leaving.sent if "status" in message] == [400 if pieces == 20 else 200]
    assert "failed" not in caplog.text
    wait_until(lambda: temporary_files() == before)


@pytest.mark.usefixtures("client")
async def test_nobody_is_answered_who_is_gone(settings: Settings) -> None:
    """The reading of a table ends when its sender has left."""
    app = create_app(settings)
    leaving = Leaving(csv_of(HOUSES | {"note": NOTES}), pieces=1000)
    leaving.answered.set()
    before = temporary_files()

    async with app.router.lifespan_context(app), asyncio.timeout(30):
        await app(leaving.scope, leaving.receive, leaving.send)

    assert [message["status"] for message in leaving.sent if "status" in message] == [400]
    wait_until(lambda: temporary_files() == before)


@EVERY
def test_answers_that_nobody_waits_for_leave_no_file_open(name: str, start_server: StartServer) -> None:
    """A real server closes what it was reading as soon as clients are gone, and leaves nothing to a collector."""
    server = start_server()
    before = temporary_files(server.process.pid)
    body, kind = body_of(name, HOUSES | {"note": NOTES}), {"content-type": FORMATS[name].media_types[0]}
    with server.client() as client:
        rows = [row | {"price": index} for index, row in enumerate(rows_of(HOUSES, 60))]
        request = {"name": "price", "rows": rows, "target": "price", "kinds": KINDS, **SETTINGS}
        client.post("/train", json=request).raise_for_status()
        for _ in range(5):
            url = "/models/price/predict?ignore_extra=true"
            with client.stream("POST", url, content=body, headers=kind) as response:
                next(response.iter_raw())
            assert response.status_code == 200

        wait_until(lambda: temporary_files(server.process.pid) == before, seconds=10)


def memory(process: int, name: str) -> int:
    """Bytes that a process takes, or has taken at most."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(status.split(f"{name}:")[1].split()[0])


def test_a_million_rows_take_little_memory(start_server: StartServer) -> None:
    """A real process grows by less than 300 MB while it answers 1,000,000 rows of five columns."""
    numbers = np.random.default_rng(0).standard_normal((1_000_000, 5))
    names = [f"x{index}" for index in range(1, 6)]
    body = csv_of(dict(zip(names, map(pa.array, numbers.T), strict=True)))
    server = start_server()
    lines = 0
    with server.client() as client:
        learnt = {"name": "exam", "X": numbers[:50].tolist(), "y": [1.0, 2.0] * 25, **SETTINGS}
        client.post("/train", json=learnt).raise_for_status()
        before = memory(server.process.pid, "VmRSS")
        headers = {"content-type": "text/csv"}
        with client.stream("POST", "/models/exam/predict", content=body, headers=headers) as response:
            assert response.status_code == 200
            for piece in response.iter_bytes():
                lines += piece.count(b"\n")

    assert lines == 1_000_001
    assert memory(server.process.pid, "VmHWM") - before < 300 * 2**20
