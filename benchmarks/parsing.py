"""How long a large CSV takes to become a table, beside pyarrow's own reader on the same bytes and threads."""

import io
from collections.abc import Mapping
from functools import partial
from statistics import median

import numpy as np
import pyarrow as pa
from pyarrow import csv

from app.tables.formats import FORMATS
from app.tables.options import Options
from benchmarks.first_light import timed
from benchmarks.report import Section, verdict

COLUMNS = 30
GAPS = 0.1
GOAL = 1.5


def section(rounds: int, rows: int) -> Section:
    """Read the same rows both ways in turns: numbers alone, and with a text and some gaps."""
    lines, worst = [], 0.0
    for name, body in (("numbers", numbers(rows)), ("numbers, gaps and a text", mixed(rows))):
        own: list[float] = []
        bare: list[float] = []
        for _ in range(rounds):
            bare.append(timed(partial(csv.read_csv, pa.BufferReader(body))))
            own.append(timed(partial(FORMATS["csv"].read, body, Options())))
        ratio = median(own) / median(bare)
        worst = max(worst, ratio)
        lines.append((f"{rows:,} x {COLUMNS} {name}", f"{median(bare):.2f}", f"{median(own):.2f}", f"{ratio:.2f}"))
    return Section(
        "CSV read, s",
        ("", "pyarrow", "netlet", "netlet / pyarrow"),
        lines,
        notes=(f"The larger ratio is {worst:.2f}; {verdict(worst, GOAL)}.",),
    )


def numbers(rows: int) -> bytes:
    """Write rows of random numbers, with a whole one in every third column."""
    rng = np.random.default_rng(0)
    columns = {
        f"x{index}": rng.integers(1000, size=rows) if index % 3 == 0 else rng.standard_normal(rows)
        for index in range(COLUMNS)
    }
    return _written(columns)


def mixed(rows: int) -> bytes:
    """Write the same with gaps in one column, and words in another."""
    rng = np.random.default_rng(0)
    columns = {f"x{index}": pa.array(rng.standard_normal(rows)) for index in range(COLUMNS)}
    columns["x1"] = pa.array(rng.standard_normal(rows), mask=rng.random(rows) < GAPS)
    columns["x2"] = pa.array(np.array(["art", "law", "sea"])[rng.integers(3, size=rows)])
    return _written(columns)


def _written(columns: Mapping[str, object]) -> bytes:
    sink = io.BytesIO()
    csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()
