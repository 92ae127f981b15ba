"""Snapshots leave one netlet and arrive in another."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save

from app.settings import Settings
from app.store import snapshot
from tests.api.problem import problem
from tests.conftest import TUTORIAL, SettingsOf, client_of
from tests.export.tables import people

PEOPLE = {"name": "people", "rows": people(), "target": "score", "training": {"epochs": 2}}


async def trained(client: httpx.AsyncClient, **request: Any) -> Any:
    response = await client.post("/train", json=request)
    response.raise_for_status()
    return response.json()


async def taken(client: httpx.AsyncClient, reference: str = "exam") -> bytes:
    response = await client.get(f"/models/{reference}/snapshot")
    response.raise_for_status()
    return response.content


def forged(data: bytes, **changes: Any) -> bytes:
    """Change a snapshot's document, and sign it as netlet would."""
    document = json.loads(json.loads(data[8 : snapshot.header_end(data)])["__metadata__"]["netlet"])
    blank = save(load(data), metadata={"netlet": json.dumps(document | changes | {"sha256": "0" * 64})})
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


def sources_of(data: bytes, **changes: Any) -> list[Any]:
    """Give the columns of a snapshot as they were sent, the first of them changed."""
    document = json.loads(json.loads(data[8 : snapshot.header_end(data)])["__metadata__"]["netlet"])
    first, *others = document["sources"]
    return [first | changes, *others]


async def test_a_snapshot_is_the_file_of_the_store(client: httpx.AsyncClient, settings: Settings) -> None:
    """Byte for byte, with its SHA-256 as ETag, by which it is not sent twice; a version's is its own."""
    model = await trained(client, **TUTORIAL)
    await trained(client, **TUTORIAL, description="another")

    answer = await client.get("/models/exam/versions/1/snapshot")

    assert answer.content == (settings.models / "exam" / "1.safetensors").read_bytes()
    assert answer.headers["etag"] == f'"{model["sha256"]}"'
    assert answer.headers["content-disposition"] == 'attachment; filename="exam-1.safetensors"'
    assert await taken(client) != answer.content
    again = await client.get("/models/exam/versions/1/snapshot", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])


@pytest.mark.parametrize("request_", [TUTORIAL, PEOPLE], ids=["tutorial", "people"])
async def test_a_model_moves_to_another_netlet(
    request_: dict[str, Any], tmp_path: Path, settings_of: SettingsOf
) -> None:
    """201 with Location; it answers with the same bits, and its file is the same bytes, also after a restart."""
    rows = [{name: value for name, value in row.items() if name != request_["target"]} for row in request_["rows"]]
    async with client_of(settings_of(tmp_path / "here")) as here:
        model = await trained(here, **request_)
        data = await taken(here, str(request_["name"]))
        expected = await here.post(f"/models/{request_['name']}/predict", json={"rows": rows})

    async with client_of(settings_of(tmp_path / "there")) as there:
        arrived = await there.put("/models/other/snapshot", content=data)

        assert arrived.status_code == 201
        assert arrived.headers["location"] == "/models/other/versions/1"
        for name in ("sha256", "report", "network", "training", "columns", "bytes"):
            assert arrived.json()[name] == model[name]
    async with client_of(settings_of(tmp_path / "there")) as there:
        answer = (await there.post("/models/other/predict", json={"rows": rows})).json()
        assert await taken(there, "other") == data
        assert answer == expected.json() | {"model": "other"}


async def test_the_same_bytes_are_the_same_version(client: httpx.AsyncClient) -> None:
    """200 with the version that they are; under another name they are that one's first; later ones stay newer."""
    await trained(client, **TUTORIAL)
    data = await taken(client)
    await trained(client, **TUTORIAL, description="another")

    again = await client.put("/models/exam/snapshot", content=data)
    other = await client.put("/models/other/snapshot", content=data)
    at_once = await asyncio.gather(*(client.put("/models/third/snapshot", content=data) for _ in range(4)))

    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert again.headers["location"] == "/models/exam/versions/1"
    assert (await client.get("/models/exam")).json()["versions"] == [1, 2]
    assert (other.status_code, other.json()["version"]) == (201, 1)
    assert sorted(answer.status_code for answer in at_once) == [200, 200, 200, 201]
    assert {answer.json()["version"] for answer in at_once} == {1}


async def test_a_damaged_version_is_brought_in_again(client: httpx.AsyncClient, settings: Settings) -> None:
    """As the next one: its own number is never another file's."""
    await trained(client, **TUTORIAL)
    data = await taken(client)
    (settings.models / "exam" / "1.safetensors").write_bytes(data[:-1])

    arrived = await client.put("/models/exam/snapshot", content=data)

    assert (arrived.status_code, arrived.json()["version"]) == (201, 2)


async def test_it_counts_among_the_versions_that_are_kept(client: httpx.AsyncClient) -> None:
    """As a training's result does."""
    await trained(client, **TUTORIAL)
    data = await taken(client)
    await trained(client, **TUTORIAL, description="another")
    await client.put("/models/other/snapshot", content=data)
    (await client.patch("/models/other", json={"keep_last": 1})).raise_for_status()

    await client.put("/models/other/snapshot", content=await taken(client))

    assert (await client.get("/models/other")).json()["versions"] == [2]


@pytest.mark.parametrize("position", [0, 3, 8, 40, 2000, -1])
async def test_any_changed_byte_is_refused(client: httpx.AsyncClient, position: int) -> None:
    """422 says why, and nothing is left behind."""
    await trained(client, **TUTORIAL)
    data = bytearray(await taken(client))
    data[position] ^= 1

    answer = await problem(client, "/models/other/snapshot", bytes(data), "PUT")

    assert (answer["status"], answer["type"]) == (422, "/problems/snapshot")
    assert "is not taken in" in answer["detail"]
    assert (await client.get("/models/other")).status_code == 404


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff" * 8, b"\xff" * 1000, b"\x08" + b"\0" * 7 + b'{"a": 1}', b"PK\x03\x04"]
)
async def test_what_is_no_snapshot_is_refused(client: httpx.AsyncClient, data: bytes) -> None:
    """Whatever it is."""
    answer = await problem(client, "/models/other/snapshot", data, "PUT")

    assert (answer["status"], answer["type"]) == (422, "/problems/snapshot")


async def test_a_newer_snapshot_is_told_from_a_damaged_one(client: httpx.AsyncClient) -> None:
    """409 tells which formats there are."""
    await trained(client, **TUTORIAL)
    newer = forged(await taken(client), format=99)

    answer = await problem(client, "/models/other/snapshot", newer, "PUT")

    assert (answer["status"], answer["type"]) == (409, "/problems/snapshot-newer")
    assert "format 99" in answer["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "date"},
        {"kind": "date", "parts": ["century"]},
        {"parts": ["year"]},
        {"kind": "category"},
        {"kind": "boolean", "levels": 2},
        {"lowest": "2024"},
        {"highest": "<b>"},
        {"name": "hours_slept"},
        {"missing": "all"},
    ],
    ids=str,
)
async def test_forged_columns_never_harm(client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    """Refused, or a model that answers; never a fault of the service."""
    await trained(client, **TUTORIAL)
    data = await taken(client)

    answer = await client.put("/models/other/snapshot", content=forged(data, sources=sources_of(data, **changes)))

    assert answer.status_code in {201, 422}
    if answer.status_code == 201:
        for path in ("", "/schema", "/openapi.json", "/weights", "/export?format=python"):
            assert (await client.get(f"/models/other{path}")).status_code == 200
        assert (await client.post("/models/other/predict", json={"X": [4, 8]})).status_code in {200, 422}


@pytest.mark.parametrize(
    "changes",
    [{"kind": "number"}, {"kind": "boolean"}, {"kind": "date", "parts": ["year"]}, {"lowest": 1.0, "kind": "date"}],
    ids=str,
)
async def test_columns_are_of_the_kind_that_they_hold(client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    """A category of texts is nothing else; the reason names the column by its number."""
    rows = [{"course": ("art", "law", "maths")[number % 3], "y": number} for number in range(9)]
    await trained(client, name="exam", rows=rows, target="y", training={"epochs": 1})
    data = await taken(client)

    hostile = forged(data, sources=sources_of(data, **changes))
    answer = await problem(client, "/models/other/snapshot", hostile, "PUT")

    assert answer["status"] == 422
    assert "column" in answer["detail"]


@pytest.mark.parametrize("dataset", ["x" * 40, "\0", "../secret"])
async def test_a_dataset_of_no_id_is_refused(client: httpx.AsyncClient, dataset: str) -> None:
    """It would reach the catalogue."""
    await trained(client, **TUTORIAL)

    answer = await problem(client, "/models/other/snapshot", forged(await taken(client), dataset=dataset), "PUT")

    assert (answer["status"], "dataset" in answer["detail"]) == (422, True)


async def test_weights_that_only_overflow_are_refused(client: httpx.AsyncClient) -> None:
    """A model that answers not one of its probe rows is none."""
    await trained(client, name="exam", X=[[1, 2], [2, 1], [3, 3]], y=[1, 2, 3], network={"hidden": []})
    data = await taken(client)
    document = json.loads(json.loads(data[8 : snapshot.header_end(data)])["__metadata__"]["netlet"])
    arrays = load(data) | {"layers.1.b": np.full((1, 1), 1.7e308), "target.scale": np.full(1, 1e300)}
    blank = save(arrays, metadata={"netlet": json.dumps(document | {"sha256": "0" * 64})})
    hot = blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)

    answer = await problem(client, "/models/other/snapshot", hot, "PUT")

    assert (answer["status"], "cannot answer" in answer["detail"]) == (422, True)


@pytest.mark.parametrize(
    "arrays",
    [
        {"range.lowest": [-1.7e308] * 2, "range.highest": [1.7e308] * 2},
        {"features.scale": [1e-300] * 2, "features.center": [1.7e308] * 2},
        {"neighbours.scale": [5e-324] * 2},
        {"history.loss": [-1e300] * 1000},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
async def test_numbers_of_any_size_never_harm(client: httpx.AsyncClient, arrays: dict[str, list[float]]) -> None:
    """Refused, or a model of which all that can be asked for is answered, or refused with a reason."""
    await trained(client, **TUTORIAL)
    data = await taken(client)
    document = json.loads(json.loads(data[8 : snapshot.header_end(data)])["__metadata__"]["netlet"])
    forged_arrays = load(data) | {name: np.array(values) for name, values in arrays.items()}
    blank = save(forged_arrays, metadata={"netlet": json.dumps(document | {"sha256": "0" * 64})})
    hostile = blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)

    answer = await client.put("/models/other/snapshot", content=hostile)

    assert answer.status_code in {201, 422}
    for form in ("onnx", "python", "javascript", "json"):
        answer = await client.get("/models/other/export", params={"format": form})
        assert answer.status_code in {200, 404, 409, 422}, answer.text


async def test_labels_of_any_length_never_harm(client: httpx.AsyncClient) -> None:
    """ONNX has no whole numbers beyond 64 bits, and says so; the others do."""
    await trained(client, name="exam", X=[[1], [2], [3]], y=[1, 2, 1], task="classification")
    hostile = forged(await taken(client), labels=[1, 10**40])

    (await client.put("/models/other/snapshot", content=hostile)).raise_for_status()
    refused = await problem(client, "/models/other/export?format=onnx", b"", "GET")

    assert (refused["status"], refused["type"]) == (409, "/problems/export-refused")
    assert (await client.get("/models/other/export", params={"format": "python"})).status_code == 200


async def test_names_sizes_and_sites_are_checked(settings: Settings) -> None:
    """422 for a name that no model has, 413 beyond the bound, 403 for a page of another site."""
    async with client_of(settings.model_copy(update={"snapshot_bytes": 1000})) as client:
        await trained(client, **TUTORIAL)
        data = await taken(client)

        unnamed = await problem(client, "/models/exam@live/snapshot", data[:900], "PUT")
        too_long = await problem(client, "/models/other/snapshot", data, "PUT")
        foreign = await client.put("/models/other/snapshot", content=data, headers={"sec-fetch-site": "cross-site"})

        assert (unnamed["status"], too_long["status"], foreign.status_code) == (422, 413, 403)
        assert too_long["type"] == "/problems/body-too-large"


async def test_a_damaged_file_is_not_given_away(settings: Settings) -> None:
    """503 says so, as for every use of it."""
    async with client_of(settings.model_copy(update={"cache_bytes": 0})) as client:
        await trained(client, **TUTORIAL)
        path = settings.models / "exam" / "1.safetensors"
        path.write_bytes(path.read_bytes()[:-1])

        answer = await problem(client, "/models/exam/snapshot", b"", "GET")

        assert (answer["status"], answer["type"]) == (503, "/problems/corrupt")
