"""What the Open Inference Protocol V2 is refused: more than the service does, and what is no table."""

import json
from typing import Any

import httpx

from app.settings import Settings
from tests.conftest import ROWS, client_of
from tests.protocols.asking import tensor


async def test_an_answer_has_no_more_numbers_than_any_other(settings: Settings) -> None:
    """However short the request is that asks for them."""
    async with client_of(settings.model_copy(update={"most_answers": 8})) as client:
        await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "score"})
        for rows, status in ((8, 200), (9, 413)):
            body = {"inputs": [tensor("X", "FP64", [rows, 2], [1, 2] * rows)]}
            assert (await client.post("/v2/models/exam/infer", json=body)).status_code == status


async def test_an_output_is_asked_for_once(models: httpx.AsyncClient) -> None:
    """It would be written as often as it is named."""
    body = {"inputs": [tensor("X", "FP64", [1, 2], [1, 2])], "outputs": [{"name": "score"}] * 2}
    response = await models.post("/v2/models/exam/infer", json=body)
    assert response.status_code == 400
    assert "each once" in response.json()["error"]


async def test_numbers_of_any_length_are_numbers(models: httpx.AsyncClient) -> None:
    """A timeout beyond all floats is no deadline; a length with more digits than any is refused."""
    body: dict[str, Any] = {"inputs": [tensor("X", "FP64", [1, 2], [1, 2])]}
    sent = json.dumps(body | {"parameters": {"timeout": 0}}).replace('"timeout": 0', '"timeout": ' + "9" * 400)
    assert (await models.post("/v2/models/exam/infer", content=sent)).status_code == 200

    headers = {"inference-header-content-length": "9" * 5000}
    response = await models.post("/v2/models/exam/infer", json=body, headers=headers)
    assert response.status_code == 400


async def test_truths_are_no_numbers_in_octets_either(models: httpx.AsyncClient) -> None:
    """As in JSON."""
    document = json.dumps({"inputs": [tensor("X", "BOOL", [1, 2], None, binary_data_size=2)]}).encode()
    headers = {"inference-header-content-length": str(len(document))}
    response = await models.post("/v2/models/exam/infer", content=document + b"\1\1", headers=headers)
    assert response.status_code == 400
    assert "got true" in response.json()["error"]


async def test_no_rows_are_refused_in_columns_too(models: httpx.AsyncClient) -> None:
    """As they are in one tensor."""
    inputs = [tensor(name, "FP64", [0], []) for name in ("hours_studied", "hours_slept")]
    response = await models.post("/v2/models/exam/infer", json={"inputs": inputs})
    assert response.status_code == 400
    assert "no rows" in response.json()["error"]
