"""What tests of datasets share: a table with a column of each kind, sending it, and training from it."""

from typing import Any

import httpx

from app.settings import Settings

CSV = b"hours,course,paid,day,score\n" + b"".join(
    f"{hour},{course},{paid},2024-01-{hour:02d},{score}\n".encode()
    for hour, course, paid, score in [
        (1, "art", "true", 50.5),
        (2, "law", "false", 70),
        (3, "", "true", 60),
        (4, "law", "true", 90),
        (5, "sea", "false", 80),
        (6, "sea", "true", 99),
    ]
)
AS_CSV = {"content-type": "text/csv"}
QUICK: dict[str, Any] = {"training": {"optimizer": "adam", "epochs": 5, "members": 2}}


def rows() -> list[dict[str, Any]]:
    """The same rows as JSON has them."""
    lines = [line.split(",") for line in CSV.decode().splitlines()]
    return [
        {
            "hours": int(hours),
            "course": course or None,
            "paid": paid == "true",
            "day": day,
            "score": float(score),
        }
        for hours, course, paid, day, score in lines[1:]
    ]


async def uploaded(client: httpx.AsyncClient, content: bytes = CSV, kind: str = "text/csv", **query: str) -> Any:
    response = await client.post("/datasets", params=query, content=content, headers={"content-type": kind})
    return response.raise_for_status().json()


async def trained(client: httpx.AsyncClient, **request: Any) -> Any:
    return (await client.post("/train", json={"target": "score"} | QUICK | request)).raise_for_status().json()


async def weights(client: httpx.AsyncClient, model: str) -> Any:
    return (await client.get(f"/models/{model}/weights")).json()["members"]


def left_behind(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.models / ".datasets").rglob("*") if path.is_file())
