"""Clients that train, predict, point and delete, try again whatever breaks off, and remember what they were told."""

import math
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import httpx

from tests.conftest import TUTORIAL

NAMES = ("exam", "other", "third")
MOST_LIVE = 40  # models; then it is time to delete
QUESTION = [[4, 8], [2, 9]]
PATIENCE = 0.02
LONGEST = 60.0  # seconds until all know what one was told, on any machine


class Stopped(Exception):
    """The clients are to end."""


@dataclass
class Known:
    """A version that was acknowledged."""

    sha256: str
    answers: Any = None


class World:
    """What clients were told, and where the servers are now, any of which may be asked."""

    def __init__(self, seed: int, most_epochs: int = 3_000) -> None:
        self.seed, self.most_epochs = seed, most_epochs
        self.urls: list[str] = []
        self.turns = count()
        self.lock = threading.Lock()
        self.known: dict[tuple[str, int], Known] = {}
        self.asked: set[tuple[str, int]] = set()
        self.gone: set[tuple[str, int]] = set()
        self.keys: dict[str, tuple[str, int]] = {}
        self.pointed: dict[tuple[str, str], set[int | None]] = {}  # where an alias may point, as far as is known
        self.jobs: set[str] = set()
        self.sent: set[str] = set()  # datasets, and those that somebody has asked to delete, and those that are
        self.to_discard: set[str] = set()
        self.discarded: set[str] = set()
        self.troubles = 0  # that began or ended: it is odd while there is one
        self.seen: list[float] = []  # seconds after which every server knew of an alias that had been moved on one
        self.tally = Counter[str]()
        self.wrong: list[str] = []
        self.running, self.stopping = threading.Event(), False
        self.busy = 0
        self.running.set()

    @contextmanager
    def clients(self, count: int) -> Iterator[None]:
        """Let so many clients work."""
        threads = [
            threading.Thread(target=self._work, args=(number,), name=f"client-{number}") for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """End as soon as can be."""
        self.stopping = True
        self.running.set()

    def pause(self) -> None:
        """Let all come to the end of what they are at."""
        self.running.clear()
        while self.busy:
            time.sleep(PATIENCE)

    def go_on(self) -> None:
        """End a pause."""
        self.running.set()

    def _work(self, number: int) -> None:
        rng = Random(1000 * self.seed + number)
        names, weights = zip(*((name, weight) for name, (weight, _) in ACTIONS.items()), strict=True)
        with httpx.Client(timeout=60, trust_env=False) as client:
            while not self.stopping:
                self.running.wait()
                with self.lock:
                    self.busy += 1
                try:
                    if self.running.is_set():
                        action = rng.choices(names, weights)[0]
                        ACTIONS[action][1](self, client, rng)
                        self.tally[action] += 1
                except Stopped:
                    return
                except Exception as error:  # noqa: BLE001 - told, and counted as a fault
                    self.wrong.append(f"an answer that was not expected: {error!r}")
                finally:
                    with self.lock:
                        self.busy -= 1

    def ask(self, client: httpx.Client, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask until there is an answer, wherever the service is by then."""
        while not self.stopping:
            try:
                response = client.request(method, self.urls[next(self.turns) % len(self.urls)] + path, **how)
            except httpx.TransportError:
                time.sleep(PATIENCE)
                continue
            if response.status_code != 503:
                return response
            time.sleep(PATIENCE)
        raise Stopped

    def pick(self, rng: Random) -> tuple[tuple[str, int], Known] | None:
        """Choose a version that nobody has asked to delete."""
        with self.lock:
            there = sorted(self.known.keys() - self.asked)
            return (one, self.known[one]) if there and (one := rng.choice(there)) else None


def train(world: World, client: httpx.Client, rng: Random) -> None:
    """Train under a key until there is a model; the key gives the same one once more."""
    key = str(uuid.UUID(int=rng.getrandbits(128)))
    epochs = int(10 ** rng.uniform(1, math.log10(world.most_epochs)))
    body = TUTORIAL | {"name": rng.choice(NAMES), "training": {"seed": rng.randrange(2**20), "epochs": epochs}}
    found = [_trained(world, client, key, body, wait=rng.choice((0.0, 1.0, 5.0)))]
    if rng.random() < 0.5:
        found.append(_trained(world, client, key, body, wait=5))
    if len(set(found)) > 1:
        world.wrong.append(f"a duplicate training: {key} gave {found}")


def _trained(world: World, client: httpx.Client, key: str, body: Any, *, wait: float) -> tuple[str, int]:
    told = _made(world, client, "/train", key, body, wait=wait)
    one = told["reference"].split("/")[0], told["version"]
    with world.lock:
        world.keys[key] = one
    _remember(world, one, told["sha256"])
    return one


def _made(world: World, client: httpx.Client, path: str, key: str, body: Any, *, wait: float) -> Any:
    headers = {"Idempotency-Key": f'"{key}"'}
    while True:
        response = world.ask(client, "POST", path, params={"wait": wait}, json=body, headers=headers)
        if response.status_code == 201:
            return response.json()
        assert response.status_code == 202, response.text
        world.jobs.add(response.json()["job"])
        time.sleep(PATIENCE)


def _remember(world: World, one: tuple[str, int], sha256: str) -> None:
    with world.lock:
        if world.known.setdefault(one, Known(sha256)).sha256 != sha256:
            world.wrong.append(f"a lost model: {one} was given to two trainings")


def train_groups(world: World, client: httpx.Client, rng: Random) -> None:
    """Train a model for each of some groups under a key, until all are there."""
    rows = [[group, rng.random(), rng.random(), rng.random()] for group in "abc" for _ in range(6)]
    body = {"name": "groups", "columns": ["group", "x", "z", "y"], "rows": rows, "target": "y", "group_by": "group"}
    told = _made(world, client, "/train/batch", str(uuid.UUID(int=rng.getrandbits(128))), body, wait=5)
    for each in told["models"]:
        path = f"/models/{each['model']}/versions/{each['version']}"
        response = world.ask(client, "GET", path)
        assert response.status_code == 200, response.text
        _remember(world, (each["model"], each["version"]), response.json()["sha256"])


def predict(world: World, client: httpx.Client, rng: Random) -> None:
    """Ask a version, which always gives the same answer."""
    chosen = world.pick(rng)
    if chosen is None:
        return
    one, known = chosen
    response = world.ask(client, "POST", "/predict", json={"model": f"{one[0]}/{one[1]}", "X": QUESTION})
    if response.status_code == 404 and one in world.asked:
        return
    assert response.status_code == 200, response.text
    answers = response.json()["predictions"]
    if known.answers not in (None, answers):
        world.wrong.append(f"a half model: {one} answers {answers}, and answered {known.answers}")
    known.answers = answers


def delete(world: World, client: httpx.Client, rng: Random) -> None:
    """Delete a version where there are many, until it is gone."""
    with world.lock:
        is_enough = len(world.known.keys() - world.asked) < MOST_LIVE and rng.random() < 0.5
    chosen = None if is_enough else world.pick(rng)
    if chosen is None:
        return
    one, _ = chosen
    with world.lock:
        if one in world.asked:  # by another meanwhile
            return
        world.asked.add(one)
    response = world.ask(client, "DELETE", f"/models/{one[0]}/versions/{one[1]}")
    assert response.status_code in {204, 404, 409}, response.text
    if response.status_code == 409:  # an alias points to it
        with world.lock:
            world.asked.discard(one)
        return
    world.gone.add(one)


def point(world: World, client: httpx.Client, rng: Random) -> None:
    """Point an alias that is this client's alone at a version, until it is told that it does, or that that is gone."""
    chosen = world.pick(rng)
    if chosen is None:
        return
    (name, version), _ = chosen
    alias = threading.current_thread().name
    with world.lock:
        before = world.pointed.get((name, alias), {None})
        world.pointed[name, alias] = before | {version}
    response = world.ask(client, "PUT", f"/models/{name}/aliases/{alias}", json={"version": version})
    assert response.status_code in {200, 201, 404}, response.text
    with world.lock:
        world.pointed[name, alias] = before if response.status_code == 404 else {version}
    if response.status_code != 404:
        _watch(world, client, f"{name}@{alias}", version)


def _watch(world: World, client: httpx.Client, model: str, version: int) -> None:
    """Measure how long it takes until each server answers by the version that an alias was moved to, in peace."""
    troubles, began = world.troubles, time.monotonic()
    for url in world.urls:
        while True:
            if world.stopping or world.troubles != troubles or troubles % 2:
                return
            if time.monotonic() > began + LONGEST:
                world.wrong.append(f"a lost alias: {url} does not know that {model} is {version}")
                return
            with suppress(httpx.TransportError):
                response = client.post(f"{url}/predict", json={"model": model, "X": QUESTION})
                if response.status_code == 200 and response.json()["version"] == version:
                    break
            time.sleep(PATIENCE / 10)
    world.seen.append(time.monotonic() - began)


def send(world: World, client: httpx.Client, rng: Random) -> None:
    """Send a dataset that nobody else has, learn from it, and delete it, or not."""
    rows = [[rng.random() for _ in "abc"] for _ in range(20)]
    response = world.ask(client, "POST", "/datasets", json={"columns": ["a", "b", "c"], "rows": rows})
    assert response.status_code in {200, 201}, response.text
    dataset = response.json()["dataset"]
    world.sent.add(dataset)
    response = world.ask(client, "GET", f"/datasets/{dataset}")
    assert response.status_code == 200, response.text
    if rng.random() < 0.5:
        body = {"name": "sent", "dataset": dataset, "target": "c", "training": {"epochs": 20}}
        _trained(world, client, str(uuid.UUID(int=rng.getrandbits(128))), body, wait=5)
    if rng.random() < 0.7:
        world.to_discard.add(dataset)
        response = world.ask(client, "DELETE", f"/datasets/{dataset}")
        assert response.status_code in {204, 404}, response.text
        world.discarded.add(dataset)


ACTIONS: dict[str, tuple[int, Callable[[World, httpx.Client, Random], None]]] = {
    "train": (4, train),
    "predict": (4, predict),
    "delete": (4, delete),
    "point": (2, point),
    "send": (1, send),
    "train groups": (1, train_groups),
}
"""What clients do: how often, and how."""
