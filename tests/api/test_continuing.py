"""Continuing over HTTP: a version is trained on with more rows, to be the model's next."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.api.datasets import uploaded
from tests.api.problem import problem
from tests.conftest import ROWS, TUTORIAL, client_of

Json = dict[str, Any]
TABLE: list[Json] = [{"a": index % 7, "b": "xyz"[index % 3], "s": index % 7 + 2.5 * (index % 3)} for index in range(60)]
NEW = [row | {"s": 2 * row["s"]} for row in TABLE[:21]]
TRAINING = {"optimizer": "adam", "epochs": 3, "schedule": "constant", "keep_best": False, "batch_size": 100}
KINDS = [{"x": index, "kind": "abc"[index % 3]} for index in range(30)]


async def trained(client: httpx.AsyncClient, body: Json, path: str = "/train", **query: Any) -> Json:
    response = await client.post(path, json=body, params=query)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def first(client: httpx.AsyncClient, **changes: Any) -> Json:
    return await trained(client, {"name": "m", "rows": TABLE, "target": "s", "training": TRAINING} | changes)


async def weights(client: httpx.AsyncClient, reference: str) -> Any:
    name, version = reference.split("/")
    answer = (await client.get(f"/models/{name}/versions/{version}/weights")).raise_for_status().json()
    return {part: answer[part] for part in ("inputs", "members", "target")}


async def test_a_model_goes_on_as_if_it_had_not_ended(client: httpx.AsyncClient) -> None:
    """Three epochs and four are seven, to the last bit: weights, scales and the optimizer's memory are gone on with."""
    await first(client)
    whole = await first(client, name="whole", training=TRAINING | {"epochs": 7})

    on = await trained(client, {"rows": TABLE, "training": {"epochs": 4}}, "/models/m/train")

    assert (on["reference"], on["continued_from"]) == ("m/2", "m/1")
    assert await weights(client, "m/2") == await weights(client, "whole/1")
    assert on["report"]["loss"] == whole["report"]["loss"] < on["report"]["loss_before"]
    assert on["report"]["warnings"] == []
    assert on["training"] == whole["training"] | {"epochs": 4}
    assert (await client.get("/models/m/versions/1")).json()["continued_from"] is None


async def test_any_version_can_be_gone_on_with(client: httpx.AsyncClient) -> None:
    """The path says which; without a number it is the newest."""
    await first(client)
    second = await trained(client, {"rows": NEW}, "/models/m/train")
    third = await trained(client, {"rows": NEW}, "/models/m/versions/1/train")
    fourth = await trained(client, {"rows": NEW}, "/models/m/train")

    assert [each["continued_from"] for each in (second, third, fourth)] == ["m/1", "m/1", "m/3"]
    assert await weights(client, "m/2") == await weights(client, "m/3") != await weights(client, "m/4")
    for path in ("/models/none/train", "/models/m/versions/9/train", "/models/m/versions/x/train"):
        assert (await problem(client, path, {"rows": NEW}))["status"] == 404


def removed(path: Path) -> None:
    path.unlink()


def flipped(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [removed, flipped, a_folder])
async def test_without_its_memory_an_optimizer_begins_anew(
    damage: Callable[[Path], None], client: httpx.AsyncClient, settings: Settings
) -> None:
    """With the weights all the same; the report warns of it."""
    await first(client)
    warm = await trained(client, {"rows": NEW}, "/models/m/versions/1/train")
    damage(settings.models / "m" / "1.memory.safetensors")

    cold = await trained(client, {"rows": NEW}, "/models/m/versions/1/train")

    (warning,) = cold["report"]["warnings"]
    assert "optimizer of m/1" in warning
    assert "began anew" in warning
    assert cold["report"]["loss_before"] == warm["report"]["loss_before"]
    assert await weights(client, warm["reference"]) != await weights(client, cold["reference"])


@pytest.mark.parametrize("training", [{"optimizer": "levenberg_marquardt"}, {"optimizer": "gradient_descent"}])
async def test_what_has_no_memory_lacks_none(training: Json, client: httpx.AsyncClient, settings: Settings) -> None:
    """No file, and no warning."""
    await trained(client, {"name": "m", "rows": TABLE, "target": "s", "training": training | {"epochs": 3}})

    on = await trained(client, {"rows": NEW}, "/models/m/train")

    assert on["report"]["warnings"] == []
    assert on["report"]["loss"] <= on["report"]["loss_before"]
    assert sorted(path.name for path in (settings.models / "m").iterdir()) == ["1.safetensors", "2.safetensors"]


async def test_rows_come_in_any_form(client: httpx.AsyncClient) -> None:
    """Objects in any order of columns, lists, matrices, CSV, NDJSON or a dataset: the same weights."""
    await first(client)
    lines = ["a,s,b", *(f"{row['a']},{row['s']},{row['b']}" for row in NEW)]
    csv = "\n".join(lines).encode()
    dataset = (await uploaded(client, csv))["dataset"]
    bodies: list[Json] = [
        {"rows": NEW},
        {"rows": NEW, "target": "s"},
        {"rows": [dict(reversed(row.items())) for row in NEW]},
        {"columns": ["s", "a", "b"], "rows": [[row["s"], row["a"], row["b"]] for row in NEW]},
        {"X": [[row["a"], row["b"]] for row in NEW], "y": [row["s"] for row in NEW]},
        {"columns": ["b", "a"], "X": [[row["b"], row["a"]] for row in NEW], "y": [row["s"] for row in NEW]},
        {"dataset": dataset},
    ]
    path = "/models/m/versions/1/train"

    made = [(await trained(client, body, path))["reference"] for body in bodies]
    for kind, content in (("text/csv", csv), ("application/x-ndjson", b"\n".join(map(_json, NEW)))):
        answer = await client.post(path, content=content, headers={"content-type": kind})
        made.append(answer.raise_for_status().json()["reference"])

    assert len(made) == 9
    expected = await weights(client, made[0])
    for reference in made[1:]:
        assert await weights(client, reference) == expected


def _json(row: Json) -> bytes:
    return httpx.Request("POST", "http://netlet", json=row).content


UNFIT: dict[str, tuple[Json, Json]] = {
    "another column": ({"rows": [{"a": 1, "c": "x", "s": 2}]}, {"column": "c", "expected": "no such column"}),
    "a column less": ({"rows": [{"a": 1, "s": 2}]}, {"column": "b", "expected": "this column too"}),
    "no target": ({"rows": [{"a": 1, "b": "x"}]}, {"column": "s", "field": "target"}),
    "another target": ({"rows": NEW, "target": "a"}, {"field": "target", "got": "a"}),
    "another kind": ({"rows": [{"a": "u", "b": "x", "s": 1}]}, {"row": 0, "column": "a", "expected": "a number"}),
    "a gap where there was none": ({"rows": [{"a": None, "b": "x", "s": 1}]}, {"row": 0, "column": "a"}),
    "another kind of target": ({"rows": [{"a": 1, "b": "x", "s": "good"}]}, {"row": 0, "column": "s"}),
    "too few in X": ({"X": [[1]], "y": [1]}, {"row": 0, "expected": "2 values"}),
    "a network": ({"rows": NEW, "network": {"hidden": [3]}}, {"field": "network"}),
    "a name": ({"rows": NEW, "name": "other"}, {"field": "name"}),
    "a loss": ({"rows": NEW, "training": {"loss": "gaussian_nll"}}, {"field": "training.loss", "expected": "mse"}),
    "members": ({"rows": NEW, "training": {"members": 2}}, {"field": "training.members", "expected": "1"}),
    "no such setting": ({"rows": NEW, "training": {"lr": 1}}, {"field": "training.lr"}),
    "nothing": ({}, {"field": "rows"}),
}


@pytest.mark.parametrize("name", UNFIT)
async def test_what_does_not_fit_the_version_is_refused(name: str, client: httpx.AsyncClient) -> None:
    """One 422 that names the place and what belongs there, before anything is trained."""
    body, fault = UNFIT[name]
    await first(client)

    answer = await problem(client, "/models/m/train", body)

    assert answer["status"] == 422
    assert any(fault.items() <= told.items() for told in answer["errors"])
    assert (await client.get("/models/m")).json()["versions"] == [1]
    assert len((await client.get("/jobs")).json()["jobs"]) == 1


async def test_labels_are_those_of_the_version(client: httpx.AsyncClient) -> None:
    """Some of them are enough; one that is new is refused by its row."""
    await trained(client, {"name": "m", "rows": KINDS, "target": "kind", "training": TRAINING})

    on = await trained(client, {"rows": [{"x": 3, "kind": "b"}, {"x": 4, "kind": "b"}]}, "/models/m/train")
    refused = await problem(client, "/models/m/train", {"rows": [{"x": 3, "kind": "b"}, {"x": 4, "kind": "d"}]})

    assert on["labels"] == ["a", "b", "c"]
    assert (refused["status"], refused["type"]) == (422, "/problems/target")
    assert refused["errors"] == [{"row": 1, "column": "kind", "got": "d", "expected": "a label of the model"}]


async def test_levels_that_the_version_does_not_know_are_learnt_as_none_of_them(client: httpx.AsyncClient) -> None:
    """And warned of, with the number of rows."""
    await first(client)

    on = await trained(client, {"rows": [*NEW, {"a": 1, "b": "q", "s": 5}]}, "/models/m/train")

    (warning,) = on["report"]["warnings"]
    assert warning.startswith("Column b has a level that the model does not know in 1 row:")
    assert on["columns"][1]["levels"] == ["x", "y", "z"]


async def test_what_is_not_given_is_the_versions(client: httpx.AsyncClient) -> None:
    """Tags, description and settings; another optimizer begins with its own usual ones."""
    made = await first(client, tags={"who": "me"}, description="first", training=TRAINING | {"learning_rate": 0.003})

    on = await trained(client, {"rows": NEW, "training": {"seed": 5}}, "/models/m/train")
    other = {"rows": NEW, "training": {"optimizer": "lbfgs", "epochs": 5}, "tags": {}, "description": "other"}
    turned = await trained(client, other, "/models/m/train")

    assert on["training"] == made["training"] | {"seed": 5, "batch_size": 21}
    assert (on["tags"], on["description"]) == ({"who": "me"}, "first")
    assert turned["training"]["l2"] == 0.01
    assert (turned["tags"], turned["description"]) == ({}, "other")
    assert turned["report"]["loss"] < turned["report"]["loss_before"]
    assert (await weights(client, "m/1"))["inputs"] == (await weights(client, "m/3"))["inputs"]


async def test_old_rows_are_told_of_while_they_are_there(client: httpx.AsyncClient) -> None:
    """The loss on the dataset of the version before, before and after; nothing once that is deleted."""
    csv = b"a,w,s\n" + b"".join(b"%d,1,%d\n" % (index, 3 * index) for index in range(20))
    dataset = (await uploaded(client, csv))["dataset"]
    made = await trained(
        client, {"name": "m", "dataset": dataset, "target": "s", "weight": "w", "training": TRAINING | {"epochs": 30}}
    )
    other = {"rows": [{"a": index, "s": -50} for index in range(20)]}

    on = await trained(client, other, "/models/m/versions/1/train")
    told = on["report"]["old_rows"]
    await client.delete(f"/datasets/{dataset}")
    later = await trained(client, other, "/models/m/versions/1/train")

    assert told["rows"] == 20
    assert told["loss_before"] == pytest.approx(made["report"]["loss"])
    assert told["loss_after"] > told["loss_before"]
    assert made["report"]["old_rows"] is later["report"]["old_rows"] is None
    assert await weights(client, "m/2") == await weights(client, "m/3")
    assert (made["dataset"], on["dataset"]) == (dataset, None)


async def test_old_rows_that_cannot_be_read_are_a_warning(client: httpx.AsyncClient, settings: Settings) -> None:
    """The training succeeds."""
    dataset = (await uploaded(client, b"a,s\n1,2\n2,4\n3,6\n"))["dataset"]
    await trained(client, {"name": "m", "dataset": dataset, "target": "s", "training": TRAINING})
    (settings.models / ".datasets" / f"{dataset}.parquet").write_bytes(b"damaged")

    on = await trained(client, {"rows": [{"a": 1, "s": 2}, {"a": 2, "s": 3}]}, "/models/m/train")

    assert on["report"]["old_rows"] is None
    assert f"Dataset {dataset} is damaged" in on["report"]["warnings"][0]


async def test_rows_that_were_learnt_are_in_range(client: httpx.AsyncClient) -> None:
    """Also those that only the later training had; scales stay as they were."""
    await trained(client, TUTORIAL)
    new = {"hours_studied": 4, "hours_slept": 8}
    question = {"model": "exam", "rows": [new]}
    before = (await client.post("/predict", json=question)).json()

    on = await trained(client, {"rows": [*ROWS, new | {"score": 91}]}, "/models/exam/train")

    after = (await client.post("/predict", json=question)).json()
    assert (before["in_range"], after["in_range"]) == ([False], [True])
    assert [(column["lowest"], column["highest"]) for column in on["columns"]] == [(1.0, 4.0), (5.0, 9.0)]
    assert (await weights(client, "exam/1"))["inputs"] == (await weights(client, "exam/2"))["inputs"]


async def test_a_key_is_one_continuation(client: httpx.AsyncClient) -> None:
    """Sent again it is the same version, also once the model has gone on; for another path it is another's."""
    await first(client)
    key = {"Idempotency-Key": "on"}
    answers = [
        await client.post("/models/m/train", json={"rows": NEW}, headers=key, params={"wait": wait})
        for wait in (30, 20, 10)
    ]
    other = await client.post("/models/m/versions/1/train", json={"rows": NEW}, headers=key)

    assert {answer.json()["reference"] for answer in answers} == {"m/2"}
    assert (other.status_code, other.json()["type"]) == (409, "/problems/key-reused")
    assert (await client.get("/models/m")).json()["versions"] == [1, 2]


async def test_terms_are_those_of_any_training(client: httpx.AsyncClient) -> None:
    """A job at once, a bound of epochs, a priority."""
    await first(client)
    query = {"wait": 0, "max_epochs": 2, "priority": 7}

    answer = await client.post("/models/m/train", json={"rows": NEW, "training": {"epochs": 50}}, params=query)

    assert answer.status_code == 202
    job = answer.json()
    assert (job["model"], job["priority"]) == ("m", 7)
    while (job := (await client.get(f"/jobs/{job['job']}")).json())["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
        await asyncio.sleep(0.02)
    assert (job["version"], job["epoch"]) == (2, 2)


async def test_what_was_asked_for_does_not_need_the_version_any_more(settings: Settings) -> None:
    """Deleted while the job waits, even with the whole model, the version is still what it begins with."""
    async with client_of(settings.model_copy(update={"trainings_at_once": 1})) as client:
        await first(client)
        expected = await trained(client, {"rows": NEW}, "/models/m/train")
        at_work = await client.post("/train", params={"wait": 0}, json=TUTORIAL | {"training": {"epochs": 10_000_000}})
        job = (await client.post("/models/m/versions/1/train", params={"wait": 0}, json={"rows": NEW})).json()["job"]
        await client.delete("/models/m")
        await client.delete(f"/jobs/{at_work.json()['job']}")
        while (await client.get(f"/jobs/{job}")).json()["ended"] is None:  # noqa: ASYNC110 - HTTP has no event
            await asyncio.sleep(0.02)

        made = (await client.get("/models/m")).json()
        assert (made["version"], made["continued_from"]) == (3, "m/1")
        assert made["report"] == expected["report"]


async def test_a_dataset_that_memory_does_not_hold_is_learnt_block_by_block(settings: Settings) -> None:
    """From the version's weights, by its columns; the ranges are those of all rows."""
    async with client_of(settings.model_copy(update={"most_cells": 3000})) as client:
        rows = [{"a": index % 50, "b": "xy"[index % 2], "s": index % 50 + index % 2} for index in range(400)]
        training = {"optimizer": "adam", "epochs": 20, "learning_rate": 0.01}
        made = await trained(client, {"name": "m", "rows": rows, "target": "s", "training": training})
        lines = [f"{index % 50},{'xyq'[index % 3]},{2 * (index % 50)}" for index in range(4000)]
        dataset = (await uploaded(client, "\n".join(["a,b,s", *lines, "70,x,140"]).encode()))["dataset"]

        on = await trained(client, {"dataset": dataset, "training": {"batch_size": 100}}, "/models/m/train")

        assert on["report"]["rows"] == 4001
        assert on["report"]["loss"] < on["report"]["loss_before"]
        assert on["columns"][0]["highest"] == 70.0
        assert on["columns"][1]["levels"] == ["x", "y"]
        assert any("level that the model does not know" in told for told in on["report"]["warnings"])
        assert (await weights(client, "m/1"))["inputs"] == (await weights(client, "m/2"))["inputs"]
        assert (made["dataset"], on["dataset"]) == (None, dataset)


async def test_a_budget_bounds_a_continuation_too(settings: Settings) -> None:
    """422 before anything is trained."""
    async with client_of(settings.model_copy(update={"most_operations": 1e9})) as client:
        await first(client)

        answer = await problem(client, "/models/m/train", {"rows": NEW, "training": {"epochs": 1_000_000}})

    assert (answer["status"], answer["type"]) == (422, "/problems/budget")


async def test_texts_that_look_like_numbers_stay_texts(client: httpx.AsyncClient) -> None:
    """Of a column, and of labels: 007 is no 7, in a CSV either."""
    rows = [{"agent": f"00{index % 3}", "mark": f"0{index % 2}"} for index in range(12)]
    kinds = {"agent": "category", "mark": "category"}
    await trained(client, {"name": "m", "rows": rows, "target": "mark", "kinds": kinds, "training": TRAINING})
    csv = "agent,mark\n000,00\n001,01\n002,01\n"

    answer = await client.post("/models/m/train", content=csv, headers={"content-type": "text/csv"})

    assert answer.status_code == 201, answer.text
    assert answer.json()["report"]["warnings"] == []
    assert answer.json()["labels"] == ["00", "01"]
