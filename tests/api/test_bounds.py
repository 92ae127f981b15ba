"""Bounds: every limit of a table is a setting, and holds in every format and on every route."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyarrow as pa
import pytest

from app.settings import Settings
from app.tables.formats import FORMATS
from tests.conftest import client_of

BOUNDS = {"most_rows": 20, "most_columns": 4, "longest_cell": 100, "json_depth": 6}
ROWS: list[dict[str, Any]] = [{"a": row, "t": "x" * (row % 2 + 1), "y": row} for row in range(20)]
FORMATS_SENT = ["json", *(name for name in FORMATS if name != "npy")]
FAR = {
    "rows": ([*ROWS, ROWS[0]], 413, "more than the 20 rows"),
    "columns": ([row | {"b": 1, "c": 2} for row in ROWS], 422, "more than the 4 that"),
    "a text": ([*ROWS[:-1], ROWS[-1] | {"t": "é" * 51}], 422, "more than 100 bytes"),
}
QUICK: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 1}}


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with small bounds and a model."""
    async with client_of(settings.model_copy(update=BOUNDS)) as client:
        request = {"name": "exam", "rows": ROWS, "target": "y"} | QUICK
        (await client.post("/train", json=request)).raise_for_status()
        yield client


def body_of(name: str, rows: list[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    if name == "json":
        return json.dumps(rows).encode(), {"content-type": "application/json"}
    table = pa.Table.from_pylist(rows)
    return b"".join(FORMATS[name].write([table], table.num_rows)), {"content-type": FORMATS[name].media_types[0]}


async def post(
    client: httpx.AsyncClient, path: str, name: str, rows: list[dict[str, Any]], **query: str
) -> httpx.Response:
    body, headers = body_of(name, rows)
    return await client.post(path, content=body, headers=headers, params=query)


@pytest.mark.parametrize("name", FORMATS_SENT)
@pytest.mark.parametrize("too_far", FAR)
async def test_what_is_beyond_a_bound_is_refused(too_far: str, name: str, client: httpx.AsyncClient) -> None:
    """Learnt, answered or kept: 413 or 422 says which bound it was, and what is just within is taken."""
    rows, status, said = FAR[too_far]
    query = {"target": "y", "training": json.dumps(QUICK["training"])}
    asked = {"ignore_extra": "true"}

    for path, settings in (("/train", query), ("/models/exam/predict", asked), ("/datasets", {})):
        refused = await post(client, path, name, rows, **settings)
        assert (refused.status_code, said in refused.text) == (status, True), (path, refused.text)
        assert len(refused.content) < 4000
        within = await post(client, path, name, ROWS, **settings)
        assert within.status_code in {200, 201}, (path, within.text)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "npy"])
@pytest.mark.parametrize("too_far", ["columns", "a text", "a text to ignore"])
async def test_a_long_table_is_bound_as_a_short_one(too_far: str, name: str, settings: Settings) -> None:
    """More than is read at once, answered some rows at a time: refused before the first answer."""
    rows: list[dict[str, Any]] = [{"a": row, "t": f"x{row % 5}", "note": os.urandom(40).hex()} for row in range(15_000)]
    more: dict[str, dict[str, Any]] = {
        "columns": {"b": 1, "c": 2},
        "a text": {"t": "x" * 101},
        "a text to ignore": {"note": "x" * 101},
    }
    rows[-1] |= more[too_far]
    if too_far == "columns":
        rows = [more[too_far] | row for row in rows]
    async with client_of(settings.model_copy(update=BOUNDS | {"most_rows": 10**6})) as client:
        request = {"name": "exam", "rows": ROWS, "target": "y"} | QUICK
        (await client.post("/train", json=request)).raise_for_status()

        refused = await post(client, "/models/exam/predict", name, rows, ignore_extra="true")

    assert refused.status_code == 422, refused.text[:500]
    assert ("columns" if too_far == "columns" else "more than 100 bytes") in refused.json()["detail"]


async def test_a_later_row_has_no_more_columns_than_the_first_may(client: httpx.AsyncClient) -> None:
    """In JSON each row brings its own."""
    rows: list[dict[str, Any]] = [{"a": 1, "t": "x"}, {"a": 1, "t": "x"} | {f"c{index}": 1 for index in range(9)}]

    answer = await client.post("/predict", json={"model": "exam", "ignore_extra": True, "rows": rows})

    assert (answer.status_code, "11 columns" in answer.text) == (422, True)


@pytest.mark.parametrize(("depth", "status"), [(6, 422), (7, 422), (150, 422), (1000, 400)])
async def test_json_goes_only_so_deep(depth: int, status: int, client: httpx.AsyncClient) -> None:
    """Beyond the bound that is what is wrong; within it, what the cell holds is."""
    cell = "[" * (depth - 3) + "]" * (depth - 3)
    body = f'{{"rows": [{{"a": {cell}, "y": 1}}], "target": "y"}}'

    answer = await client.post("/train", content=body)

    assert answer.status_code == status
    assert ("within each other" in answer.text) == (6 < depth < 1000)


async def test_a_table_in_json_counts_its_rows_but_not_its_brackets(client: httpx.AsyncClient) -> None:
    """Many shallow rows are no deep nesting."""
    answer = await client.post("/predict", json={"model": "exam", "rows": [{"a": 1, "t": "x"}] * 20})

    assert answer.status_code == 200
