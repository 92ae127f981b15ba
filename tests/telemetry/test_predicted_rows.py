"""Rows that were answered: how many, of which model, how many out of range, and how far off in the mean."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from app.insight.drift import FEWEST
from app.settings import Settings
from tests.api.lanes import LAST, Both, request, serving, transcript
from tests.telemetry.measured import Measured, labels_of, of, read

TABLE = np.random.default_rng(0).standard_normal((200, 2)) * [1, 100] + [5, 0]
IN, OUT = [5.0, 0.0], [5.0, 1e4]
MODEL: dict[str, Any] = {
    "name": "drifts",
    "X": TABLE.tolist(),
    "y": TABLE.sum(axis=1).tolist(),
    "columns": ["still", "moves"],
    "training": {"optimizer": "adam", "epochs": 1},
}


async def measured(client: httpx.AsyncClient) -> Measured:
    return read((await client.get("/metrics")).raise_for_status().text)


@pytest.fixture
async def client(client: httpx.AsyncClient) -> httpx.AsyncClient:
    (await client.post("/train", json=MODEL)).raise_for_status()
    return client


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[Both]:
    async with serving(settings) as both:
        await both.change("POST", "/train", MODEL)
        await both.alike(request({"model": "drifts", "X": [IN]}), LAST)  # so that it is known
        yield both


def arrow(rows: list[list[float]]) -> bytes:
    """Write rows as Arrow."""
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(("still", "moves"))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


async def test_rows_are_counted_however_they_come(client: httpx.AsyncClient) -> None:
    """By all protocols and formats, at once or some at a time; those in vain are not."""
    rows = [IN, OUT, OUT]
    tensor = {"name": "X", "shape": [3, 2], "datatype": "FP64", "data": [*IN, *OUT, *OUT]}
    csv = "still,moves\n" + "".join(f"{still},{moves}\n" for still, moves in rows)
    streamed = {"content-type": "application/vnd.apache.arrow.stream", "accept": "text/csv"}
    sent: list[tuple[str, dict[str, Any]]] = [
        ("/models/drifts/predict", {"json": {"X": rows}}),
        ("/models/drifts/predict", {"json": {"rows": [{"still": 5, "moves": 0}] * 3}}),
        ("/models/drifts/predict", {"json": {"X": rows}, "headers": {"accept": "text/csv"}}),
        ("/models/drifts/predict", {"content": csv.encode(), "headers": {"content-type": "text/csv"}}),
        ("/models/drifts/predict", {"content": arrow(rows * 20_000), "headers": streamed}),
        ("/v2/models/drifts/infer", {"json": {"inputs": [tensor]}}),
        ("/v1/models/drifts:predict", {"json": {"instances": rows}}),
        ("/models/drifts/invocations", {"json": {"inputs": rows}}),
    ]
    for path, body in sent:
        (await client.post(path, **body)).raise_for_status()
    for wrong in ({"X": [[1]]}, {"X": [[1, 2]], "proba": True}):
        assert (await client.post("/models/drifts/predict", json=wrong)).status_code == 422

    told = await measured(client)

    rows_in, rows_out = 3 + 6 + 20_000, 2 * 6 + 40_000
    assert of(told, "netlet_model_rows_total", model="drifts", version="1") == rows_in + rows_out
    assert of(told, "netlet_model_rows_out_of_range_total", model="drifts", version="1") == rows_out
    assert of(told, "netlet_predicted_rows_total") == rows_in + rows_out


@pytest.mark.parametrize("rows", [1, 3, 50])
async def test_the_lane_counts_rows_as_the_routes_do(rows: int, both: Both) -> None:
    """Those that come alone, those that are many, and those that are answered together with others'."""
    sent = request({"model": "drifts", "X": [IN] * (rows - 1) + [OUT]})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{both.plain}") as client:
        before, reached = await measured(client), both.reached
        await both.alike(*[sent] * 7, LAST)
        await asyncio.gather(*(transcript(both.lane, [sent, LAST]) for _ in range(6)))
        after = await measured(client)

    assert both.reached == reached + 7  # the last of each connection
    for name, each in (("netlet_model_rows_total", rows), ("netlet_model_rows_out_of_range_total", 1)):
        assert of(after, name) - of(before, name) == (2 * 7 + 6) * each  # seven by each of the two servers


async def test_what_the_model_is_asked_may_have_moved(both: Both) -> None:
    """As far as the mean has, in deviations of what was learnt; nothing is said of a few rows."""
    deviation = TABLE[:, 1].std()
    off = [request({"model": "drifts", "X": [5, 3 * deviation]})]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{both.plain}") as client:
        await both.alike(*off * (FEWEST // 2 - 2), LAST)
        assert labels_of(await measured(client), "netlet_model_drift", "column") == set()
        await both.alike(*off * FEWEST, LAST)
        told = await measured(client)

    assert of(told, "netlet_model_drift", model="drifts", version="1", column="moves") == pytest.approx(3, abs=0.4)
    assert abs(of(told, "netlet_model_drift", model="drifts", version="1", column="still")) < 0.4
