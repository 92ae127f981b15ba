"""Those who use a service that is soaked, properly or not, and what they count as failed."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import httpx

from benchmarks.soak.processes import children, trainers
from tests.faults.clients import Kept

NAMES = 20  # models that come and go
KEPT = 3  # versions of each
LOST = "/problems/worker-lost"
WAIT = 60.0
LONG = {"optimizer": "adam", "epochs": 3000, "tolerance": 0.0, "patience": None}
SLOW_SECONDS = 10.0  # that a client sends nothing more
SECONDS_BETWEEN_KILLS = 10.0
BAD: list[tuple[str, str, bytes, dict[str, str], int]] = [
    ("POST", "/predict", b"{", {}, 400),
    ("POST", "/predict", b'{"model": "soaked", "X": [[NaN, 1]]}', {}, 400),
    ("POST", "/predict", b'{"model": "soaked", "X": [[1]]}', {}, 422),
    ("POST", "/predict", b'{"model": "soaked", "X": [["a", "b"]]}', {}, 422),
    ("POST", "/predict", b'{"model": "nobody", "X": [[1, 2]]}', {}, 404),
    ("POST", "/predict", b"[" * 10_000, {}, 400),
    ("POST", "/train", b'{"X": [[1], [2]], "y": [1]}', {}, 422),
    ("POST", "/train", b'{"name": "../x", "X": [[1], [2]], "y": [1, 2]}', {}, 422),
    ("POST", "/train", b"a;b\n1;2\n3\n", {"content-type": "text/csv"}, 422),
    ("POST", "/train", b"\x1f\x8bnothing", {"content-encoding": "gzip"}, 400),
    ("POST", "/datasets", b"PAR1", {"content-type": "application/vnd.apache.parquet"}, 422),
    ("GET", "/models/%2e%2e%2fx", b"", {}, 404),
    ("GET", "/jobs/nobody", b"", {}, 404),
    ("PATCH", "/predict", b"", {}, 405),
]


def table(rng: Random, rows: int = 30) -> dict[str, Any]:
    """Make up something to learn."""
    X = [[rng.random(), rng.random()] for _ in range(rows)]
    return {"X": X, "y": [a + 2 * b + rng.gauss(0, 0.01) for a, b in X]}


class Users:
    """All who use the service until it is over."""

    def __init__(self, url: str, supervisor: int) -> None:
        self.url, self.supervisor = url, supervisor
        self.done, self.failed = Counter[str](), Counter[str]()
        self.is_over = False
        self.client = httpx.AsyncClient(base_url=url, timeout=2 * WAIT, trust_env=False)

    async def use(self) -> None:
        """Be all of them."""
        rows: list[tuple[Callable[[Random], Awaitable[None]], int, float]] = [
            (self.train, 2, 0.2),
            (self.delete, 1, 2.0),
            (self.follow, 1, 1.0),
            (self.learn_from_dataset, 1, 2.0),
            (self.predict_table, 1, 0.5),
            (self.look, 1, 0.5),
            (self.send_badly, 2, 0.1),
            (self.send_slowly, 5, 0.5),
            (self.kill_a_training, 1, SECONDS_BETWEEN_KILLS),
        ]
        async with asyncio.TaskGroup() as users:
            for number, (do, count, pause) in enumerate(rows):
                for each in range(count):
                    rng = Random(100 * number + each)  # noqa: S311 - what it draws is no secret
                    users.create_task(self._over_and_over(do, rng, pause))
        await self.client.aclose()

    async def _over_and_over(self, do: Callable[[Random], Awaitable[None]], rng: Random, pause: float) -> None:
        while not self.is_over:
            try:
                await do(rng)
                self.done[do.__name__] += 1
            except (httpx.HTTPError, OSError, EOFError) as error:
                self.failed[f"{do.__name__}: {error!r}"[:200]] += 1
            await asyncio.sleep(rng.uniform(0, 2 * pause))

    async def ask(self, method: str, path: str, good: set[int], **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Ask, and count an answer that is none of the good ones as failed."""
        response = await self.client.request(method, path, **how)
        if response.status_code not in good:
            self.failed[f"{method} {path}: {response.status_code} {response.text}"[:200]] += 1
        return response

    async def train(self, rng: Random) -> None:
        """Train a model, of which only the last versions are kept; one that is killed three times is lost."""
        name = f"soak-{rng.randrange(NAMES)}"
        await self._learn({"name": name, **table(rng)})
        await self.ask("PATCH", f"/models/{name}", {200, 404}, json={"keep_last": KEPT})

    async def _learn(self, body: dict[str, Any]) -> None:
        answer = await self.ask("POST", "/train", {201, 202, 503}, json=body, params={"wait": WAIT})
        if answer.status_code == 503 and answer.json()["type"] != LOST:  # noqa: PLR2004 - of a process, or of more
            self.failed[f"a training: {answer.text}"[:200]] += 1

    async def delete(self, rng: Random) -> None:
        """Delete a model, if it is there."""
        await self.ask("DELETE", f"/models/soak-{rng.randrange(NAMES)}", {204, 404})

    async def follow(self, rng: Random) -> None:
        """Train for longer, and follow that to its end, however often the stream breaks off; sometimes cancel it."""
        body = {"name": "followed", **table(rng, 300), "training": LONG}
        job = (await self.ask("POST", "/train", {202}, json=body, params={"wait": 0})).json()["job"]
        if rng.random() < 0.2:  # noqa: PLR2004 - as often as it is
            await self.ask("DELETE", f"/jobs/{job}", {200})
        is_over = False
        while not is_over:
            async with self.client.stream("GET", f"/jobs/{job}/events", params={"weights": True}) as events:
                async for line in events.aiter_lines():
                    is_over |= line in {"event: succeeded", "event: cancelled", "event: failed"}
        ended = (await self.ask("GET", f"/jobs/{job}", {200})).json()
        if ended["status"] == "failed" and ended["attempt"] < 3:  # noqa: PLR2004 - more often than that its process was killed
            self.failed[f"a training: {ended['error']}"] += 1
        await self.ask("PATCH", "/models/followed", {200, 404}, json={"keep_last": KEPT})

    async def learn_from_dataset(self, rng: Random) -> None:
        """Upload a table, learn from it, and delete it."""
        rows = "".join(f"{rng.random()},{rng.random()},{rng.choice('abc')},{rng.random()}\n" for _ in range(2000))
        sent = {"content": "a,b,c,y\n" + rows, "headers": {"content-type": "text/csv"}}
        dataset = (await self.ask("POST", "/datasets", {200, 201}, **sent)).json()["dataset"]
        training = {"optimizer": "adam", "epochs": 2}
        await self._learn({"name": "from-dataset", "dataset": dataset, "target": "y", "training": training})
        await self.ask("PATCH", "/models/from-dataset", {200, 404}, json={"keep_last": KEPT})
        await self.ask("DELETE", f"/datasets/{dataset}", {204, 409})

    async def predict_table(self, rng: Random) -> None:
        """Have many rows answered, in JSON and in CSV."""
        X = [[rng.random(), rng.random()] for _ in range(1000)]
        await self.ask("POST", "/predict", {200}, json={"model": "soaked", "X": X, "interval": 0.9})
        content = "x1,x2\n" + "".join(f"{a},{b}\n" for a, b in X)
        sent = {"content": content, "headers": {"content-type": "text/csv"}}
        await self.ask("POST", "/models/soaked/predict", {200}, **sent)

    async def look(self, _rng: Random) -> None:
        """Look at what there is."""
        for path in (
            "/readyz",
            "/livez",
            "/metrics",
            "/models",
            "/jobs?limit=20",
            "/models/soaked",
            "/v2/models/soaked",
        ):
            await self.ask("GET", path, {200})

    async def send_badly(self, rng: Random) -> None:
        """Send what cannot be taken, and be told so as is meant."""
        method, path, content, headers, status = rng.choice(BAD)
        await self.ask(method, path, {status}, content=content, headers=headers)

    async def send_slowly(self, rng: Random) -> None:
        """Send half a request, be silent, and leave; the server may have closed the connection by then."""
        client = Kept(self.url)
        await client.ask("GET", "/livez")
        assert client.streams is not None  # noqa: S101 - it has just been answered
        reader, writer = client.streams
        half = rng.choice(
            [
                b"POST /train HTTP/1.1\r\nhost: he",
                b"POST /train HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{",
            ]
        )
        writer.write(half)
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOW_SECONDS):
                await reader.read()
        await client.close()

    async def kill_a_training(self, rng: Random) -> None:
        """Kill a process that trains, or waits to."""
        found = trainers(children(self.supervisor))
        if found:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(found), signal.SIGKILL)


async def prepare(client: Users) -> None:
    """Train the model that is asked all the time."""
    body = {"name": "soaked", **table(Random(0), 100)}  # noqa: S311 - the same
    (await client.ask("POST", "/train", {201}, content=json.dumps(body))).raise_for_status()
