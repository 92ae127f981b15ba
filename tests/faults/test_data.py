"""Faults 36 to 54: tables and settings that nothing can be learnt from, or answered with, and odd ones that can."""

import json
from itertools import product
from math import exp, isfinite
from typing import Any

import pytest

from app.settings import Settings
from tests.conftest import ROWS, client_of
from tests.faults.refusing import PREDICT, QUICK, TABLE, TRAIN, Service

DIVERGING: dict[str, Any] = TABLE | {
    "name": "wild",
    "network": {"activation": "identity"},
    "training": {"optimizer": "gradient_descent", "learning_rate": 1e6},
}


async def learnt(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    response = await service.client.post(TRAIN, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = json.loads(response.content, parse_constant=pytest.fail)  # no NaN, no Infinity
    return made


async def answers(service: Service, model: str, X: list[list[float]]) -> Any:
    response = await service.client.post(PREDICT, json={"model": model, "X": X})
    assert response.status_code == 200, response.text
    return json.loads(response.content, parse_constant=pytest.fail)["predictions"]


async def test_fault_36_no_rows(service: Service) -> None:
    """422, a fault of the table."""
    tables: list[dict[str, Any]] = [{"X": [], "y": []}, {"X": [[]], "y": [1]}]
    tables += [{"rows": [], "target": "y"}, {"rows": [{}], "target": "y"}]
    questions: list[dict[str, Any]] = [{"X": []}, {"X": [[]]}, {"rows": []}, {"rows": [{}]}]

    for body in tables:
        await service.refuses(TRAIN, body, 422, "table")
    for asked in questions:
        await service.refuses(PREDICT, {"model": "exam"} | asked, 422, "table")
    await service.refuses("/datasets", [], 422, "table")


async def test_fault_37_ragged_rows(service: Service) -> None:
    """422 with the row's index, its length and the one it should have."""
    told = await service.refuses(TRAIN, {"X": [[1, 2], [3, 4], [5]], "y": [1, 2, 3]}, 422, "table")
    assert told["errors"] == [{"row": 2, "got": "1 value", "expected": "2 values"}]
    told = await service.refuses(PREDICT, {"model": "exam", "X": [[4, 8], [4, 8, 9]]}, 422, "table")
    assert told["errors"] == [{"row": 1, "got": "3 values", "expected": "2 values"}]
    told = await service.refuses(TRAIN, {"rows": [{"a": 1, "y": 1}, {"y": 2}], "target": "y"}, 422, "table")
    assert (told["errors"][0]["row"], told["errors"][0]["column"]) == (1, "a")


async def test_fault_38_more_rows_than_targets(service: Service) -> None:
    """422 with both lengths; a single table cannot be wrong like that."""
    for targets in (1, 3):
        told = await service.refuses(TRAIN, {"X": [[1], [2]], "y": [1] * targets}, 422, "table")
        assert told["errors"][0]["expected"] == "2 values"


async def test_fault_39_more_cells_than_are_read(settings: Settings) -> None:
    """413 for rows or cells, 422 for columns, in the bounds that are set."""
    bounds = {"most_cells": 100, "most_rows": 40, "most_columns": 20}

    async with client_of(settings.model_copy(update=bounds)) as client:
        service = await Service(client).begin()
        for rows, columns, status in ((41, 1, 413), (11, 10, 413), (2, 21, 422)):
            slug = "table-too-large" if status == 413 else "table"
            X = [[1] * columns] * rows
            await service.refuses(TRAIN, {"X": X, "y": [1] * rows}, status, slug)
            await service.refuses(PREDICT, {"model": "exam", "X": X}, status, slug)


async def test_fault_40_a_constant_column(service: Service) -> None:
    """201, with a warning that nothing can be learnt from it, and finite answers whatever it is asked with."""
    made = await learnt(service, {"X": [[0, 5, 1], [0, 5, 2], [0, 5, 3]], "y": [92, 86, 89]})

    assert [warning.split(" has ")[0] for warning in made["report"]["warnings"]] == ["Column x1", "Column x2"]
    assert all(map(isfinite, await answers(service, made["model"], [[0, 5, 1], [7, -9, 1], [1e99, 0, 1]])))


async def test_fault_41_numbers_whose_squares_overflow(service: Service) -> None:
    """422 beyond 1e100, with row and column; what is within is learnt, and answered with finite numbers."""
    for number in (1e308, -1e308, 1.1e100):
        told = await service.refuses(TRAIN, {"X": [[1], [number]], "y": [1, 2]}, 422, "table")
        assert (told["errors"][0]["row"], told["errors"][0]["column"]) == (1, "x1")
        await service.refuses(TRAIN, {"X": [[1], [2]], "y": [1, number]}, 422, "table")
        told = await service.refuses(PREDICT, {"model": "exam", "X": [[4, 8], [4, number]]}, 422, "table")
        assert (told["errors"][0]["row"], told["errors"][0]["column"]) == (1, "hours_slept")

    made = await learnt(service, {"X": [[1e100], [-1e100], [3]], "y": [1e100, 2, -1e100], "training": QUICK})

    assert all(map(isfinite, await answers(service, made["model"], [[1e100], [-1e100], [0]])))


async def test_fault_42_the_smallest_numbers(service: Service) -> None:
    """201, and finite: a scale that would be 0, or whose inverse is infinite, is none."""
    made = await learnt(service, {"X": [[5e-324], [1e-320], [2e-323]], "y": [1, 2, 3], "training": QUICK})
    tiny = await learnt(service, {"X": [[1], [2], [3]], "y": [5e-324, 1e-320, 2e-323], "training": QUICK})

    await service.refuses(PREDICT, {"model": made["model"], "X": [1]}, 422, "table")  # 10^320 times as far
    for model in (made, tiny):
        assert all(map(isfinite, await answers(service, model["model"], [[5e-324], [1.5e-320], [0]])))


async def test_fault_43_layers_without_units_or_with_too_many(service: Service) -> None:
    """422."""
    for hidden in ([0], [-1], [10**9], [3, 0], [1.5], ["3"], [True], 3, [8] * 1000):
        told = await service.refuses(TRAIN, TABLE | {"network": {"hidden": hidden}}, 422, "validation")
        assert told["errors"][0]["field"].startswith("network.hidden")


async def test_fault_44_more_work_than_one_training_may_take(settings: Settings) -> None:
    """422 with the estimate and the limit, before anything is computed: of parameters, numbers held, operations."""
    tables: dict[str, tuple[float, dict[str, Any]]] = {
        "parameters": (1000, {"network": {"hidden": [100, 100]}}),
        "numbers": (1e6, {"network": {"hidden": [100]}, "training": {"epochs": 10**6, "optimizer": "adam"}}),
        "operations": (1e8, {"network": {"hidden": [100]}, "training": {"epochs": 10**6, "optimizer": "adam"}}),
    }

    for what, (limit, body) in tables.items():
        async with client_of(settings.model_copy(update={f"most_{what}": limit})) as client:
            service = await Service(client).begin()
            told = await service.refuses(TRAIN, TABLE | body, 422, "budget")
            assert f" {what}; the service allows {limit:.3g}." in told["detail"], told


async def test_fault_45_epochs(service: Service) -> None:
    """422."""
    for epochs in (0, -1, 10**18, 2**70, 1.5, "5", True):
        told = await service.refuses(TRAIN, TABLE | {"training": {"epochs": epochs}}, 422, "validation")
        assert told["errors"][0]["field"] == "training.epochs"


async def test_fault_46_learning_rates(service: Service) -> None:
    """422; NaN is no JSON, and 400."""
    for rate in (0, -0.5, 1e308, "0.1", True, [0.1]):
        told = await service.refuses(TRAIN, TABLE | {"training": {"learning_rate": rate}}, 422, "validation")
        assert told["errors"][0]["field"] == "training.learning_rate"
    body = b'{"X": [[1], [2]], "y": [1, 2], "training": {"learning_rate": NaN}}'
    await service.refuses(TRAIN, body, 400, "malformed-json")


async def test_fault_47_seeds(service: Service) -> None:
    """422 outside of 0 to 2^53 - 1, which every client's numbers hold exactly; the last one is taken."""
    for seed in (-1, 2**53, 2**70, 0.5, "7", True):
        told = await service.refuses(TRAIN, TABLE | {"training": {"seed": seed}}, 422, "validation")
        assert told["errors"][0]["field"] == "training.seed"

    made = await learnt(service, TABLE | {"training": QUICK | {"seed": 2**53 - 1}})

    assert made["training"]["seed"] == 2**53 - 1


async def test_fault_48_a_loss_that_overflows(service: Service) -> None:
    """422, and a job that has failed, both with the epoch and the last finite loss.

    There is no model, as no epoch of a training that fails is one: its curves up to there are kept with the job, and
    all numbers of them are finite.
    """
    models = (await service.client.get("/models")).json()

    response = await service.client.post(TRAIN, json=DIVERGING)

    told = response.json()
    assert (response.status_code, told["type"]) == (422, "/problems/diverged")
    assert "diverged in epoch 3" in told["detail"]
    (found,) = [job for job in (await service.client.get("/jobs")).json()["jobs"] if job["model"] == "wild"]
    kept = await service.client.get(f"/jobs/{found['job']}")
    job = json.loads(kept.content, parse_constant=pytest.fail)
    assert (job["status"], job["error"], job["version"]) == ("failed", told["detail"], None)
    assert f"the last finite loss was {job['history']['loss'][-1]:.6g}" in told["detail"]
    assert (await service.client.get("/models")).json() == models


async def test_fault_49_sigmoid_of_far_numbers(service: Service) -> None:
    """No warning (which would be an error here) and the right value: 0 or 1 in each unit, to the last bit."""
    told = (await service.client.get("/models/exam/weights")).json()
    first, last = told["members"][0]["layers"]
    scale = told["target"]["scale"][0]

    for sign in (1, -1):
        units = [float(sign * W > 0) for W in first["W"][0]]  # of the first column, which outweighs the second
        z = sum(unit * W[0] for unit, W in zip(units, last["W"], strict=True))
        (answer,) = await answers(service, "exam", [[sign * 1e99, 0]])
        assert answer == pytest.approx(scale / (1 + exp(-z)), rel=1e-12)


async def test_fault_50_targets_that_the_output_cannot_reach(service: Service) -> None:
    """Scaled by itself, which the model records; 422 that names the mend where the scale is set too small."""
    body = {"X": [[2, 9], [1, 5], [3, 6]], "y": [92, 86, 89], "network": {"output_activation": "sigmoid"}}

    made = await learnt(service, body)
    wrong = body | {"scaling": {"target_maximum": 50}}
    told = await service.refuses(TRAIN, wrong, 422, "target", failed=1)

    assert made["scaling"]["target"] == "minmax"
    assert "raise target_maximum" in told["detail"]
    assert all(85 < answer < 93 for answer in await answers(service, made["model"], [[2, 9], [1, 5], [3, 6]]))


async def test_fault_51_a_category_or_a_gap_that_was_not_there_in_training(service: Service) -> None:
    """A new category is answered as none of the others, out of range; a gap is 422 with its row and column.

    Both are the model's policy, which its columns tell. A class that is new is named when a version is trained on.
    """
    cells = [("a", 1), ("b", 2), ("a", None), ("b", 3)]
    rows = [{"c": c, "n": n, "y": y} for (c, n), y in zip(cells, "pqpq", strict=True)]
    made = await learnt(service, {"name": "cat", "rows": rows, "target": "y", "training": QUICK})

    new = await service.client.post(PREDICT, json={"model": "cat", "rows": [{"c": "z", "n": 1}, {"c": "a", "n": None}]})
    gap = {"model": "cat", "rows": [{"c": "a", "n": 1}, {"c": None, "n": 1}]}
    told = await service.refuses(PREDICT, gap, 422, "table")
    unknown = {"rows": [{"c": "a", "n": 1, "y": "p"}, {"c": "a", "n": 1, "y": "other"}]}
    label = await service.refuses("/models/cat/train", unknown, 422, "target")

    assert (new.status_code, new.json()["in_range"]) == (200, [False, True])
    assert [column["missing"] for column in made["columns"]] == [False, True]
    assert (told["errors"][0]["row"], told["errors"][0]["column"]) == (1, "c")
    assert (label["errors"][0]["row"], label["errors"][0]["column"]) == (1, "y")


async def test_fault_52_other_columns_than_the_model_has(service: Service) -> None:
    """422 that lists what is expected; another order is no fault, as columns have names."""
    asked: list[tuple[dict[str, Any], str]] = [
        ({"X": [[4]]}, "2 values"),
        ({"X": [[4, 8, 1]]}, "2 values"),
        ({"rows": [{"hours_studied": 4}]}, "hours_slept"),
        ({"rows": [{"hours_studied": 4, "slept": 8}]}, "hours_slept"),
        ({"rows": ROWS}, "no such column"),
        ({"rows": [[8, 4]], "columns": ["hours_slept", "hours"]}, "hours_studied"),
        ({"rows": [[8, 4]], "columns": ["hours_slept", "hours_slept"]}, "hours_studied"),
    ]

    for body, said in asked:
        told = await service.refuses(PREDICT, {"model": "exam"} | body, 422, "table")
        assert said in json.dumps(told)
    turned = {"model": "exam", "rows": [[8, 4]], "columns": ["hours_slept", "hours_studied"]}
    other = await service.client.post(PREDICT, json=turned)
    assert other.json()["predictions"] == await answers(service, "exam", [[4, 8]])


async def test_fault_53_far_outside_of_what_was_learnt(service: Service) -> None:
    """200 with `in_range` false for each such row (our word for an extrapolation), and which columns if asked."""
    body = {"model": "exam", "X": [[2, 8], [1e9, 8], [2, -40]], "applicability": True}

    told = (await service.client.post(PREDICT, json=body)).json()

    assert told["in_range"] == [True, False, False]
    outside = [[fault["column"] for fault in row["outside"]] for row in told["applicability"]]
    assert outside == [[], ["hours_studied"], ["hours_slept"]]


async def test_fault_54_no_rows_to_answer_or_too_many(settings: Settings) -> None:
    """422 for none; 413 for more rows than are read, or than one answer may have."""
    for limits, slug in (({"most_rows": 10}, "table-too-large"), ({"most_answers": 10}, "too-many-answers")):
        async with client_of(settings.model_copy(update=limits)) as client:
            service = await Service(client).begin()
            for path, form in product((PREDICT, "/models/exam/predict"), ("X", "rows")):
                named = {"model": "exam"} if path == PREDICT else {}
                row = [4, 8] if form == "X" else {"hours_studied": 4, "hours_slept": 8}
                await service.refuses(path, named | {form: []}, 422, "table")
                await service.refuses(path, named | {form: [row] * 11}, 413, slug)
                assert (await client.post(path, json=named | {form: [row] * 10})).status_code == 200
