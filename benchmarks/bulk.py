"""What it takes to answer a million rows in each format: rows a second, and how much the process that answers grows."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import httpx
import numpy as np
import pyarrow as pa

from app.tables.formats import FORMATS
from benchmarks.report import Section, say, verdict
from benchmarks.running import serving

ROWS, COLUMNS = 1_000_000, 5
GOAL = 300.0  # MB of growth
NAMES = [f"x{number}" for number in range(1, COLUMNS + 1)]


class Service(NamedTuple):
    """Where a service answers, and the process that does."""

    url: str
    process: int


class Taken(NamedTuple):
    """What one answer took: seconds, and megabytes that the process grew by."""

    seconds: float
    growth: float


def section() -> Section:
    """Ask a service of its own for each format, so that none finds memory that another left."""
    numbers = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
    table = pa.table(dict(zip(NAMES, map(pa.array, numbers.T), strict=True)))
    rows, growths = [], []
    for name, format_ in FORMATS.items():
        body = b"".join(format_.write([table], ROWS))
        with served(numbers) as server:
            taken = _asked(server, body, format_.media_types[0])
        growths.append(taken.growth)
        rows.append((name, f"{len(body) / 1e6:.0f}", f"{ROWS / taken.seconds:,.0f}", f"{taken.growth:.0f}"))
        say(f"bulk {name}: {taken.seconds:.1f} s, grown by {taken.growth:.0f} MB")
    return Section(
        f"{ROWS:,} rows of {COLUMNS} numbers answered",
        ("", "body, MB", "rows a second", "growth, MB"),
        rows,
        notes=(f"The most that a process grew is {max(growths):.0f} MB; {verdict(max(growths), GOAL)}.",),
    )


@contextmanager
def served(numbers: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> Iterator[Service]:
    """Start a service that has learnt a small network from the first rows."""
    request = {
        "name": "model",
        "X": numbers[:100].tolist(),
        "y": numbers[:100].sum(axis=1).tolist(),
        "training": {"optimizer": "adam", "epochs": 10},
        "network": {"hidden": [8]},
    }
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "models") as (url, process):
        httpx.post(f"{url}/train", json=request, timeout=600, trust_env=False).raise_for_status()
        yield Service(url, process)


def _asked(server: Service, body: bytes, media_type: str) -> Taken:
    before, began = _memory(server, "VmRSS"), perf_counter()
    headers = {"content-type": media_type}
    with (
        httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client,
        client.stream("POST", "/models/model/predict", content=body, headers=headers) as response,
    ):
        response.raise_for_status()
        for _ in response.iter_raw():
            pass
    return Taken(perf_counter() - began, (_memory(server, "VmHWM") - before) / 1e6)


def _memory(server: Service, name: str) -> float:
    """Bytes that a process takes, or has taken at most."""
    status = Path(f"/proc/{server.process}/status").read_text(encoding="utf-8")
    return 1024 * float(status.split(f"{name}:")[1].split()[0])
