"""Datasets: uploaded once in any format, described, listed and deleted; whatever goes wrong leaves nothing."""

import gzip
import io

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.settings import Settings
from tests.api.datasets import AS_CSV, CSV, left_behind, uploaded
from tests.api.problem import problem
from tests.conftest import client_of


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
        (b'\xef\xbb\xbf{"a": 1}\n', "application/x-ndjson", 400),
        (b"PAR1" * 10, "application/vnd.apache.parquet", 422),
        (b"ARROW1\0\0" * 10, "application/vnd.apache.arrow.file", 422),
        (b"\xff" * 40, "application/vnd.apache.arrow.stream", 422),
        (b"\x93NUMPY\x01\x00" * 9, "application/x-npy", 422),
        (b'[{"a": NaN}]', "application/json", 400),
        (b'{"a": 1}\n{"a": 1e999}\n', "application/x-ndjson", 400),
        (b"a\n1\n\xff", "text/csv; charset=utf-16", 422),
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
    ("query", "said"),
    [
        ({"kinds": '{"hour": "category"}'}, "hours"),
        ({"kinds": '{"hours": "number"}'}, "category"),
        ({"columns": ["hours"]}, "names in it"),
    ],
)
async def test_what_would_have_no_effect_is_refused(
    query: dict[str, str | list[str]], said: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A misspelt column, a kind that an upload does not settle, names where the body has some."""
    response = await client.post("/datasets", content=CSV, headers=AS_CSV, params=query)

    assert response.status_code == 422
    assert said in response.text
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a\n0001-01-01T00:00:00+14:00\n", ("category", None, None)),
        ("a\n9999-12-31T23:59:59-14:00\n2024-01-01\n2024-01-02\n", ("date", "2024-01-01", "2024-01-02")),
        ("a\n0001-01-01T00:00:00\n9999-12-31T23:59:59.999999Z\n", ("date", "0001-01-01", "9999-12-31")),
    ],
)
async def test_the_ends_of_the_calendar_are_kept(
    content: str, told: tuple[str, object, object], client: httpx.AsyncClient
) -> None:
    """What UTC would put outside the years 1 to 9999 is no date."""
    response = await client.post("/datasets", content=content.encode(), headers=AS_CSV)

    assert response.status_code == 201, response.text
    (column,) = response.json()["columns"]
    assert column["kind"] == told[0]
    for end, expected in zip(("lowest", "highest"), told[1:], strict=True):
        assert str(column[end]).split("T")[0] == str(expected)


async def test_dates_of_no_calendar_are_refused_as_in_a_training(client: httpx.AsyncClient, settings: Settings) -> None:
    """Not kept as missing: 422 with the same faults, and nothing is left."""
    days = pa.array([0, 2_932_897, None], pa.int32()).cast(pa.date32())  # the second is in the year 10000
    body = io.BytesIO()
    parquet.write_table(pa.table({"day": days, "y": [1, 2, 3]}), body)

    answers = [
        await client.post(path, content=body.getvalue(), headers={"content-type": "application/vnd.apache.parquet"})
        for path in ("/datasets", "/train?target=y")
    ]

    kept, learnt = (answer.json() for answer in answers)
    assert (kept["status"], learnt["status"], kept["type"]) == (422, 422, "/problems/table")
    assert kept["errors"] == learnt["errors"]
    assert [(fault["row"], fault["column"]) for fault in kept["errors"]] == [(1, "day")]
    assert "Send null" in kept["detail"]
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    "path", ["/datasets/..%2fx", "/datasets/" + "A" * 32, "/datasets/x%00", "/datasets/" + "f" * 999]
)
async def test_words_that_are_no_id_are_not_found(path: str, client: httpx.AsyncClient) -> None:
    """Reading and deleting: 404, before any path is made of them."""
    for method in ("GET", "DELETE"):
        assert (await problem(client, path, b"", method))["status"] == 404


async def test_a_damaged_document_is_told_in_the_list(client: httpx.AsyncClient, settings: Settings) -> None:
    """The others are listed as ever; the damaged one can be deleted."""
    good, bad = [(await uploaded(client, content))["dataset"] for content in (b"a\n1\n", b"a\n2\n")]
    file = settings.models / ".datasets" / f"{bad}.json"
    file.write_bytes(file.read_bytes().replace(b'"rows":1', b'"rows":2'))

    listed = {entry["dataset"]: entry for entry in (await client.get("/datasets")).json()["datasets"]}

    assert listed[good]["damage"] is None
    assert "SHA-256" in listed[bad]["damage"]
    assert (await problem(client, f"/datasets/{bad}", b"", "GET"))["status"] == 503
    assert (await client.delete(f"/datasets/{bad}")).status_code == 204


async def test_an_upload_that_is_too_long_leaves_nothing(settings: Settings) -> None:
    """413 by the limit for datasets; for JSON, which is read whole, by that for tables to learn from."""
    limits = {"upload_bytes": 100_000, "train_bytes": 1000}
    async with client_of(settings.model_copy(update=limits)) as client:
        for length, kind in ((100_001, "text/csv"), (1001, "application/json")):
            response = await client.post("/datasets", content=b"1\n" * length, headers={"content-type": kind})
            assert (response.status_code, response.json()["type"]) == (413, "/problems/body-too-large")
        await uploaded(client, b"a\n" + b"1\n" * 40_000)
    assert len(left_behind(settings)) == 2


async def test_compressed_uploads_are_the_same_dataset(client: httpx.AsyncClient) -> None:
    """What counts is what they inflate to."""
    plain = await uploaded(client)

    response = await client.post("/datasets", content=gzip.compress(CSV), headers=AS_CSV | {"content-encoding": "gzip"})

    assert (response.status_code, response.json()) == (200, plain)
