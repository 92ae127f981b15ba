"""Replacing what is live: nobody who asks meanwhile is failed, or told of a version that was replaced before."""

import asyncio
import json
from typing import Any

import httpx

from tests.conftest import StartServer

CLIENTS = 200
VERSIONS = 5
BODY = b'{"model": "exam", "X": [[1, 2]]}'
QUESTION = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)  # 200 httpx clients would take the processors from the server
XY = {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}


async def test_a_live_version_is_replaced_under_200_clients(start_server: StartServer) -> None:
    """Each asks over and over on a connection of its own, while versions are trained, pointed at and deleted."""
    server = start_server()
    answered: list[list[int]] = [[] for _ in range(CLIENTS)]
    is_over = False

    async def ask(versions: list[int]) -> None:
        address = httpx.URL(server.url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        while not is_over:
            writer.write(QUESTION)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            body = await reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
            assert head.startswith("HTTP/1.1 200 "), body
            versions.append(json.loads(body)["version"])
        writer.close()
        await writer.wait_closed()

    async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
        await made(client, 1)
        async with asyncio.TaskGroup() as clients:
            for versions in answered:
                clients.create_task(ask(versions))
            for version in range(2, VERSIONS + 1):
                await made(client, version)
                assert (await client.delete(f"/models/exam/versions/{version - 1}")).status_code == 204
                await asyncio.sleep(0.2)
            is_over = True

    for versions in answered:
        assert versions == sorted(versions)
        assert versions[-1] == VERSIONS


async def made(client: httpx.AsyncClient, version: int) -> None:
    """Train a version, and let `live` point to it."""
    answer: dict[str, Any] = (await client.post("/train", json={"name": "exam", **XY})).json()
    assert answer["version"] == version
    response = await client.put("/models/exam/aliases/live", json={"version": version})
    assert response.status_code in {200, 201}
