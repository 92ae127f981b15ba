"""Training from a dataset that is larger than memory: block by block, or from a sample, and it says which."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.api.dataset_rows import choose
from app.api.parts import Parts
from app.engine.config import TrainingConfig
from app.main import create_app
from app.models.recipe import Recipe
from app.settings import Settings
from app.tables.sent import Sent
from tests.api.datasets import QUICK, trained, uploaded, weights
from tests.api.problem import problem
from tests.conftest import client_of


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


async def test_no_more_is_learnt_than_one_training_may_take(settings: Settings) -> None:
    """As many rows as the operations suffice for, with everything chosen; the report says so."""
    async with client_of(settings.model_copy(update={"most_cells": 300, "most_operations": 1e9})) as client:
        dataset = (await uploaded(client, straight_line(60_000)))["dataset"]
        order = {"dataset": dataset, "target": "b", "training": {"epochs": 1, "members": 1}}
        report = (await client.post("/train", json=order)).raise_for_status().json()["report"]

    assert 150 < report["rows"] < 60_000
    assert report["warnings"] == [
        f"Learnt from a random {report['rows']} of 60000 rows, as many as one training may take."
    ]


async def test_no_more_is_learnt_than_there_is_time_for(settings: Settings) -> None:
    """A tenth of the time suffices for fewer rows, where operations do not matter."""
    app = create_app(settings.model_copy(update={"most_cells": 300}))
    async with app.router.lifespan_context(app):
        parts: Parts = app.state.parts
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netlet") as client:
            dataset = (await uploaded(client, straight_line(60_000)))["dataset"]
        recipe = Recipe(training=TrainingConfig(epochs=1, members=1))
        chosen = [
            choose(Sent(target="b"), dataset, recipe, replace(parts.limits, training_seconds=seconds), parts.datasets)
            for seconds in (0.05, 0.1)
        ]

    few, more = [one.plan.drawn.rows for one in chosen if one.plan is not None]
    assert 150 < few < more < 60_000
