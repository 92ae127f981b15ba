"""Sweeps over HTTP: several values of a setting in one training."""

from typing import Any

import httpx
import pytest

from app.jobs.budget import estimate
from app.settings import Settings
from tests.api.problem import problem
from tests.conftest import ROWS
from tests.models.tables import EXAM, recipe

TRAIN = {"name": "exam", "rows": ROWS, "target": "score"}
HOW = {"optimizer": "gradient_descent", "epochs": 50}


async def test_curves_stand_side_by_side(client: httpx.AsyncClient) -> None:
    """One model, the best; its settings are those of its run, and its job counts the epochs of all."""
    response = await client.post(
        "/train", json=TRAIN | {"training": HOW, "sweep": {"learning_rate": [0.03, 0.02, 0.01]}}
    )

    made = response.json()
    assert response.status_code == 201, response.text
    sweep = made["report"]["sweep"]
    assert sweep["setting"] == "learning_rate"
    assert [run["value"] for run in sweep["runs"]] == [0.03, 0.02, 0.01]
    assert len({run["loss"][0] for run in sweep["runs"]}) == 1
    (kept,) = [run for run in sweep["runs"] if run["kept"]]
    assert made["training"]["learning_rate"] == kept["value"]
    assert kept["loss"][-1] == min(run["loss"][-1] for run in sweep["runs"])
    (job,) = (await client.get("/jobs")).json()["jobs"]
    assert (job["epoch"], job["epochs"]) == (150, 150)


async def test_a_preset_is_swept_too_and_in_the_address(client: httpx.AsyncClient) -> None:
    """What is set beside it stays."""
    params = {"name": "exam", "target": "score", "preset": "tutorial", "sweep": '{"epochs": [10, 20]}'}
    body = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n"
    response = await client.post("/train", params=params, content=body, headers={"content-type": "text/csv"})

    made = response.json()
    assert response.status_code == 201, response.text
    assert [len(run["loss"]) for run in made["report"]["sweep"]["runs"]] == [10, 20]
    assert made["training"]["learning_rate"] == 1.0


@pytest.mark.parametrize(
    ("sweep", "field"),
    [
        ({}, "sweep"),
        ({"learning_rate": [0.1, 0.2], "l2": [0.1, 0.2]}, "sweep"),
        ({"learning_rate": [0.1]}, "sweep"),
        ({"learning_rate": [0.1] * 13}, "sweep"),
        ({"learning_rate": 0.1}, "sweep"),
        ({"learning_rate": [0.1, 0.1]}, "sweep.learning_rate"),
        ({"learning_rate": [0.1, -1]}, "sweep.learning_rate[1]"),
        ({"learning_rate": [0.1, "x"]}, "sweep.learning_rate[1]"),
        ({"learning_rate": [0.1, None]}, "sweep.learning_rate[1]"),
        ({"seed": [1, 2]}, "sweep"),
        ({"lerning_rate": [1, 2]}, "sweep"),
        ({"epochs": [1.5, 2]}, "sweep.epochs[0]"),
        ({"schedule": ["cosine", "magic"]}, "sweep.schedule[1]"),
        ({"optimizer": ["adam", "lbfgs"]}, "sweep"),
    ],
)
async def test_what_cannot_be_swept_is_named(sweep: Any, field: str, client: httpx.AsyncClient) -> None:
    """The setting, or the place of the value."""
    answer = await problem(client, "/train", TRAIN | {"sweep": sweep})

    assert answer["status"] == 422
    assert answer["errors"][0]["field"].startswith(field)


async def test_all_values_together_are_within_the_budget(client: httpx.AsyncClient) -> None:
    """Operations add up: what one value may take, three may not."""
    most = Settings().most_operations
    large = (1000, 1000)
    epochs = int(0.5 * most / estimate(EXAM, recipe(epochs=1000, hidden=large)).operations * 1000)
    how = {"network": {"hidden": large}, "training": {"optimizer": "adam", "epochs": epochs}}

    answer = await problem(client, "/train", TRAIN | how | {"sweep": {"learning_rate": [0.1, 0.2, 0.3]}})

    assert estimate(EXAM, recipe(epochs=epochs, hidden=large)).operations < most
    assert answer["type"] == "/problems/budget"
