"""A model for each of many groups: one request for all of them, against one request for each.

`python -m benchmarks.groups` asks a real server, in turns: for all groups at once, then for some of them one by one,
with default settings and with the very settings that the groups' models were trained with.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import httpx
import numpy as np

from benchmarks.report import Section, markdown, say, verdict
from benchmarks.running import serving

GOAL = 20.0
COLUMNS = ("group", "x1", "x2", "x3", "y")
SETTINGS = ("network", "training", "scaling")
Rows = list[list[Any]]


def tables(groups: int, rows: int) -> list[Rows]:
    """Draw a table for each group, whose target depends on three columns in a way of its own."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((groups, rows, 3))
    bend, slope = rng.uniform(0.5, 2.0, (2, groups, 1))
    y = np.sin(bend * X[..., 0]) + slope * X[..., 1] * X[..., 2] + 0.1 * rng.standard_normal((groups, rows))
    cells = np.concatenate([X, y[..., np.newaxis]], axis=-1).round(4).tolist()
    return [[[f"g{group}", *row] for row in table] for group, table in enumerate(cells)]


def section(*, groups: int, rows: int, singles: int, rounds: int) -> Section:
    """Time all groups in one request, and some of them one by one, in turns."""
    drawn = tables(groups, rows)
    some = drawn[:singles]
    with TemporaryDirectory() as folder, serving(Path(folder) / "models") as (url, _), _client(url) as client:
        settings = _batch(client, drawn[:2])[1]
        _each(client, some[:5], {})
        taken: dict[str, list[float]] = {"batch": [], "default": [], "identical": []}
        for number in range(rounds):
            seconds, settings = _batch(client, drawn)
            taken["batch"].append(seconds / groups)
            taken["default"].append(_each(client, some, {}))
            taken["identical"].append(_each(client, some, settings))
            told = ", ".join(f"{name} {1000 * seconds[-1]:.2f} ms a group" for name, seconds in taken.items())
            say(f"round {number + 1}: {told}")
    return _told({name: median(seconds) for name, seconds in taken.items()}, groups, rows)


def _told(seconds: dict[str, float], groups: int, rows: int) -> Section:
    lines = [(f"all {groups:,} groups in one request", f"{1000 * seconds['batch']:.2f} ms a group", "")]
    for name, what in {"default": "default settings", "identical": "the settings of the groups"}.items():
        ratio = seconds[name] / seconds["batch"]
        line = f"one request for each, {what}", f"{1000 * seconds[name]:.2f} ms a group"
        lines.append((*line, f"{ratio:.1f} times as long; {verdict(ratio, GOAL, at_least=True)}"))
    return Section(f"Models of groups of {rows} rows, over HTTP, durable", ("", "measured", ""), lines)


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=3600, trust_env=False)


def _batch(client: httpx.Client, drawn: Sequence[Rows]) -> tuple[float, dict[str, Any]]:
    """Train all groups in one request; give the seconds, and the settings that were chosen."""
    rows = [row for table in drawn for row in table]
    body = {"name": "batch", "group_by": "group", "columns": COLUMNS, "target": "y", "rows": rows}
    seconds = _seconds(lambda: _made(client, "/train/batch?wait=3600", body))
    told = client.get("/models/batch.g0").raise_for_status().json()
    return seconds, {name: told[name] for name in SETTINGS}


def _each(client: httpx.Client, drawn: Sequence[Rows], settings: dict[str, Any]) -> float:
    """Train groups one by one; give the median of the seconds."""
    bodies = [
        settings
        | {"name": f"one.{table[0][0]}", "columns": COLUMNS[1:], "rows": [row[1:] for row in table], "target": "y"}
        for table in drawn
    ]
    return median([_seconds(lambda body=body: _made(client, "/train?wait=60", body)) for body in bodies])  # type: ignore[misc]


def _made(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    response = client.post(path, json=body)
    if response.status_code != httpx.codes.CREATED:
        raise RuntimeError(response.text)


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.groups", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=50, help="of a group")
    parser.add_argument("--singles", type=int, default=60, help="groups that are trained one by one")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found = section(groups=asked.groups, rows=asked.rows, singles=asked.singles, rounds=asked.rounds)
    say(markdown([found]))


if __name__ == "__main__":
    main()
