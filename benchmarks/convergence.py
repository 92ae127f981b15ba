"""Whether defaults converge on the tutorial's rows with three hidden units, from 100 seeds, and how long they take.

Run it with `.venv/bin/python -m benchmarks.convergence`.
"""

from statistics import median
from time import perf_counter

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.learning import learn
from app.models.recipe import Recipe
from benchmarks.first_light import ROWS

SEEDS = 100
GOAL = 1e-6  # mean square error of scores divided by 100


def main() -> None:
    """Train once from each seed and print the worst error and the slowest training."""
    errors, seconds = [], []
    for seed in range(SEEDS):
        began = perf_counter()
        model = learn(ROWS, Recipe(network=Architecture(hidden=(3,)), training=TrainingConfig(seed=seed)))
        seconds.append(perf_counter() - began)
        errors.append((model.report.metrics["training"]["mse"] or 0.0) / 100**2)
    reached = sum(error < GOAL for error in errors)
    print(f"{reached} of {SEEDS} seeds below {GOAL:g}; worst {max(errors):.1e}")  # noqa: T201
    print(f"median {median(seconds):.4f} s, slowest {max(seconds):.4f} s")  # noqa: T201


if __name__ == "__main__":
    main()
