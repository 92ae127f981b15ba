"""What tests of protocols share: models of all kinds of columns and of answers."""

import httpx
import pytest

from tests.conftest import ROWS

FLOWERS = [
    {"petal": petal, "colour": colour, "wild": wild, "seen": f"2026-0{1 + number % 9}-01", "kind": kind}
    for number, (petal, colour, wild, kind) in enumerate(
        [
            (1.0, "red", True, "rose"),
            (5.0, "white", False, "lily"),
            (1.5, "red", False, "rose"),
            (6.0, "blue", True, "iris"),
        ]
        * 4
    )
]
SPARSE = [{"a": number, "b": None if number % 3 == 0 else number / 2, "y": number * 2.0} for number in range(12)]


@pytest.fixture
async def models(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Train models of numbers, of all kinds of columns, of several answers, and one that knows missing values."""
    several = [row | {"sleepy": row["hours_slept"] > 8} for row in ROWS]
    quick = {"training": {"epochs": 5}, "network": {"hidden": [3]}}
    for request in (
        {"name": "exam", "rows": ROWS, "target": "score"},
        {"name": "flowers", "rows": FLOWERS, "target": "kind"} | quick,
        {"name": "sparse", "rows": SPARSE, "target": "y"} | quick,
        {"name": "two", "rows": ROWS, "target": ["score", "hours_slept"]} | quick,
        {"name": "truths", "rows": several, "target": "sleepy"} | quick,
    ):
        response = await client.post("/train", json=request)
        assert response.status_code == 201, response.text
    return client
