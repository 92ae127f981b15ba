"""Replacing what is live: nobody who asks meanwhile is failed, or told of a version that was replaced before."""

import asyncio
from typing import Any

import httpx

from tests.conftest import StartServer

CLIENTS = 200
VERSIONS = 8
XY = {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}


async def test_a_live_version_is_replaced_under_200_clients(start_server: StartServer) -> None:
    """Each asks over and over on a connection of its own, while versions are trained, pointed at and deleted."""
    server = start_server()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits, trust_env=False) as client:
        await made(client, 1)
        is_over = False
        answered: list[list[int]] = [[] for _ in range(CLIENTS)]

        async def ask(versions: list[int]) -> None:
            while not is_over:
                response = await client.post("/predict", json={"model": "exam", "X": [[1, 2]]})
                assert response.status_code == 200, response.text
                versions.append(response.json()["version"])

        clients = [asyncio.create_task(ask(versions)) for versions in answered]
        for version in range(2, VERSIONS + 1):
            await made(client, version)
            assert (await client.delete(f"/models/exam/versions/{version - 1}")).status_code == 204
            await asyncio.sleep(0.2)
        is_over = True
        await asyncio.gather(*clients)

    for versions in answered:
        assert versions == sorted(versions)
        assert versions[-1] == VERSIONS


async def made(client: httpx.AsyncClient, version: int) -> None:
    """Train a version, and let `live` point to it."""
    answer: dict[str, Any] = (await client.post("/train", json={"name": "exam", **XY})).json()
    assert answer["version"] == version
    response = await client.put("/models/exam/aliases/live", json={"version": version})
    assert response.status_code in {200, 201}
