"""Training from a dataset: the same as from its rows, or from a sample of them."""

import asyncio
import io
import json
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from app.settings import Settings
from app.tables.formats import FORMATS
from tests.api.datasets import AS_CSV, CSV, QUICK, rows, trained, uploaded, weights
from tests.api.problem import problem


def written(kind: str, table: Any) -> bytes:
    return b"".join(FORMATS[kind].write([table], table.num_rows))


async def test_the_same_rows_give_the_same_model_however_they_come(client: httpx.AsyncClient) -> None:
    """As JSON, as CSV, or through a dataset in each format that can hold them: equal to the last bit."""
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows())
    arrow = pa.Table.from_pylist(rows())
    bodies = {
        "text/csv": CSV,
        "application/x-ndjson": lines,
        "application/json": json.dumps(rows()).encode(),
        "application/vnd.apache.parquet": written("parquet", arrow),
        "application/vnd.apache.arrow.file": written("arrow_file", arrow),
        "application/vnd.apache.arrow.stream": written("arrow_stream", arrow),
    }
    await trained(client, name="rows", rows=rows())
    query = {"name": "csv", "target": "score", "training": json.dumps(QUICK["training"])}
    (await client.post("/train", params=query, content=CSV, headers=AS_CSV)).raise_for_status()

    for number, (kind, content) in enumerate(bodies.items()):
        dataset = (await uploaded(client, content, kind))["dataset"]
        model = await trained(client, name=f"d{number}", dataset=dataset)
        assert model["dataset"] == dataset
        assert await weights(client, f"d{number}") == await weights(client, "rows"), kind

    assert await weights(client, "csv") == await weights(client, "rows")


async def test_numbers_of_npy_are_learnt_as_those_of_json(client: httpx.AsyncClient) -> None:
    """An array in either order of its numbers; its columns are named in the address, or x1, x2."""
    table = np.random.default_rng(0).standard_normal((30, 3))
    rows = [dict(zip(("x1", "x2", "x3"), row, strict=True)) for row in table.tolist()]
    await trained(client, name="rows", rows=rows, target="x3")

    for number, array in enumerate((table, np.asfortranarray(table), table.astype(">f8"))):
        content = io.BytesIO()
        np.lib.format.write_array(content, array)
        dataset = (await uploaded(client, content.getvalue(), "application/x-npy"))["dataset"]
        await trained(client, name=f"d{number}", dataset=dataset, target="x3")
        assert await weights(client, f"d{number}") == await weights(client, "rows")


async def test_a_dataset_can_be_named_in_the_address(client: httpx.AsyncClient) -> None:
    """With an empty body, or beside a JSON body that says the rest."""
    dataset = (await uploaded(client))["dataset"]

    in_address = await client.post("/train", params={"dataset": dataset, "target": "score", "task": "regression"})
    beside = await client.post("/train", params={"dataset": dataset}, json={"target": "score"})

    assert (in_address.status_code, beside.status_code) == (201, 201)
    assert in_address.json()["report"] == beside.json()["report"]


@pytest.mark.parametrize("beside", [{"rows": []}, {"X": [[1]]}, {"y": [1]}, {"weights": [1]}, {"columns": ["a"]}])
async def test_nothing_stands_beside_a_dataset(beside: dict[str, Any], client: httpx.AsyncClient) -> None:
    """The field that is too much is named."""
    dataset = (await uploaded(client))["dataset"]

    answer = await problem(client, "/train", {"dataset": dataset, "target": "score"} | beside)

    assert (answer["type"], answer["errors"][0]["field"]) == ("/problems/validation", next(iter(beside)))
    response = await client.post("/train", params={"dataset": dataset, "target": "score"}, content=CSV, headers=AS_CSV)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body")


async def test_a_dataset_that_is_not_there_cannot_be_trained_from(client: httpx.AsyncClient) -> None:
    """Also a word that is no id."""
    for name in ("0" * 32, "../x", ""):
        assert (await problem(client, "/train", {"dataset": name, "target": "y"}))[
            "type"
        ] == "/problems/dataset-not-found"


async def test_a_dataset_tells_which_models_were_trained_on_it(client: httpx.AsyncClient) -> None:
    """Those that are still there, oldest first; deleting the dataset leaves them."""
    dataset = (await uploaded(client))["dataset"]
    for name in ("exam", "test", "exam"):
        await trained(client, name=name, dataset=dataset)
    await client.delete("/models/exam/versions/1")

    assert (await client.get(f"/datasets/{dataset}")).json()["models"] == ["test/1", "exam/2"]
    (await client.delete(f"/datasets/{dataset}")).raise_for_status()
    assert (await client.get("/models/exam")).json()["dataset"] == dataset


async def test_a_dataset_in_use_is_not_deleted(client: httpx.AsyncClient) -> None:
    """409 names the job; once that has ended, it can go."""
    dataset = (await uploaded(client))["dataset"]
    slow = {"optimizer": "gradient_descent", "epochs": 20_000, "tolerance": 0.0}
    request = {"dataset": dataset, "target": "score", "training": slow}
    job = (await client.post("/train", params={"wait": 0}, json=request)).json()["job"]

    refused = await problem(client, f"/datasets/{dataset}", b"", "DELETE")

    assert (refused["status"], refused["type"]) == (409, "/problems/dataset-in-use")
    assert job in refused["detail"]
    while (await client.get(f"/jobs/{job}")).json()["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)
    assert (await client.delete(f"/datasets/{dataset}")).status_code == 204


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
async def test_a_damaged_dataset_is_not_used_and_heals(
    damage: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """503 names it; sending the same again puts it in order."""
    dataset = (await uploaded(client))["dataset"]
    file = settings.models / ".datasets" / f"{dataset}.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink()
    if damage != "gone":
        file.write_bytes(data if damage == "flipped" else data[:100])

    answer = await problem(client, "/train", {"dataset": dataset, "target": "score"})

    assert (answer["status"], answer["type"]) == (503, "/problems/dataset-corrupt")
    assert dataset in answer["detail"]
    assert (await client.post("/datasets", content=CSV, headers=AS_CSV)).status_code == 201
    await trained(client, dataset=dataset)


async def test_cells_of_a_stated_category_stay_as_written(client: httpx.AsyncClient) -> None:
    """007 and 7 are two levels, in the dataset as in a CSV body."""
    content = b"agent,score\n007,1\n7,2\n007,3\n"
    dataset = (await uploaded(client, content, kinds='{"agent": "category"}'))["dataset"]

    model = await trained(client, dataset=dataset, kinds={"agent": "category"})

    assert model["columns"][0]["levels"] == ["007", "7"]


async def test_decimal_commas_among_slips_are_numbers_here_too(client: httpx.AsyncClient) -> None:
    """A column that is mostly numbers with a comma is described as one, and its slip is named as in a CSV body."""
    content = b"a;score\n1,5;1\n2,5;2\nx;3\n4,5;4\n"
    answer = await uploaded(client, content)
    query = {"target": "score"}

    direct = await client.post("/train", params=query, content=content, headers=AS_CSV)
    through = await client.post("/train", json=query | {"dataset": answer["dataset"]})

    assert (answer["columns"][0]["kind"], answer["columns"][0]["highest"]) == ("number", 4.5)
    assert direct.status_code == through.status_code == 422
    assert direct.json()["errors"] == through.json()["errors"]
