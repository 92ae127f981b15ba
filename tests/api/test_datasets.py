"""Datasets: uploaded once in any format, described, trained from, and deleted when nobody needs them."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.settings import Settings
from app.tables.formats import FORMATS
from tests.api.problem import problem
from tests.conftest import client_of, wait_until

CSV = b"hours,course,paid,day,score\n" + b"".join(
    f"{hour},{course},{paid},2024-01-{hour:02d},{score}\n".encode()
    for hour, course, paid, score in [
        (1, "art", "true", 50.5),
        (2, "law", "false", 70),
        (3, "", "true", 60),
        (4, "law", "true", 90),
        (5, "sea", "false", 80),
        (6, "sea", "true", 99),
    ]
)
AS_CSV = {"content-type": "text/csv"}
QUICK: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 5, "members": 2}}


def rows() -> list[dict[str, Any]]:
    """The same rows as JSON has them."""
    lines = [line.split(",") for line in CSV.decode().splitlines()]
    return [
        {
            "hours": int(hours),
            "course": course or None,
            "paid": paid == "true",
            "day": day,
            "score": float(score),
        }
        for hours, course, paid, day, score in lines[1:]
    ]


async def uploaded(client: httpx.AsyncClient, content: bytes = CSV, kind: str = "text/csv", **query: str) -> Any:
    response = await client.post("/datasets", params=query, content=content, headers={"content-type": kind})
    return response.raise_for_status().json()


def left_behind(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.models / ".datasets").rglob("*") if path.is_file())


async def test_the_same_bytes_are_one_dataset(client: httpx.AsyncClient) -> None:
    """201 the first time, 200 after with the same answer; read another way they are another dataset."""
    first = await client.post("/datasets", content=CSV, headers=AS_CSV)
    second = await client.post("/datasets", content=CSV, headers=AS_CSV)
    other = await client.post("/datasets", content=CSV, headers=AS_CSV, params={"decimal": "."})

    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 201)
    assert first.json() == second.json() == (await client.get(first.headers["location"])).json()
    assert first.json()["dataset"] != other.json()["dataset"]


async def test_columns_are_described(client: httpx.AsyncClient) -> None:
    """Kind, range, what is missing, what is frequent, and how numbers are spread."""
    answer = await uploaded(client)

    hours, course, paid, day, score = answer["columns"]
    assert answer["rows"] == 6
    assert (hours["kind"], hours["lowest"], hours["highest"]) == ("integer", 1, 6)
    assert (course["kind"], course["level_count"], course["missing_share"]) == ("category", 3, 1 / 6)
    assert course["frequent"] == [["law", 2], ["sea", 2], ["art", 1]]
    assert (paid["kind"], paid["frequent"]) == ("boolean", [[True, 4], [False, 2]])
    assert (day["kind"], day["lowest"], day["highest"]) == ("date", "2024-01-01", "2024-01-06")
    assert score["kind"] == "number"
    assert (score["histogram"]["edges"][0], score["histogram"]["edges"][-1]) == (50.5, 99)
    assert len(score["histogram"]["counts"]) == 20
    assert sum(score["histogram"]["counts"]) == 6


async def test_datasets_are_listed_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    """By id; the last page has no next."""
    ids = sorted([(await uploaded(client, b"a\n%d\n" % number))["dataset"] for number in range(3)])

    first = (await client.get("/datasets", params={"limit": 2})).json()
    last = (await client.get("/datasets", params={"limit": 2, "after": first["next"]})).json()

    assert [entry["dataset"] for entry in first["datasets"] + last["datasets"]] == ids
    assert (first["next"], last["next"]) == (ids[1], None)
    assert first["datasets"][0]["columns"] == ["a"]


async def test_a_deleted_dataset_is_gone_with_its_files(client: httpx.AsyncClient, settings: Settings) -> None:
    """204, then 404, and nothing is left on the disk."""
    path = f"/datasets/{(await uploaded(client))['dataset']}"

    assert (await client.delete(path)).status_code == 204

    assert (await problem(client, path, b"", "GET"))["type"] == "/problems/dataset-not-found"
    assert (await problem(client, path, b"", "DELETE"))["status"] == 404
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "text/csv", 422),
        (b"a,b\n", "text/csv", 422),
        (b"a,b\n1,2\n3\n", "text/csv", 422),
        (b"a,a\n1,2\n", "text/csv", 422),
        (b"a\n" + b"x" * 70_000 + b"\n", "text/csv", 422),
        (b"", "application/json", 400),
        (b'{"X": [[1]]}', "application/json", 422),
        (b'{"rows": [[1]], "columns": 5}', "application/json", 422),
        (b'[{"a": [1]}]', "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"a": 1}\n{"b": 1}\n', "application/x-ndjson", 422),
        (b'{"a": 1}\n{"a"\n', "application/x-ndjson", 400),
        (b"[1]\n2\n", "application/x-ndjson", 422),
        (b"PAR1" * 10, "application/vnd.apache.parquet", 422),
        (b"ARROW1\0\0" * 10, "application/vnd.apache.arrow.file", 422),
        (b"\xff" * 40, "application/vnd.apache.arrow.stream", 422),
        (b"\x93NUMPY\x01\x00" * 9, "application/x-npy", 422),
    ],
)
async def test_what_is_no_table_is_refused_and_leaves_nothing(
    content: bytes, kind: str, status: int, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A 4xx that names what is wrong, whatever the format."""
    response = await client.post("/datasets", content=content, headers={"content-type": kind})

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    "path", ["/datasets/..%2fx", "/datasets/" + "A" * 32, "/datasets/x%00", "/datasets/" + "f" * 999]
)
async def test_words_that_are_no_id_are_not_found(path: str, client: httpx.AsyncClient) -> None:
    """Reading and deleting: 404, before any path is made of them."""
    for method in ("GET", "DELETE"):
        assert (await problem(client, path, b"", method))["status"] == 404
