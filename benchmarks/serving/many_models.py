"""A hundred thousand models: how long the first answer of one takes that is not loaded, and if their number matters."""

import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
import numpy as np

from benchmarks.report import Section, say, verdict
from benchmarks.running import serving
from tests.faults.stores import multiplied

MANY, FEW = 100_000, 100
ASKED = 300
GOAL_OF_FIRST = 5.0  # ms


def section() -> Section:
    """Ask models of a store of many and of one of few, each for the first time and for the second."""
    rows = []
    firsts: dict[int, float] = {}
    for count in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "models"
            with serving(store) as (url, _):
                _train(url)
            multiplied(store, count)
            with serving(store) as (url, process):
                first, second = _asked(url, count)
                memory = _memory(process)
        firsts[count] = median(first)
        say(f"{count:,} models: first answer {median(first):.2f} ms, second {median(second):.2f} ms")
        percentiles = [f"{np.percentile(first, 99):.2f}", f"{median(second):.2f}", f"{memory:.0f}"]
        rows.append((f"{count:,}", f"{median(first):.2f}", *percentiles))
    ratio = firsts[MANY] / firsts[FEW]
    return Section(
        "Models that are not loaded yet, one connection",
        ("models in the store", "first answer, ms", "99 of 100, ms", "second answer, ms", "memory, MB"),
        rows,
        notes=(
            f"The first answer of one of {MANY:,}: {firsts[MANY]:.2f} ms; {verdict(firsts[MANY], GOAL_OF_FIRST)}.",
            f"That is {ratio:.2f} times what it takes among {FEW}.",
        ),
    )


def _train(url: str) -> None:
    """Make the model that all others are copies of: 30-64-64-1."""
    X = np.random.default_rng(0).standard_normal((400, 30))
    training = {"optimizer": "adam", "epochs": 2, "members": 1}
    request = {"name": "m0", "X": X.tolist(), "y": X.sum(axis=1).tolist(), "training": training}
    answer = httpx.post(f"{url}/train", json=request | {"network": {"hidden": [64, 64]}}, timeout=600, trust_env=False)
    answer.raise_for_status()


def _asked(url: str, count: int) -> tuple[Sequence[float], Sequence[float]]:
    """Ask some models twice each; give the milliseconds of the first answers and of the second."""
    chosen = np.random.default_rng(1).permutation(count)[:ASKED].tolist()
    first: list[float] = []
    second: list[float] = []
    with closing(HTTPConnection(httpx.URL(url).netloc.decode())) as client:  # httpx takes longer than the second answer
        for number in chosen:
            body = json.dumps({"model": f"m{number}", "X": [[0.5] * 30]})
            for taken in (first, second):
                began = perf_counter()
                client.request("POST", "/predict", body)
                response = client.getresponse()
                answer = response.read()
                taken.append((perf_counter() - began) * 1000)
                if response.status != httpx.codes.OK:
                    raise RuntimeError(answer)
    return first, second


def _memory(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
