"""Trainings over HTTP: how long a small one takes, how many a second there are, what predictions feel of large ones.

Beside the seconds stands the time that the tutorial's own loop takes in the same run, which tells how fast the machine
is at that moment.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import httpx
import numpy as np

from benchmarks.report import Section, verdict
from benchmarks.running import serving

ROWS = [
    {"hours_studied": 2, "hours_slept": 9, "score": 92},
    {"hours_studied": 1, "hours_slept": 5, "score": 86},
    {"hours_studied": 3, "hours_slept": 6, "score": 89},
]
CHOSEN: dict[str, Any] = {"rows": ROWS, "target": "score"}
"""The tutorial's rows, with everything chosen."""
PRESET = CHOSEN | {"preset": "tutorial"}
"""The tutorial's network, step by step: 1,000 epochs."""
QUESTION = {"model": "exam", "X": [[4, 8]]}
CLIENTS = 16
MILLISECONDS = 1000.0


def section(rounds: int) -> Section:
    """Measure a real server, with as many trainings and predictions as so many rounds take."""
    with TemporaryDirectory() as folder, serving(Path(folder) / "models") as (url, _), _client(url) as client:
        for _ in range(10):
            _train(client, CHOSEN | {"name": "exam"})
        one = median(_seconds(lambda: _train(client, CHOSEN | {"name": "exam"}), 20 * rounds)) * MILLISECONDS
        steps = median(_seconds(lambda: _train(client, PRESET | {"name": "steps"}), 10 * rounds)) * MILLISECONDS
        many = _a_second(url, 100 * rounds)
        alone, beside = (median(times) for times in zip(*(_predictions(client) for _ in range(rounds)), strict=True))
    loop = median(_seconds(_loop, 5 * rounds)) * MILLISECONDS
    share = beside / alone
    return Section(
        "Trainings over HTTP, durable",
        ("", "measured", ""),
        [
            ("the tutorial's rows, everything chosen, p50", f"{one:.1f} ms", verdict(one, 25)),
            ("the tutorial's network, 1,000 epochs, p50", f"{steps:.1f} ms", verdict(steps, 25)),
            (
                f"trainings of those rows by {CLIENTS} clients",
                f"{many:.0f} a second",
                verdict(many, 100, at_least=True),
            ),
            ("p99 of a prediction", f"{alone * MILLISECONDS:.2f} ms", ""),
            ("p99 of a prediction beside two trainings", f"{share:.2f} of that", verdict(share, 1.5)),
            ("the tutorial's own loop, 1,000 epochs", f"{loop:.1f} ms", ""),
        ],
    )


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=600, trust_env=False)


def _train(client: httpx.Client, body: dict[str, Any]) -> None:
    client.post("/train", json=body).raise_for_status()


def _seconds(work: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return taken


def _a_second(url: str, trainings: int) -> float:
    """Count how many trainings end in a second, when so many clients each wait for one after the other."""

    def work(number: int) -> None:
        with _client(url) as client:
            for _ in range(trainings // CLIENTS):
                _train(client, CHOSEN | {"name": f"client-{number}"})

    began = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    return trainings // CLIENTS * CLIENTS / (perf_counter() - began)


def _predictions(client: httpx.Client) -> tuple[float, float]:
    """Time predictions one after the other: the 99th percentile alone, and while two trainings run."""
    alone = _p99(client)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 8))
    table = {"X": X.tolist(), "y": X.sum(axis=1).tolist()}
    body = {"name": "large", "training": {"optimizer": "adam", "epochs": 100_000, "patience": None}} | table
    jobs = [client.post("/train", params={"wait": 0}, json=body).raise_for_status().json()["job"] for _ in range(2)]
    while any(client.get(f"/jobs/{job}").json()["epoch"] is None for job in jobs):
        pass
    beside = _p99(client)
    for job in jobs:
        client.delete(f"/jobs/{job}")
    while any(client.get(f"/jobs/{job}").json()["ended"] is None for job in jobs):
        pass
    return alone, beside


def _p99(client: httpx.Client) -> float:
    return quantiles(_seconds(lambda: client.post("/predict", json=QUESTION).raise_for_status(), 1000), n=100)[98]


def _loop() -> None:
    """Learn as the tutorial does, in its own few lines."""
    X, y = np.array([[2.0, 9], [1, 5], [3, 6]]) / [3, 9], np.array([[92.0], [86], [89]]) / 100
    rng = np.random.RandomState(0)
    W1, W2 = rng.standard_normal((2, 3)), rng.standard_normal((3, 1))
    for _ in range(1000):
        a = 1 / (1 + np.exp(-(X @ W1)))
        o = 1 / (1 + np.exp(-(a @ W2)))
        delta = (y - o) * o * (1 - o)
        hidden = (delta @ W2.T) * a * (1 - a)
        W1 += X.T @ hidden
        W2 += a.T @ delta
