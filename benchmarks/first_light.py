"""How long the tutorial takes: its own loop against netlet's engine, and one prediction, side by side in one run.

Prints a table of medians and ratios. Run it with `.venv/bin/python -m benchmarks.first_light`.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from pydantic import TypeAdapter

from app.engine.network import Architecture
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from app.presets import PRESETS
from tests.tutorial import X, Y, score, trained

ROUNDS = 9
ROWS = TrainingRows((Column("hours_studied"), Column("hours_slept")), ("score",), X, Y)


def timed(work: Callable[[], object]) -> float:
    """Give the seconds a call takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> None:
    """Measure in turns, so that a busy machine slows all alike, and print medians."""
    tutorial = TypeAdapter(Recipe).validate_python(PRESETS["tutorial"], strict=False)
    small = Recipe(network=Architecture(hidden=(3,)))
    program, model = trained(0), learn(ROWS, tutorial)
    question = np.array([[4.0, 8.0]])
    work: dict[str, Callable[[], object]] = {
        "the tutorial's loop, 1,000 epochs": lambda: trained(0),
        "netlet, preset tutorial, 1,000 epochs": lambda: learn(ROWS, tutorial),
        "netlet, defaults, until converged": lambda: learn(ROWS, small),
        "the tutorial's answer for one row": lambda: score(program, 4, 8),
        "netlet's answer for one row": lambda: model.scores(question),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, call in work.items():
            seconds[name].append(timed(call))
    loop = median(seconds["the tutorial's loop, 1,000 epochs"])
    for name, taken in seconds.items():
        print(f"{name:42} {1e3 * median(taken):9.3f} ms   {median(taken) / loop:8.4f} of the loop")  # noqa: T201


if __name__ == "__main__":
    main()
