"""What it costs that a row's answer is the same bits in any batch: tiles of one shape against products of any."""

from functools import partial
from statistics import median

import numpy as np

from app.engine.arrays import Features, Parameters
from app.engine.network import Network
from app.models.model import tiled_outputs
from benchmarks.first_light import timed
from benchmarks.measuring import limited_to
from benchmarks.report import Section, verdict

ROWS = 10_000
GOAL = 1.10
BLOCK = 250  # rows that a product takes at once where nothing is promised: about the fastest here
NETS = {
    "8 members, 72-64-64-1, float32": (Network((72, 64, 64, 1), "silu", "identity", bias=True), 8, np.float32),
    "1 member, 30-256-256-1, float32": (Network((30, 256, 256, 1), "relu", "identity", bias=True), 1, np.float32),
    "1 member, 10-16-1, float64": (Network((10, 16, 1), "silu", "identity", bias=True), 1, np.float64),
}


def section(rounds: int) -> Section:
    """Answer many rows both ways in turns, on one thread."""
    rows, ratios = [], []
    rng = np.random.default_rng(0)
    with limited_to(1):
        for name, (network, members, kind) in NETS.items():
            parameters = (0.1 * rng.standard_normal((members, network.size))).astype(kind)
            X = rng.standard_normal((ROWS, network.sizes[0])).astype(kind)
            plain, tiled = [], []
            for _ in range(3 * rounds):
                plain.append(timed(partial(_in_blocks, network, parameters, X)))
                tiled.append(timed(partial(tiled_outputs, network, parameters, X.astype(np.float64))))
            ratios.append(median(tiled) / median(plain))
            rows.append((name, f"{1e3 * median(plain):.1f}", f"{1e3 * median(tiled):.1f}", f"{ratios[-1]:.2f}"))
    return Section(
        f"{ROWS:,} rows answered, ms",
        ("", "products of 250 rows", "tiles of 8 rows", "tiles / products"),
        rows,
        notes=(f"The largest ratio is {max(ratios):.2f}; {verdict(max(ratios), GOAL)}.",),
    )


def _in_blocks(network: Network, parameters: Parameters, X: Features) -> None:
    for start in range(0, len(X), BLOCK):
        network.outputs(parameters, X[start : start + BLOCK])
