"""Answers computed by hand from what `/weights` tells, for columns of every kind."""

from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from app.engine.activations import ACTIVATIONS
from tests.api.test_columns import ROW, ROWS

EMBEDDED = {"one_hot": 2}
QUICK: dict[str, Any] = {"optimizer": "adam", "members": 2, "epochs": 3, "precision": "float64"}
GAP_AND_UNSEEN = ROW | {"age": None, "course": "tea"}


def made(entry: dict[str, Any], value: Any, embeddings: list[list[list[float]]]) -> list[float]:
    """Make the inputs that an entry stands for, as its documentation says."""
    match entry["made"]:
        case "scaled":
            scaled = ((entry["fill"] if value is None else value) - entry["center"]) / entry["scale"]
            inputs = [scaled / np.sqrt(1 + (scaled / entry["clip"]) ** 2) if entry["clip"] else scaled]
        case "missing":
            inputs = [float(value is None)]
        case "pair":
            no, yes = entry["levels"]
            inputs = [{yes: 1.0, no: -1.0}[value]]
        case "level":
            inputs = [float(value == entry["level"])]
        case _:
            inputs = embeddings[0][entry["levels"].index(value) + 1 if value in entry["levels"] else 0]
    return inputs


def by_hand(weights: dict[str, Any], row: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Run each member's layers and average; the outputs are not scaled out yet."""
    answers = []
    for member in weights["members"]:
        inputs = [made(entry, row[entry["column"]], member["embeddings"] or []) for entry in weights["inputs"]]
        a = np.concatenate(inputs)[np.newaxis]
        for number, layer in enumerate(member["layers"], start=1):
            a = a @ np.array(layer["W"]) + np.array(layer["b"])
            a /= weights["temperature"] if number == len(member["layers"]) else 1.0
            ACTIVATIONS[layer["activation"]].apply(a, np.empty_like(a))
        answers.append(a[0])
    mean: npt.NDArray[np.float64] = np.mean(answers, axis=0)
    return mean


async def answered(client: httpx.AsyncClient, row: dict[str, Any], **settings: Any) -> tuple[Any, Any]:
    """Train, and give the answer to a row with the model's weights."""
    body = {"name": "exam", "rows": ROWS, "target": "score", "training": QUICK} | settings
    (await client.post("/train", json=body)).raise_for_status()
    asked = {"model": "exam", "rows": [row], "proba": "loss" not in body["training"] and body["target"] != "score"}
    answer = (await client.post("/predict", json=asked)).raise_for_status().json()
    return answer, (await client.get("/models/exam/weights")).json()


@pytest.mark.parametrize("row", [ROW, GAP_AND_UNSEEN])
@pytest.mark.parametrize("scaling", [{}, EMBEDDED, {"clip": 2.0}])
async def test_columns_of_every_kind_can_be_followed_to_the_answer(
    row: dict[str, Any], scaling: dict[str, Any], client: httpx.AsyncClient
) -> None:
    """Numbers, gaps, true and false, levels and embeddings, also where the row's category was never seen."""
    answer, weights = await answered(client, row, scaling=scaling)

    expected = by_hand(weights, row) * weights["target"]["scale"] + weights["target"]["center"]
    assert {entry["made"] for entry in weights["inputs"]} >= {"scaled", "missing", "pair"}
    assert answer["predictions"] == pytest.approx(expected, rel=1e-9)


async def test_a_mean_with_its_variance_can_be_followed_to_the_answer(client: httpx.AsyncClient) -> None:
    """The first half of the outputs are the answers."""
    answer, weights = await answered(client, ROW, training=QUICK | {"loss": "gaussian_nll"})

    mean, _log_variance = by_hand(weights, ROW)
    assert answer["predictions"] == pytest.approx(
        [mean * weights["target"]["scale"][0] + weights["target"]["center"][0]], rel=1e-9
    )


@pytest.mark.parametrize("target", ["paid", ["paid", "late"]])
async def test_probabilities_can_be_followed_to_the_answer(target: Any, client: httpx.AsyncClient) -> None:
    """The outputs are the second label's probability, or each target's of being true."""
    rows = [row | {"late": row["hours"] > 3} for row in ROWS]
    row = {name: value for name, value in ROW.items() if name != "paid"} | {"score": 70.0}
    if target == "paid":
        row |= {"late": True}

    answer, weights = await answered(client, row, rows=rows, target=target)

    (told,) = answer["probabilities"]
    expected = by_hand(weights, row)
    assert weights["target"] is None
    assert ([told["true"]] if target == "paid" else list(told.values())) == pytest.approx(expected, rel=1e-9)
