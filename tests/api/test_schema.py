"""What a model tells of the rows it takes."""

from typing import Any

import httpx

ROWS: list[dict[str, Any]] = [
    {"hours": 1.5, "course": "art", "paid": True, "since": "2024-01-01", "y": 1},
    {"hours": None, "course": "law", "paid": False, "since": "2024-02-01", "y": 2},
    {"hours": 3.0, "course": "law", "paid": False, "since": "2024-02-03", "y": 3},
]


async def test_a_schema_tells_types_ranges_and_levels(client: httpx.AsyncClient) -> None:
    """Null only where there were gaps; ranges in words, since rows beyond them are answered too."""
    (await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "y"})).raise_for_status()

    schema = (await client.get("/models/exam/schema")).json()

    types = {name: told["type"] for name, told in schema["properties"].items()}
    assert types == {"hours": ["number", "null"], "course": "string", "paid": "boolean", "since": "string"}
    assert schema["required"] == ["hours", "course", "paid", "since"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["since"]["format"] == "date"
    assert schema["properties"]["hours"]["description"] == "In training from 1.5 to 3.0. Missing in 33.3% of the rows."
    assert schema["properties"]["course"]["description"] == "In training: law (2), art (1)."
    assert (await client.get("/models/exam/versions/1/schema")).json() == schema


async def test_the_example_of_a_model_works_as_it_stands(client: httpx.AsyncClient) -> None:
    """Pasted from its OpenAPI document to the path that it names."""
    (await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "y"})).raise_for_status()
    document = (await client.get("/models/exam/openapi.json")).json()
    ((path, item),) = document["paths"].items()
    example = item["post"]["requestBody"]["content"]["application/json"]["example"]

    answer = await client.post(path, json=example)

    assert example["rows"] == [{name: value for name, value in ROWS[0].items() if name != "y"}]
    assert answer.status_code == 200
    assert answer.json()["in_range"] == [True]
    assert (await client.get("/models/exam/versions/1/openapi.json")).json() == document


async def test_the_answer_of_a_classifier_is_one_of_its_labels(client: httpx.AsyncClient) -> None:
    """Several targets are a list."""
    table = {"X": [[1], [2], [3], [4]]}
    (await client.post("/train", json=table | {"name": "one", "y": ["a", "b", "a", "b"]})).raise_for_status()
    (await client.post("/train", json=table | {"name": "two", "y": [[1, 2]] * 4})).raise_for_status()

    def answer(document: Any) -> Any:
        ((_, item),) = document["paths"].items()
        content = item["post"]["responses"]["200"]["content"]["application/json"]
        return content["schema"]["properties"]["predictions"]["items"]

    assert answer((await client.get("/models/one/openapi.json")).json()) == {"type": "string", "enum": ["a", "b"]}
    several = answer((await client.get("/models/two/openapi.json")).json())
    assert (several["type"], several["minItems"], several["items"]) == ("array", 2, {"type": "number"})
