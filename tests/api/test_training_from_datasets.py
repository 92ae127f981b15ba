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
from tests.api.datasets import AS_CSV, CSV, rows, uploaded
from tests.api.problem import problem
from tests.conftest import client_of

QUICK: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 5, "members": 2}}


def written(kind: str, table: Any) -> bytes:
    return b"".join(FORMATS[kind].write([table], table.num_rows))


async def trained(client: httpx.AsyncClient, **request: Any) -> Any:
    return (await client.post("/train", json={"target": "score"} | QUICK | request)).raise_for_status().json()


async def weights(client: httpx.AsyncClient, model: str) -> Any:
    return (await client.get(f"/models/{model}/weights")).json()["members"]


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


def straight_line(rows: int, end: bytes = b"") -> bytes:
    return b"a,b\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(rows)) + end


async def test_what_is_too_large_for_memory_is_learnt_block_by_block(settings: Settings) -> None:
    """All rows, in little memory: the same seed gives the same model; those held back are as many as memory holds."""
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        dataset = (await uploaded(client, straight_line(40_000)))["dataset"]
        for name in ("first", "second"):
            model = await trained(client, name=name, dataset=dataset, target="b")
        found = await weights(client, "first")
        again = await weights(client, "second")
        asked = [{"model": "first", "X": X} for X in ([[0], [39_999]], [[-1], [40_000]])]
        answers = [(await client.post("/predict", json=json)).json() for json in asked]

    assert (model["report"]["rows"], model["report"]["rows_held_out"]) == (40_000, 150)
    assert model["report"]["metrics"]["validation"]["r2"] > 0.99
    assert model["report"]["warnings"] == []
    assert model["training"]["validation"] == 150 / 40_000
    assert (model["columns"][0]["lowest"], model["columns"][0]["highest"]) == (0, 39_999)
    assert [answer["in_range"] for answer in answers] == [[True, True], [False, False]]
    assert found == again


async def test_what_has_one_value_is_told_also_where_it_is_not_all_in_memory(settings: Settings) -> None:
    """Column or target, or a column without any value; the same words as for a table that is in memory."""
    content = b"a,b,c,y\n" + b"".join(b"%d,5,,7\n" % row for row in range(4000))
    reports = []
    for most_cells in (16_000_000, 400):
        async with client_of(settings.model_copy(update={"most_cells": most_cells})) as client:
            dataset = (await uploaded(client, content))["dataset"]
            reports.append((await trained(client, dataset=dataset, target="y"))["report"])

    whole, streamed = reports
    assert (whole["rows"], streamed["rows"], streamed["rows_held_out"]) == (4000, 4000, 100)
    assert whole["warnings"] == streamed["warnings"]
    assert [warning.split()[:3] for warning in whole["warnings"]] == [
        ["Column", "b", "has"],
        ["Column", "c", "is"],
        ["Target", "y", "has"],
    ]


async def test_a_slip_anywhere_is_named_by_its_row(settings: Settings) -> None:
    """Before anything is learnt, though only a part of the rows is in memory at a time; the job's fault is a 422."""
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        slips = (await uploaded(client, straight_line(40_000, b"x,1\n" * 3)))["dataset"]
        many = (await uploaded(client, straight_line(2000, b"x,1\n" * 1000)))["dataset"]

        few, glanced = [
            await problem(client, "/train", {"dataset": dataset, "target": "b"} | QUICK) for dataset in (slips, many)
        ]

    fault = {"column": "a", "got": 'text "x"', "expected": "a number"}
    assert few["errors"] == [fault | {"row": row} for row in range(40_000, 40_003)]
    assert glanced["errors"][0].items() >= fault.items()
    assert all(2000 <= told["row"] < 3000 for told in glanced["errors"])


FRAUD = b"a,b,c,kind\n" + b"".join(
    b"%d,%d,%d,%s\n" % (row % 37, row, row % 11, b"fraud" if row % 8000 == 7 else b"ok") for row in range(40_000)
)


@pytest.mark.parametrize("most_cells", [16_000_000, 300, 40_000])
async def test_a_rare_class_is_learnt(most_cells: int, settings: Settings) -> None:
    """Whether all rows are in memory, or a few that do not have it until some of each class are added."""
    async with client_of(settings.model_copy(update={"most_cells": most_cells})) as client:
        dataset = (await uploaded(client, FRAUD))["dataset"]
        report = (await trained(client, dataset=dataset, target="kind"))["report"]

    assert report["rows"] == 40_000
    assert report["warnings"] == []
    assert most_cells > 10**6 or report["rows_held_out"] <= 40_000 * 0.1 + 3


@pytest.mark.parametrize(("rows", "most_cells"), [(26_000, 100_000), (30_000, 100_000), (105, 300), (500, 3)], ids=str)
async def test_few_rows_are_held_back(rows: int, most_cells: int, settings: Settings) -> None:
    """A tenth at most, or a sample is learnt that memory holds, whatever the bound is."""
    content = b"a,b,c,y\n" + b"".join(b"%d,%d,%d,%d\n" % (row % 7, row % 5, row, row) for row in range(rows))
    async with client_of(settings.model_copy(update={"most_cells": most_cells})) as client:
        dataset = (await uploaded(client, content))["dataset"]
        report = (await trained(client, dataset=dataset, target="y"))["report"]

    if rows in {30_000, 500}:
        assert (report["rows"], report["rows_held_out"]) == (rows, min(rows // 10, max(1, most_cells // 4)))
    else:  # a sample is more than would be left of all
        assert report["warnings"] == [
            f"Learnt from a random {most_cells // 4 or 1} of {rows} rows, as many as one training may take."
        ]


def weighed(*rows: int) -> bytes:
    """Write a table of 40,000 rows, all of which but these weigh 0."""
    return b"a,w,score\n" + b"".join(b"%d,%d,%d\n" % (row % 37, row in rows, row % 7) for row in range(40_000))


FEW = range(7, 40_000, 9000)


@pytest.mark.parametrize(("most_cells", "optimizer"), [(16_000_000, "adam"), (300, "adam"), (300, "lbfgs")])
@pytest.mark.parametrize("target", ["score", "a"])
async def test_weights_that_are_mostly_nothing_are_taken(
    target: str, most_cells: int, optimizer: str, settings: Settings
) -> None:
    """Five of many rows count, and no look at some of them decides that none does, be these to learn or to judge."""
    training = {"optimizer": optimizer, "epochs": 3}
    stated = {"target": target, "kinds": {"a": "category"}}
    async with client_of(settings.model_copy(update={"most_cells": most_cells})) as client:
        dataset = (await uploaded(client, weighed(*FEW)))["dataset"]
        report = (await trained(client, dataset=dataset, weight="w", training=training, **stated))["report"]

    assert report["rows"] == 40_000 or optimizer == "lbfgs"


@pytest.mark.parametrize(("most_cells", "optimizer"), [(16_000_000, "adam"), (300, "adam"), (300, "lbfgs")])
async def test_weights_that_are_all_nothing_are_refused(most_cells: int, optimizer: str, settings: Settings) -> None:
    """By what all rows say, and in the same words however few of them are in memory."""
    asked = {"target": "score", "weight": "w", "training": {"optimizer": optimizer}}
    async with client_of(settings.model_copy(update={"most_cells": most_cells})) as client:
        dataset = (await uploaded(client, weighed()))["dataset"]
        answer = await problem(client, "/train", {"dataset": dataset} | asked)

    assert (answer["status"], answer["detail"]) == (422, "All weights are 0, so that no row counts.")
    assert answer["errors"] == [{"row": 0, "column": "w", "expected": "a number above 0"}]


@pytest.mark.parametrize("weight", ["-1", ""])
async def test_a_weight_that_cannot_be_is_named_before_it_is_said_that_none_counts(
    weight: str, settings: Settings
) -> None:
    """By its row, though none of those in memory has it."""
    content = weighed() + f"1,{weight},2\n".encode()
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        dataset = (await uploaded(client, content))["dataset"]
        answer = await problem(client, "/train", {"dataset": dataset, "target": "score", "weight": "w"} | QUICK)

    assert answer["status"] == 422
    assert [(fault["row"], fault["column"]) for fault in answer["errors"]] == [(40_000, "w")]


async def test_one_row_that_counts_cannot_judge_and_be_learnt(settings: Settings) -> None:
    """Where it is held back, that is said; in a sample that is learnt as a whole it counts."""
    asked: dict[str, Any] = {"target": "score", "weight": "w"}
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        asked["dataset"] = (await uploaded(client, weighed(30_000)))["dataset"]
        answer = await problem(client, "/train", asked | QUICK)
        sample = await trained(client, **asked, training={"optimizer": "lbfgs", "epochs": 3})

    assert (answer["status"], answer["type"]) == (422, "/problems/table")
    assert answer["detail"].startswith("All rows that would be learnt weigh 0, unlike some of those held back")
    assert answer["errors"] == [{"column": "w", "expected": "more numbers above 0"}]
    assert sample["report"]["rows"] < 200


async def test_labels_of_their_own_in_each_row_are_refused(settings: Settings) -> None:
    """As many classes are not learnt, however few rows are at hand."""
    rows = b"".join(b"%d,name%d\n" % (row, row) for row in range(1500))
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        dataset = (await uploaded(client, b"a,y\n" + rows))["dataset"]
        answer = await problem(client, "/train", {"dataset": dataset, "target": "y"} | QUICK)

    assert answer["status"] == 422
    assert "different labels" in answer["detail"]


async def test_columns_are_what_all_rows_say_not_those_at_hand(settings: Settings) -> None:
    """Numbers where a few rows look like words; and rows of a block may all weigh nothing."""
    rows = b"".join(b"%d,%d,%d\n" % (row, row < 1000, row) for row in range(140_000))
    content = b"a,w,b\n" + b"NA,1,0\n" * 10 + rows
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        dataset = (await uploaded(client, content))["dataset"]
        model = await trained(
            client, dataset=dataset, target="b", weight="w", training=QUICK["training"] | {"epochs": 1}
        )

    assert model["columns"][0]["kind"] == "integer"
    assert model["report"]["rows"] + int((model["report"]["warnings"] or ["0"])[0].split()[0]) == 140_010


async def test_an_optimizer_that_sees_all_rows_at_once_gets_a_sample(settings: Settings) -> None:
    """As many rows as fit, drawn by the seed; the report says so, and small datasets are taken whole."""
    whole_table = {"training": {"optimizer": "lbfgs", "epochs": 3}}
    async with client_of(settings.model_copy(update={"most_cells": 300})) as client:
        dataset = (await uploaded(client, straight_line(40_000)))["dataset"]
        request = {"dataset": dataset, "target": "b"} | whole_table
        whole = await trained(client, **request | {"dataset": (await uploaded(client, straight_line(150)))["dataset"]})
        first, second = [await trained(client, **request) for _ in range(2)]
        seeded = whole_table["training"] | {"seed": 1}
        other = await trained(client, **request | {"training": seeded})

    warning = "Learnt from a random 150 of 40000 rows, as many as one training may take."
    assert first["report"]["warnings"] == [warning]
    assert first["report"]["rows"] == 150
    assert whole["report"]["warnings"] == []
    assert first["columns"] == second["columns"] != other["columns"]


@pytest.mark.parametrize("limit", [{"most_operations": 1e9}, {"training_seconds": 0.1}])
async def test_no_more_is_learnt_than_one_training_may_take(limit: dict[str, Any], settings: Settings) -> None:
    """In operations, or in the time that they take even on a busy machine; with everything chosen."""
    async with client_of(settings.model_copy(update={"most_cells": 300} | limit)) as client:
        dataset = (await uploaded(client, straight_line(60_000)))["dataset"]
        order = {"dataset": dataset, "target": "b", "training": {"epochs": 1, "members": 1}}
        report = (await client.post("/train", json=order)).raise_for_status().json()["report"]

    assert 150 < report["rows"] < 60_000
    assert report["warnings"] == [
        f"Learnt from a random {report['rows']} of 60000 rows, as many as one training may take."
    ]


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
